# SPDX-License-Identifier: Apache-2.0
"""Callbacks for Keras. They derive from Keras' own class where that is installed, else they are plain objects with the same
methods. Metrics are logged under W&B's names."""
import importlib
import os
import sys

import besom.wandb as wandb

from .._messages import warn_once


def _callback_class():
    """Keras' class: of what the program has imported, else of what can be imported."""
    names = ("tensorflow.keras.callbacks", "keras.callbacks")
    imported = [name for name in names if name.split(".")[0] in sys.modules]
    for name in [*imported, *(name for name in reversed(names) if name not in imported)]:
        try:
            return importlib.import_module(name).Callback
        except Exception:  # whatever a broken installation raises
            continue
    return _Plain


class _Plain:
    """What Keras calls, doing nothing."""

    def __init__(self):
        self.model = None
        self.params = {}

    def set_model(self, model):
        self.model = model

    def set_params(self, params):
        self.params = params


def _nothing(self, *arguments, **named):
    pass


for _name in ("on_train_begin", "on_train_end", "on_test_begin", "on_test_end", "on_predict_begin", "on_predict_end",
              "on_epoch_begin", "on_epoch_end", "on_batch_begin", "on_batch_end", "on_train_batch_begin",
              "on_train_batch_end", "on_test_batch_begin", "on_test_batch_end", "on_predict_batch_begin",
              "on_predict_batch_end"):
    setattr(_Plain, _name, _nothing)

Callback = _callback_class()


def _need_run(name):
    if wandb.run is None:
        raise wandb.Error(f"You must call `wandb.init()` before {name}()")


def _learning_rate(model, step):
    """The optimizer's rate as a number, or None."""
    optimizer = getattr(model, "optimizer", None)
    rate = getattr(optimizer, "learning_rate", getattr(optimizer, "lr", None))
    try:
        if callable(rate):
            rate = rate(step)
        return float(rate.numpy() if hasattr(rate, "numpy") else rate)
    except (TypeError, ValueError, AttributeError):
        return None


class WandbMetricsLogger(Callback):
    """Logs `epoch/NAME` after each epoch, and `batch/NAME` every `log_freq` batches when that is "batch" or a number."""

    def __init__(self, log_freq="epoch", initial_global_step=0, *arguments, **named):
        super().__init__()
        _need_run("WandbMetricsLogger")
        self.logging_batch_wise = log_freq == "batch" or isinstance(log_freq, int)
        self.log_freq = log_freq if isinstance(log_freq, int) else 1
        self.global_batch = 0
        self.global_step = initial_global_step
        if self.logging_batch_wise:
            wandb.define_metric("batch/batch_step")
            wandb.define_metric("batch/*", step_metric="batch/batch_step")
        else:
            wandb.define_metric("epoch/epoch")
            wandb.define_metric("epoch/*", step_metric="epoch/epoch")

    def on_epoch_end(self, epoch, logs=None):
        row = {f"epoch/{name}": value for name, value in (logs or {}).items()}
        row["epoch/epoch"] = epoch
        rate = _learning_rate(self.model, self.global_step)
        if rate is not None:
            row["epoch/learning_rate"] = rate
        wandb.log(row)

    def on_batch_end(self, batch, logs=None):
        self.global_step += 1
        if not self.logging_batch_wise or batch % self.log_freq != 0:
            return
        row = {f"batch/{name}": value for name, value in (logs or {}).items()}
        row["batch/batch_step"] = self.global_batch
        rate = _learning_rate(self.model, self.global_step)
        if rate is not None:
            row["batch/learning_rate"] = rate
        wandb.log(row)
        self.global_batch += self.log_freq

    def on_train_batch_end(self, batch, logs=None):
        self.on_batch_end(batch, logs if logs is not None else {})


def _is_better(mode, monitor):
    if mode not in ("auto", "min", "max"):
        warn_once(f"mode '{mode}' is taken as 'auto'")
        mode = "auto"
    larger = mode == "max" or (mode == "auto" and ("acc" in monitor or monitor.startswith("fmeasure")))
    return (lambda a, b: a > b) if larger else (lambda a, b: a < b), float("-inf") if larger else float("inf")


