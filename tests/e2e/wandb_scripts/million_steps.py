# SPDX-License-Identifier: GPL-3.0-or-later
"""As many rows as a long training has batches."""
import os

import wandb

wandb.init()
for step in range(int(os.environ.get("STEPS", "1000000"))):
    wandb.log({"loss": step * 0.5})
