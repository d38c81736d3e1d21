# SPDX-License-Identifier: GPL-3.0-or-later
"""sys.exit with a code of its own."""
import sys

import wandb

wandb.init()
wandb.log({"loss": 1})
sys.exit(3)
