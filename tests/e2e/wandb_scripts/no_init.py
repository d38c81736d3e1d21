# SPDX-License-Identifier: GPL-3.0-or-later
"""log() without init() is an error that says so."""
import wandb

assert wandb.run is None
wandb.log({"loss": 1})
