# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine goes away once; the next attempt counts its steps from 0 again, unless it resumes."""
import os
import sys

import wandb

run = wandb.init(resume="allow" if os.environ.get("RESUME") else None)
assert run.resumed == (os.environ["BESOM_ATTEMPT"] != "1")
for step in range(3):
    wandb.log({"loss": step}, step=None if os.environ.get("RESUME") else step)
if not run.resumed:
    run.mark_preempting()
    sys.exit(1)
