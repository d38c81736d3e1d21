# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows by step=, rows put together with commit=False, and a step that is too low."""
import wandb

run = wandb.init()
wandb.log({"a": 1})                          # row 0
wandb.log({"a": 2}, commit=False)            # row 1 begins
wandb.log({"b": 2})                          # and ends
assert run.step == 2
wandb.log({"a": 10}, step=10)                # row 10 begins
wandb.log({"b": 10}, step=10)
wandb.log({"a": 11}, step=10)                # the last value of a name stands
wandb.log({"c": 12}, step=12)                # row 10 ends, row 12 begins
wandb.log({"a": -1, "low": 1}, step=11)      # too low: dropped
wandb.log({"d": 12})                         # into row 12, which ends
assert run.step == 13
wandb.log({"a": 13})                         # row 13
wandb.log({"a": 20}, step=20, commit=True)   # row 20, whole
wandb.log({"a": -1}, step=20)                # too low: the step is 21
wandb.log({})                                # a row of nothing: the step is 22
wandb.log({"a": 22})
wandb.log({"e": 30}, step=30)                # ended by the end
