# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that are filled slowly: what belongs together does so however long it takes."""
import os
import time

import wandb

pause = float(os.environ.get("PAUSE", "1.5"))
run = wandb.init()
wandb.log({"train": 1}, commit=False)
time.sleep(pause)
wandb.log({"val": 1})
wandb.log({"train": 2}, step=5)
time.sleep(pause)
wandb.log({"val": 2}, step=5)
time.sleep(pause)
wandb.log({"test": 2})
assert run.step == 6
wandb.log({"train": 3})
