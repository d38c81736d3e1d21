# SPDX-License-Identifier: Apache-2.0
"""`besom.sweep` and `besom.agent` with functions, against whole processes."""
import os
import signal
import sys
import threading
import time

import pytest

import besom
from waiting import wait_until

GRID = {"method": "grid", "metric": {"name": "loss", "goal": "minimize"}, "parameters": {"x": {"values": [1, 2, 3]}}}


def states(sweep):
    return [run.state for run in besom.Api().sweep(sweep).runs]


def agents(stack):
    return [name for name in stack.left_behind().values() if name in ("besom-agent", "besom-shim")]


def test_sweep(here, capsys, tmp_path):
    sweep = besom.sweep(GRID, project="functions", name="first")
    assert f"Create sweep with ID: {sweep}" in capsys.readouterr().out
    record = besom.Api().sweep(f"functions/{sweep}")
    assert (record.project, record.name, record.state) == ("functions", "first", "pending")
    assert besom.Api().sweep(besom.sweep(lambda: GRID)).expected_run_count == 3
    (tmp_path / "s.yaml").write_text("method: random\nparameters: {a: {min: 0, max: 1}}\n")
    assert besom.Api().sweep(besom.sweep(str(tmp_path / "s.yaml"))).expected_run_count is None


def test_wrong_sweep(here):
    with pytest.raises(besom.InvalidError, match="(?s)sweep:.*gird.*"):
        besom.sweep({"method": "gird", "parameters": {"x": {"values": (1, 2)}}})
    with pytest.raises(besom.InvalidError):
        besom.sweep(3)


def test_function(here):
    sweep = besom.sweep(GRID)
    seen = []

    def train():
        with besom.init(config={"lr": 0.5}) as run:
            assert run.sweep_id == sweep and run.mode == "sweep"
            for epoch in range(4):
                run.log({"loss": run.config.x + epoch})
            seen.append((run.config.x, run.config.lr))
        if len(seen) == 2:
            raise RuntimeError("the second one breaks")
        if len(seen) == 3:
            sys.exit(4)

    besom.agent(sweep, train)
    assert seen == [(1, 0.5), (2, 0.5), (3, 0.5)]
    runs = besom.Api().sweep(sweep).runs
    assert [(run.state, run.exit_code) for run in runs] == [("finished", 0), ("failed", 1), ("failed", 4)]
    assert [run.objective for run in runs] == [1, 2, 3]
    assert "the second one breaks" in runs[1].record["error"]
    assert besom.run is None and "BESOM_RUN_ID" not in os.environ


def test_a_function_that_says_it_failed(here):
    """It returns, and the agent goes on: more such ends than it bears of failures."""
    sweep = besom.sweep({**GRID, "parameters": {"x": {"values": [1, 2, 3, 4, 5, 6]}}})

    def train():
        run = besom.init()
        run.log({"loss": 1})
        run.finish(0 if run.config.x == 4 else 9)

    besom.agent(sweep, train)
    runs = besom.Api().sweep(sweep).runs
    assert [run.exit_code for run in runs] == [9, 9, 9, 0, 9, 9]
    assert states(sweep) == ["failed"] * 3 + ["finished"] + ["failed"] * 2
    assert runs[0].record["error"] == "finish(exit_code=9)"


def test_what_a_function_prints(here, capsys):
    sweep = besom.sweep({**GRID, "metrics_from": "stdout"})

    def train():
        x = besom.init().config.x
        print(f"epoch 1 loss={x * 2}")
        sys.stderr.write("beyond the loss\n")
        if x == 2:
            raise RuntimeError("the second one breaks")

    besom.agent(sweep, train)
    runs = besom.Api().sweep(sweep).runs
    for run in runs:
        said = here.command("logs", run.id).stdout
        assert said.count(f"epoch 1 loss={run.config['x'] * 2}\n") == 1 and said.count("beyond the loss\n") == 1
        assert said.count("RuntimeError: the second one breaks") == (run.config["x"] == 2)
    assert [run.objective for run in runs] == [2, 4, 6]
    assert capsys.readouterr().out.count("epoch 1 loss=") == 3


