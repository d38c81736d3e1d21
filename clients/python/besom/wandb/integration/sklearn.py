# SPDX-License-Identifier: Apache-2.0
"""`wandb.sklearn`: confusion matrices and curves are kept as tables, other plots are passed over."""
import besom.wandb as wandb

from .._messages import warn_once


def plot_confusion_matrix(y_true=None, y_pred=None, labels=None, **_):
    wandb.log({"confusion_matrix": wandb.plot.confusion_matrix(y_true=y_true, preds=y_pred, class_names=labels)})


def plot_roc(y_true=None, y_probas=None, labels=None, **_):
    wandb.log({"roc": wandb.plot.roc_curve(y_true, y_probas, labels)})


def plot_precision_recall(y_true=None, y_probas=None, labels=None, **_):
    wandb.log({"precision_recall": wandb.plot.pr_curve(y_true, y_probas, labels)})


def __getattr__(name):
    if not name.startswith("plot_"):
        raise AttributeError(f"module 'wandb.sklearn' has no attribute '{name}'")

    def passed_over(*arguments, **named):
        warn_once(f"wandb.sklearn.{name} is not kept")
    return passed_over
