# SPDX-License-Identifier: Apache-2.0
"""A callback for XGBoost: `DATA-METRIC` after each round."""
import besom.wandb as wandb

try:
    from xgboost.callback import TrainingCallback as _Base
except Exception:  # not installed, or broken
    _Base = object


class WandbCallback(_Base):
    def __init__(self, log_model=False, log_feature_importance=True, importance_type="gain", define_metric=True):
        if wandb.run is None:
            raise wandb.Error("You must call wandb.init() before WandbCallback()")
        self.log_feature_importance = log_feature_importance
        self.importance_type = importance_type
        self.define_metric = define_metric

    def before_training(self, model):
        config = getattr(model, "save_config", None)
        if config is not None:
            wandb.run.config.setdefaults({"xgboost": config()[:4096]})
        return model

    def after_training(self, model):
        for name, at in (("best_score", "best_score"), ("best_iteration", "best_iteration")):
            try:
                wandb.run.summary[name] = float(getattr(model, at))
            except (AttributeError, TypeError, ValueError):
                pass
        scores = getattr(model, "get_score", None)
        if self.log_feature_importance and scores is not None:
            table = wandb.Table(columns=["Feature", "Importance"],
                                data=[list(pair) for pair in scores(importance_type=self.importance_type).items()])
            wandb.log({"Feature Importance": wandb.plot.bar(table, "Feature", "Importance")})
        return model

    def before_iteration(self, model, epoch, evals_log):
        return False

    def after_iteration(self, model, epoch, evals_log):
        for data, metrics in evals_log.items():
            for metric, values in metrics.items():
                if self.define_metric and epoch == 0:
                    smaller = not any(word in metric for word in ("auc", "map", "ndcg", "pre", "acc"))
                    wandb.define_metric(f"{data}-{metric}", summary="min" if smaller else "max")
                wandb.log({f"{data}-{metric}": values[-1]}, commit=False)
        wandb.log({"epoch": epoch})
        return False


def wandb_callback():
    """Of XGBoost before 1.3: called with an environment after each round."""
    def callback(env):
        for name, value in env.evaluation_result_list:
            wandb.log({name: value}, commit=False)
        wandb.log({})
    return callback