def test_count(here):
    sweep = besom.sweep(GRID)
    besom.agent(sweep, lambda: besom.init().log({"loss": 1}), count=2)
    assert states(sweep).count("finished") == 2
    besom.agent(sweep, lambda: None)
    assert states(sweep) == ["finished"] * 3


def test_early_stop(here):
    """A run that the rule stops gets RunStopped in the middle of a sleep."""
    sweep = besom.sweep({**GRID, "early_terminate": {"type": "hyperband", "min_iter": 2, "eta": 2}})
    ends = []

    def train():
        run = besom.init()
        for _ in range(4):
            run.log({"loss": run.config.x})
        try:
            if run.config.x == 3:
                time.sleep(60)
        except besom.RunStopped as stop:
            ends.append((run.stop_requested, str(stop)))
            raise

    begun = time.monotonic()
    besom.agent(sweep, train)
    assert time.monotonic() - begun < 30
    assert states(sweep) == ["finished", "finished", "stopped"]
    assert ends[0][0] and ends[0][1]


@pytest.mark.parametrize("in_main_thread", [True, False])
def test_user_stops_a_run(here, in_main_thread):
    sweep = besom.sweep(GRID)
    calls = []

    def train():
        run = besom.init()
        calls.append(run.id)
        if len(calls) == 1:
            here.command("stop", run.id)
            for _ in range(3000):
                time.sleep(30 if in_main_thread else 0.01)

    if in_main_thread:
        besom.agent(sweep, train)
    else:
        thread = threading.Thread(target=besom.agent, args=(sweep, train))
        thread.start()
        thread.join(60)
        assert not thread.is_alive()
    assert states(sweep) == ["killed", "finished", "finished"]


def test_ctrl_c(here):
    sweep = besom.sweep(GRID)

    def train():
        besom.init().log({"loss": 1})
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(30)

    with pytest.raises(KeyboardInterrupt):
        besom.agent(sweep, train)
    assert states(sweep)[0] == "killed"
    here.command("sweep", "--cancel", sweep)


def test_killed_program(here, program):
    """Neither its run nor its agent outlives it."""
    sweep = besom.sweep(GRID)
    process = program("import besom, time\n"
                      "def train():\n    besom.init().log({'loss': 1})\n    print('begun', flush=True)\n    time.sleep(60)\n"
                      f"besom.agent('{sweep}', train)\n")
    assert process.stdout.readline() == "begun\n"
    process.kill()
    process.wait()
    wait_until(lambda: not agents(here), "its agent has left", 30)
    wait_until(lambda: states(sweep)[0] == "failed", "its run has failed", 5)
    here.command("sweep", "--cancel", sweep)


@pytest.mark.parametrize("end", ["os._exit(4)", "os.kill(os.getpid(), 9)"])
def test_a_configuration_that_kills_the_program(here, program, end):
    """Its run has failed and does not come back to the next program."""
    sweep = besom.sweep(GRID)
    text = ("import besom, os\n"
            f"def train():\n    if besom.init().config.x == 1:\n        {end}\n"
            f"besom.agent('{sweep}', train)\n")
    assert program(text).wait(60) != 0
    wait_until(lambda: not agents(here), "its agent has left", 30)
    assert states(sweep)[0] == "failed"
    assert program(text).wait(60) == 0
    assert states(sweep) == ["failed", "finished", "finished"]


def test_commands(here, tmp_path):
    (tmp_path / "train.sh").write_text("besom log loss=2\n")
    sweep = besom.sweep({**GRID, "command": ["/bin/sh", str(tmp_path / "train.sh")]})
    besom.agent(sweep)
    assert states(sweep) == ["finished"] * 3
