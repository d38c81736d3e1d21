# SPDX-License-Identifier: GPL-3.0-or-later
"""Worker processes by fork, as a DataLoader starts them; the run is theirs too, and their end is not the run's."""
import multiprocessing
import os

import wandb


def work(items, results):
    for item in iter(items.get, None):
        results.put(item * item)
    if os.environ.get("LOG_IN_WORKER"):
        wandb.log({"from_worker": 1})


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    wandb.init()
    items, results = multiprocessing.Queue(), multiprocessing.Queue()
    workers = [multiprocessing.Process(target=work, args=(items, results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for step in range(20):
        items.put(step)
        wandb.log({"square": results.get()})
    for _ in workers:
        items.put(None)
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    child = os.fork()
    if child == 0:
        raise SystemExit(0)  # with the atexit calls of the parent
    os.waitpid(child, 0)
    wandb.log({"square": -1})
