# SPDX-License-Identifier: Apache-2.0
"""Programs that an agent starts: what they log arrives, from threads, forks and workers too."""
import os
import sys

import pytest

import besom

TRAIN = """
import besom, multiprocessing, os, sys, threading

def worker(number):
    besom.init().log({"worker": number}, step=100 + number)

if __name__ == "__main__":
    with besom.init(config={"epochs": 3, "lr": 1.0}, name="run of x", tags=["e2e"]) as run:
        run.define_metric("loss", summary="min,last")
        for epoch in range(run.config.epochs):
            run.log({"loss": run.config.x / (epoch + 1), "nested": {"acc": epoch}})
        if run.config.x == 2:
            for method in ("fork", "spawn"):
                context = multiprocessing.get_context(method)
                workers = [context.Process(target=worker, args=(i,)) for i in range(2)]
                [each.start() for each in workers]
                [each.join() for each in workers]
            if os.fork() == 0:
                run.log({"child": 5}, step=200)
                os._exit(0)
            os.wait()
            threads = [threading.Thread(target=run.log, args=({"thread": i},), kwargs={"step": 300 + i}) for i in range(4)]
            [each.start() for each in threads]
            [each.join() for each in threads]
        run.summary["note"] = "done"
    sys.exit(3 if run.config.x == 3 else 0)
"""


@pytest.fixture(scope="module")
def ended(stack, tmp_path_factory):
    """A sweep over x = 1, 2, 3 of TRAIN, run to its end: its id."""
    path = tmp_path_factory.mktemp("train") / "train.py"
    path.write_text(TRAIN)
    sweep = stack.create('{"method": "grid", "metric": {"name": "loss", "goal": "minimize"}, "command": ["%s", "%s"], '
                         '"parameters": {"x": {"values": [1, 2, 3]}}}' % (sys.executable, path))
    assert stack.start_agent(sweep, sweep).wait(120) == 0, stack.agent_text(sweep)
    return sweep


def test_states_and_objectives(ended, here):
    sweep = besom.Api().sweep(ended)
    assert sweep.state == "finished" and sweep.expected_run_count == 3 and sweep.order == "+summary_metrics.loss"
    assert sweep.config["parameters"]["x"]["values"] == [1, 2, 3]
    assert [(run.state, run.exit_code) for run in sweep.runs] == [("finished", 0), ("finished", 0), ("failed", 3)]
    best = sweep.best_run()
    assert best.params == {"x": 1} and best.objective == pytest.approx(1 / 3)
    assert best.created_at <= best.started_at <= best.ended_at


def test_history(ended, here):
    run = besom.Api().sweep(ended).runs[1]
    assert [(row["_step"], row["loss"]) for row in run.scan_history(["loss"])] == [(0, 2), (1, 1), (2, pytest.approx(2 / 3))]
    rows = {row["_step"]: row for row in run.history()}
    assert [rows[step]["nested.acc"] for step in range(3)] == [0, 1, 2]
    assert rows[100]["worker"] == 0 and rows[101]["worker"] == 1 and rows[200]["child"] == 5
    assert [rows[300 + i]["thread"] for i in range(4)] == [0, 1, 2, 3]
    assert len(run.history(["loss"], samples=2)) == 2 and rows[0]["_timestamp"] > 1.7e9
    assert besom.Api().run(f"{ended}/{run.id}").id == run.id


def test_what_the_program_says_of_itself(ended, here):
    run = besom.Api().sweep(ended).runs[0]
    if "config" not in run.record:
        pytest.skip("besom does not tell it yet")
    assert run.config == {"x": 1, "epochs": 3, "lr": 1.0} and run.name == "run of x" and run.tags == ["e2e"]
    assert run.summary["note"] == "done" and run.summary["loss"] == {"min": pytest.approx(1 / 3), "last": pytest.approx(1 / 3)}


WORKERS = """
import besom, multiprocessing, sys

def worker(number):
    run = besom.init()
    run.log({"worker": number}, step=100 + number)

def train():
    run = besom.init(project="workers")
    run.log({"loss": 1}, step=0)
    for first, method in ((0, "fork"), (2, "spawn")):
        with multiprocessing.get_context(method).Pool(2) as pool:
            pool.map(worker, [first, first + 1], chunksize=1)
    print(run.id, run.mode, flush=True)

if __name__ == "__main__":
    if len(sys.argv) > 1:
        besom.agent(sys.argv[1], train)
    else:
        train()
"""


@pytest.mark.parametrize("mode", ["single", "sweep"])
def test_workers_of_a_program(here, program, mode):
    """As a DataLoader's: pools of a program with a run of its own, and of a function that is a run."""
    arguments = [besom.sweep({"method": "grid", "parameters": {"x": {"value": 1}}})] if mode == "sweep" else []
    said, errors = program(WORKERS, arguments).communicate(timeout=60)
    run_id, seen = said.split()
    assert seen == mode, errors
    run = besom.Api().run(run_id)
    assert run.state == "finished", errors
    assert [(row["_step"], row["worker"]) for row in run.scan_history(["worker"])] == [(100 + i, i) for i in range(4)]


def test_what_is_not_there(here):
    with pytest.raises(besom.NotFoundError):
        besom.Api().sweep("nothere1")
    with pytest.raises(besom.NotFoundError):
        besom.Api().run("nothere1")
    with pytest.raises(besom.InvalidError):
        besom.Api().sweep("no id")
    with pytest.raises(besom.NotFoundError):
        besom.agent("nothere1", lambda: None)


def test_no_controller(here, monkeypatch, tmp_path):
    monkeypatch.setenv("BESOM_HOME", str(tmp_path))
    with pytest.raises(besom.UnavailableError):
        besom.Api().sweeps()
    assert os.listdir(str(tmp_path)) == []


def test_sweeps(ended, here):
    sweeps = besom.Api().sweeps()
    assert ended in [sweep.id for sweep in sweeps]
    assert besom.Api().sweeps(project="no such project") == []
