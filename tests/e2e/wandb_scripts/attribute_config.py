# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes of wandb.config, and more entries set on the way."""
import wandb

run = wandb.init()
cfg = wandb.config
cfg.layers = 2
wandb.config["width"] = 16
wandb.config.setdefaults({"lr": 5.0, "dropout": 0.5})

for step in range(4):
    run.log({"loss": cfg.lr * step})
assert cfg.dropout == 0.5 and wandb.config.layers == 2
assert cfg.get("nothing") is None and not hasattr(cfg, "nothing")
wandb.finish()
assert wandb.run is None
