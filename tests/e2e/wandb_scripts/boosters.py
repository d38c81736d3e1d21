# SPDX-License-Identifier: GPL-3.0-or-later
"""W&B's callbacks for XGBoost and LightGBM, called as those do."""
from collections import namedtuple

import wandb
from wandb.integration.lightgbm import log_summary, wandb_callback
from wandb.xgboost import WandbCallback


class Booster:
    best_score = {"valid": {"auc": 0.75}}
    best_iteration = 2

    def save_config(self):
        return '{"learner": {"objective": "reg"}, "version": [1, 7, 6]}'

    def get_score(self, importance_type):
        return {"f0": 3.0, "f1": 1.0}

    def attr(self, name):
        return {"best_score": "0.25", "best_iteration": "2"}.get(name)

    def feature_name(self):
        return ["f0", "f1"]

    def feature_importance(self):
        return [3, 1]


wandb.init()
model, callback = Booster(), WandbCallback()
callback.before_training(model)
history = {"train": {"rmse": []}, "valid": {"auc": []}}
for epoch in range(3):
    history["train"]["rmse"].append(1.0 - epoch / 4)
    history["valid"]["auc"].append([0.5, 0.75, 0.625][epoch])
    assert callback.after_iteration(model, epoch, history) is False
callback.after_training(model)

Environment = namedtuple("Environment", "model params iteration begin_iteration end_iteration evaluation_result_list")
callback = wandb_callback()
for iteration in range(3):
    callback(Environment(model, {"leaves": 31}, iteration, 0, 3, [("valid", "l2", 4.0 - iteration, False)]))
log_summary(model)
