# SPDX-License-Identifier: GPL-3.0-or-later
"""sync_tensorboard=True with a SummaryWriter that is imported after init(); a package with that name and class stands in."""
import os
import sys

import wandb

WRITER = """
class SummaryWriter:
    written = 0

    def add_scalar(self, tag, scalar_value, global_step=None, walltime=None):
        SummaryWriter.written += 1

    def add_scalars(self, main_tag, tag_scalar_dict, global_step=None):
        SummaryWriter.written += 1
"""
os.makedirs("fake/tensorboardX")
with open("fake/tensorboardX/writer.py", "w") as file:
    file.write(WRITER)
with open("fake/tensorboardX/__init__.py", "w") as file:
    file.write("from .writer import SummaryWriter")
sys.path.insert(0, os.path.abspath("fake"))

wandb.init(sync_tensorboard=True)
assert "tensorboardX" not in sys.modules
from tensorboardX import SummaryWriter

writer = SummaryWriter()
for step in range(0, 30, 10):
    writer.add_scalar("train/loss", 3.0 - step / 10, step)
    writer.add_scalar("train/acc", step / 20, global_step=step)
writer.add_scalars("val", {"a": 1, "b": 2}, 30)
assert SummaryWriter.written == 7
