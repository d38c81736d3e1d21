# SPDX-License-Identifier: GPL-3.0-or-later
"""The sweep's values come as flags; the Namespace is the configuration."""
import argparse

import wandb

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1.0)
parser.add_argument("--batch-size", type=int, default=8)
parser.add_argument("--name", default="net")
args = parser.parse_args()

wandb.init(config=args)
for step in range(2):
    wandb.log({"loss": wandb.config.lr + step, "batch": args.batch_size})
