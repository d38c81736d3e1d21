# SPDX-License-Identifier: GPL-3.0-or-later
"""A poor run, which goes on until it is stopped."""
import time

import wandb

wandb.init()
for step in range(2000):
    wandb.log({"loss": wandb.config.offset + 1 / (step + 1)})
    time.sleep(0.02 if wandb.config.offset else 0)
