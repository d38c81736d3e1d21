# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGKILL, as the kernel sends it when memory is short."""
import os
import signal

import wandb

wandb.init()
for step in range(100):
    wandb.log({"loss": step})
wandb.log({"last": 1}, commit=False)
os.kill(os.getpid(), signal.SIGKILL)
