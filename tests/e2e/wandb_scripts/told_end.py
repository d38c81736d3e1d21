# SPDX-License-Identifier: GPL-3.0-or-later
"""finish() with an exit code, in a program whose own one is another, as the parameter `case` says."""
import sys

import wandb

run = wandb.init()
wandb.log({"loss": 1})
case = wandb.config.case
print("the last line of the log", file=sys.stderr)
if case == "failed":
    wandb.finish(exit_code=7)
elif case == "good":
    wandb.finish(exit_code=0)
elif case == "raised":
    try:
        with run:
            raise ArithmeticError("the loss is no number")
    except ArithmeticError:
        pass
elif case == "taken back":
    wandb.finish(exit_code=7)
    wandb.init(reinit=True)
    wandb.finish()
elif case == "own":
    wandb.finish(exit_code=7)
    sys.exit(3)
