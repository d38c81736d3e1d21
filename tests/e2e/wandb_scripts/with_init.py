# SPDX-License-Identifier: GPL-3.0-or-later
"""A context manager; names that belong to the service's side are ignored in a sweep."""
import wandb


def main():
    with wandb.init(project="mine", entity="team", id="abcdefgh") as run:
        assert run.id != "abcdefgh" and run.sweep_id is not None
        for step in range(3):
            run.log({"train": {"loss": run.config.lr * step, "acc": {"top1": step}}})
        run.summary["best"] = 7
    assert wandb.run is None


if __name__ == "__main__":
    main()
