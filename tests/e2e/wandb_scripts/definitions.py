# SPDX-License-Identifier: GPL-3.0-or-later
"""define_metric, with a pattern, an axis, and what the summary is to hold."""
import wandb

wandb.init()
wandb.define_metric("epoch", hidden=True)
wandb.define_metric("val/*", step_metric="epoch", summary="min,max")
wandb.define_metric("val/acc", summary="max", goal="maximize")
wandb.define_metric("loss", summary="mean")
metric = wandb.define_metric("silent", summary="none")
assert metric.name == "silent"
for epoch, (loss, accuracy) in enumerate([(3.0, 0.25), (1.0, 0.75), (2.0, 0.5)]):
    wandb.log({"epoch": epoch, "loss": loss, "val/loss": loss * 2, "val/acc": accuracy, "silent": 1, "plain": loss})
try:
    wandb.define_metric("x", summary="median")
    raise SystemExit("an unknown summary was taken")
except wandb.Error:
    pass