class WandbCallback(Callback):
    """Logs each epoch's values and, of the monitored one, the best so far in the summary. Models, gradients and predictions
    are not kept."""

    def __init__(self, monitor="val_loss", verbose=0, mode="auto", save_weights_only=False, log_weights=False,
                 log_gradients=False, save_model=True, training_data=None, validation_data=None, labels=None,
                 predictions=36, generator=None, input_type=None, output_type=None, log_evaluation=False,
                 validation_steps=None, class_colors=None, log_batch_frequency=None, log_best_prefix="best_",
                 save_graph=True, validation_indexes=None, validation_row_processor=None, prediction_row_processor=None,
                 infer_missing_processors=True, log_evaluation_frequency=0, compute_flops=False, **named):
        super().__init__()
        if wandb.run is None:
            raise wandb.Error("You must call wandb.init() before WandbCallback()")
        self.monitor = monitor
        self.verbose = verbose
        self.log_batch_frequency = log_batch_frequency
        self.log_best_prefix = log_best_prefix
        self.is_better, self.best = _is_better(mode, monitor)
        if log_weights or log_gradients or log_evaluation or validation_data is not None:
            warn_once("WandbCallback keeps no weights, gradients or predictions")

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        wandb.log({"epoch": epoch}, commit=False)
        wandb.log(dict(logs), commit=True)
        current = logs.get(self.monitor)
        if current is None or not self.is_better(current, self.best):
            return
        self.best = current
        if self.log_best_prefix:
            wandb.run.summary[self.log_best_prefix + self.monitor] = current
            wandb.run.summary[self.log_best_prefix + "epoch"] = epoch
            if self.verbose:
                print(f"Epoch {epoch:05d}: {self.monitor} improved to {current:.5f}")

    def on_batch_end(self, batch, logs=None):
        if self.log_batch_frequency and batch % self.log_batch_frequency == 0:
            wandb.log(dict(logs or {}), commit=True)

    def on_train_batch_end(self, batch, logs=None):
        self.on_batch_end(batch, logs)


class WandbModelCheckpoint(Callback):
    """Saves the model where `filepath` says, after each epoch (or every `save_freq` batches), the best alone if asked."""

    def __init__(self, filepath, monitor="val_loss", verbose=0, save_best_only=False, save_weights_only=False, mode="auto",
                 save_freq="epoch", initial_value_threshold=None, **named):
        super().__init__()
        _need_run("WandbModelCheckpoint")
        self.filepath = os.fspath(filepath)
        self.monitor = monitor
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        self.is_better, self.best = _is_better(mode, monitor)
        if initial_value_threshold is not None:
            self.best = initial_value_threshold
        self.epoch = 0
        self.batches = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        if isinstance(self.save_freq, int) and self.batches % self.save_freq == 0:
            self._save(self.epoch, logs or {})

    def on_epoch_end(self, epoch, logs=None):
        if self.save_freq == "epoch":
            self._save(epoch, logs or {})

    def _save(self, epoch, logs):
        current = logs.get(self.monitor)
        if self.save_best_only:
            if current is None or not self.is_better(current, self.best):
                return
            self.best = current
        path = self.filepath.format(epoch=epoch + 1, **logs)
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)


class WandbEvalCallback(Callback):
    """To derive from: `add_ground_truth` and `add_model_predictions` fill `data_table` and `pred_table`."""

    def __init__(self, data_table_columns, pred_table_columns, *arguments, **named):
        super().__init__()
        _need_run("WandbEvalCallback")
        self.data_table_columns = data_table_columns
        self.pred_table_columns = pred_table_columns

    def on_train_begin(self, logs=None):
        self.init_data_table(column_names=self.data_table_columns)
        self.add_ground_truth(logs)
        self.log_data_table()

    def on_epoch_end(self, epoch, logs=None):
        self.init_pred_table(column_names=self.pred_table_columns)
        self.add_model_predictions(epoch, logs)
        self.log_pred_table()

    def add_ground_truth(self, logs=None):
        raise NotImplementedError(f"{type(self).__name__}.add_ground_truth")

    def add_model_predictions(self, epoch, logs=None):
        raise NotImplementedError(f"{type(self).__name__}.add_model_predictions")

    def init_data_table(self, column_names):
        self.data_table = wandb.Table(columns=column_names)

    def init_pred_table(self, column_names):
        self.pred_table = wandb.Table(columns=column_names)

    def log_data_table(self, name="val", type="dataset", table_name="val_data"):
        artifact = wandb.Artifact(name, type=type)
        artifact.add(self.data_table, table_name)
        wandb.run.log_artifact(artifact)
        self.data_table_ref = self.data_table

    def log_pred_table(self, type="evaluation", table_name="eval_data", aliases=None):
        artifact = wandb.Artifact(f"run_{wandb.run.id}_pred", type=type)
        artifact.add(self.pred_table, table_name)
        wandb.run.log_artifact(artifact, aliases=aliases or ["latest"])


WandbGraphCallback = WandbCallback
