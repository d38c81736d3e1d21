# SPDX-License-Identifier: Apache-2.0
"""A callback for XGBoost: `DATA-METRIC` after each round, the booster's settings in the configuration."""
import json
import os

import besom.wandb as wandb

from . import summary_of

try:
    from xgboost.callback import TrainingCallback as _Base
except Exception:  # not installed, or broken
    _Base = object

SMALLER_IS_BETTER = ("rmse", "rmsle", "mae", "mape", "mphe", "logloss", "error", "merror", "mlogloss")
LARGER_IS_BETTER = ("auc", "aucpr", "ndcg", "map", "ndcg-", "map-")


class WandbCallback(_Base):
    def __init__(self, log_model=False, log_feature_importance=True, importance_type="gain", define_metric=True):
        if wandb.run is None:
            raise wandb.Error("You must call wandb.init() before WandbCallback()")
        self.log_model = log_model
        self.log_feature_importance = log_feature_importance
        self.importance_type = importance_type
        self.define_metric = define_metric

    def before_training(self, model):
        wandb.config.update(json.loads(model.save_config()), allow_val_change=True)
        return model

    def after_training(self, model):
        if self.log_model:
            path = os.path.join(wandb.run.dir, f"{wandb.run.id}_model.json")
            model.save_model(path)
            wandb.run.log_model(path, name=f"{wandb.run.id}_model.json")
        if self.log_feature_importance:
            scores = model.get_score(importance_type=self.importance_type)
            table = wandb.Table(columns=["Feature", "Importance"], data=[list(pair) for pair in scores.items()])
            wandb.log({"Feature Importance": wandb.plot.bar(table, "Feature", "Importance", title="Feature Importance")})
        if model.attr("best_score") is not None:
            wandb.log({"best_score": float(model.attr("best_score")), "best_iteration": int(model.attr("best_iteration"))})
        return model

    def before_iteration(self, model, epoch, evals_log):
        return False

    def after_iteration(self, model, epoch, evals_log):
        for data, metrics in evals_log.items():
            for metric, values in metrics.items():
                name = f"{data}-{metric}"
                summary = summary_of(metric, SMALLER_IS_BETTER, LARGER_IS_BETTER)
                if self.define_metric and summary is not None:
                    wandb.define_metric(name, summary=summary)
                wandb.log({name: values[-1]}, commit=False)
        wandb.log({"epoch": epoch})
        self.define_metric = False
        return False


def wandb_callback():
    """Of XGBoost before 1.3: called with an environment after each round."""
    def callback(env):
        for name, value in env.evaluation_result_list:
            wandb.log({name: value}, commit=False)
        wandb.log({})
    return callback
