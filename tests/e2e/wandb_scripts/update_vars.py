# SPDX-License-Identifier: GPL-3.0-or-later
"""config.update(vars(args)) with flags that the sweep did not give, and with a value that it locked."""
import argparse

import wandb

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1.0)
parser.add_argument("--momentum", type=float, default=0.9)
args = parser.parse_args()

wandb.init(project=None)
wandb.config.update(vars(args))
wandb.config.update({"lr": 99.0, "seed": 3}, allow_val_change=True)
assert wandb.config.lr == args.lr
wandb.config.update({"momentum": 0.8}, allow_val_change=True)
try:
    wandb.config.update({"momentum": 0.7})
    raise SystemExit("a changed value was taken")
except wandb.Error as error:
    assert "allow_val_change" in str(error), error
wandb.log({"loss": wandb.config.lr * wandb.config.momentum})
