# SPDX-License-Identifier: GPL-3.0-or-later
"""Sweep and agent in one program: train() is called for each run."""
import sys

import wandb

SWEEP = {
    "method": "grid",
    "metric": {"name": "loss", "goal": "minimize"},
    "parameters": {"lr": {"values": [1, 2, 3, 4]}, "model": {"parameters": {"depth": {"value": 5}}}},
}


def train():
    with wandb.init(config={"lr": 0, "epochs": 2}) as run:
        config = wandb.config
        if config.lr == 2:
            raise ValueError("lr is 2")
        for epoch in range(config.epochs):
            wandb.log({"loss": config.lr * 10 + epoch, "depth": config.model["depth"]})
        run.summary["seen"] = sorted(config.keys())


sweep_id = wandb.sweep(SWEEP, project="functions")
wandb.agent(sweep_id, function=train, count=3)
assert wandb.run is None
print("SWEEP", sweep_id, file=sys.stderr)
