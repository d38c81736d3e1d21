# SPDX-License-Identifier: GPL-3.0-or-later
"""A configuration that is assigned before init(), and a run that goes to a process of its own by pickle."""
import copy
import multiprocessing
import pickle

import wandb


def work(run, results):
    run.log({"from_worker": 1})
    results.put((run.id, wandb.run is run, dict(run.config)))


if __name__ == "__main__":
    wandb.config = {"width": 3, "epochs": 2}
    run = wandb.init(config={"epochs": 4})
    assert wandb.config.width == 3 and wandb.config.epochs == 4
    assert copy.deepcopy(run) is run and pickle.loads(pickle.dumps(run.config)) == run.config
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    worker = context.Process(target=work, args=(run, results))
    worker.start()
    run_id, is_same, config = results.get(timeout=30)
    worker.join()
    assert run_id == run.id and is_same and config["lr"] == wandb.config.lr
    wandb.log({"loss": 1})
    wandb.finish()
    for name, read in (("config.lr", lambda: wandb.config.lr), ("summary['loss']", lambda: wandb.summary["loss"])):
        try:
            read()
            raise SystemExit("read without a run")
        except wandb.Error as error:
            assert str(error) == f"You must call wandb.init() before wandb.{name}", error
