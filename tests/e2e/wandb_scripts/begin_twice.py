# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs in one process, one after the other."""
import wandb

first = wandb.init(reinit=True)
assert wandb.init() is first
wandb.log({"loss": 1})
wandb.log({"loss": 2})
second = wandb.init(reinit=True)
assert second is wandb.run and second is not first
second.log({"loss": 3})
wandb.finish()
third = wandb.init(reinit=True)
third.log({"loss": 4})
third.finish()
wandb.finish()
