# SPDX-License-Identifier: GPL-3.0-or-later
"""Name, tags, notes, group and job type; and the summary set by hand."""
import wandb

run = wandb.init(name="first", tags=["a", "b"], notes="as an argument", group="g", job_type="train")
assert (run.name, run.group, run.job_type, run.tags) == ("first", "g", "train", ("a", "b"))
run.name = f"lr-{wandb.config.lr}"
run.tags += ("c",)
run.notes = "set later"
wandb.log({"loss": 2.0, "acc": 0.5})
wandb.log({"loss": 1.0, "acc": 0.75})
run.summary["best_acc"] = 0.75
wandb.summary.update({"note": "fine", "shape": [3, 4]})
wandb.run.summary["loss"] = 0.5
assert run.summary["acc"] == 0.75 and run.summary.get("none") is None
assert run.path.endswith(run.id) and run.mode == "online" and not run.disabled and run.url is None
