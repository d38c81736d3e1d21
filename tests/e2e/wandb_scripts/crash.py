# SPDX-License-Identifier: GPL-3.0-or-later
"""An exception in the middle, with a row that was not whole yet."""
import wandb

wandb.init()
for step in range(5):
    wandb.log({"loss": step})
wandb.log({"loss": 5.0}, step=5)
wandb.log({"acc": 0.5}, step=5)
raise RuntimeError("the data has run out")
