# SPDX-License-Identifier: Apache-2.0
"""A callback for LightGBM: `DATA_METRIC` after each round."""
import besom.wandb as wandb


def wandb_callback(log_params=True, define_metric=True):
    def callback(env):
        if env.iteration == env.begin_iteration and log_params:
            wandb.config.update(dict(env.params or {}), allow_val_change=True)
        for data, metric, value, larger, *_ in env.evaluation_result_list:
            if env.iteration == env.begin_iteration and define_metric:
                wandb.define_metric(f"{data}_{metric}", summary="max" if larger else "min")
            wandb.log({f"{data}_{metric}": value}, commit=False)
        wandb.log({"iteration": env.iteration}, commit=True)
    return callback


def log_summary(model, feature_importance=True, save_model_checkpoint=False):
    for data, metrics in getattr(model, "best_score", {}).items():
        for metric, value in metrics.items():
            wandb.run.summary[f"best_score.{data}.{metric}"] = value
    wandb.run.summary["best_iteration"] = getattr(model, "best_iteration", None)
