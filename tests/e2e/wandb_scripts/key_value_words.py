# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments without hyphens, as Hydra takes them."""
import sys

import wandb

config = {"lr": 1.0, "model.depth": 1}
for word in sys.argv[1:]:
    name, _, value = word.partition("=")
    config[name] = type(config[name])(value)

wandb.init(config=config)
for step in range(config["model.depth"]):
    wandb.log({"val/loss": config["lr"] * step})
