# SPDX-License-Identifier: GPL-3.0-or-later
"""A dict as configuration, read by key; the sweep's values are over it."""
import wandb

defaults = dict(lr=0.1, epochs=3, optimizer="sgd")
wandb.init(project="digits", config=defaults)
config = wandb.config

for epoch in range(config["epochs"]):
    wandb.log({"epoch": epoch, "loss": config["lr"] / (epoch + 1)})
print("optimizer", config["optimizer"], "lr" in config, dict(config)["lr"])
