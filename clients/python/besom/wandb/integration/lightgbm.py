# SPDX-License-Identifier: Apache-2.0
"""A callback for LightGBM: `DATA_METRIC` after each round, the parameters in the configuration."""
import os

import besom.wandb as wandb

from . import summary_of

SMALLER_IS_BETTER = ("l1", "l2", "rmse", "mape", "huber", "fair", "poisson", "gamma", "binary_logloss")
LARGER_IS_BETTER = ("map", "auc", "average_precision")


def _results(env):
    """(name, metric, value) of training; of cross-validation a mean and a deviation each."""
    for item in env.evaluation_result_list:
        if len(item) == 4:
            yield f"{item[0]}_{item[1]}", item[1], item[2]
        else:
            data, metric = item[1].split()
            yield f"{data}_{metric}-mean", metric, item[2]
            yield f"{data}_{metric}-stdv", metric, item[4]


class _Callback:
    order = 20
    before_iteration = False

    def __init__(self, log_params=True, define_metric=True):
        self.log_params = log_params
        self.define_metric = define_metric

    def __call__(self, env):
        is_first = env.iteration == env.begin_iteration
        if is_first and self.log_params:
            wandb.config.update(dict(env.params or {}), allow_val_change=True)
        for name, metric, value in _results(env):
            summary = summary_of(metric, SMALLER_IS_BETTER, LARGER_IS_BETTER)
            if is_first and self.define_metric and summary is not None:
                wandb.define_metric(name, summary=summary)
            wandb.log({name: value}, commit=False)
        wandb.log({"iteration": env.iteration}, commit=True)


def wandb_callback(log_params=True, define_metric=True):
    if wandb.run is None:
        raise wandb.Error("You must call wandb.init() before wandb_callback()")
    return _Callback(log_params, define_metric)


def log_summary(model, feature_importance=True, save_model_checkpoint=False):
    if wandb.run is None:
        raise wandb.Error("You must call wandb.init() before log_summary()")
    wandb.run.summary["best_iteration"] = model.best_iteration
    wandb.run.summary["best_score"] = model.best_score
    if feature_importance:
        rows = [list(pair) for pair in zip(model.feature_name(), model.feature_importance())]
        table = wandb.Table(columns=["Feature", "Importance"], data=rows)
        wandb.log({"Feature Importance": wandb.plot.bar(table, "Feature", "Importance", title="Feature Importance")})
    if save_model_checkpoint:
        path = os.path.join(wandb.run.dir, f"model_{wandb.run.id}.txt")
        model.save_model(path)
        wandb.run.log_model(path)
