# SPDX-License-Identifier: GPL-3.0-or-later
"""A sweep that goes on with another file, one that begins with prior runs, and one with a limit of runs at once."""
import json
import os

import pytest

from localstack import LocalStack, wait_for

GRID = """
method: grid
program: point.sh
metric: {name: loss, goal: minimize}
command: [sh, -c, "besom log loss=1; echo \\"$0\\" >> points", "${args_json}"]
parameters: {x: {values: [%s]}, y: {values: [a, b]}}
"""
SLEEPERS = """
method: grid
program: sleep
concurrency: %d
command: [sh, -c, "echo + >> running; sleep 0.3; echo - >> running", "${args}"]
parameters: {x: {min: 1, max: 12}}
"""


@pytest.fixture(scope="module")
def stack():
    with LocalStack() as running:
        yield running


def run_to_end(stack, sweep, *arguments):
    """The folder in which the runs ran."""
    folder = os.path.join(stack.home, sweep)
    os.makedirs(folder, exist_ok=True)
    agent = stack.start_agent(sweep, sweep, "--workdir", folder, *arguments)
    assert agent.wait(60) == 0, stack.agent_text(sweep)
    return folder


def points(folder):
    with open(os.path.join(folder, "points")) as file:
        return [json.loads(line) for line in file]


def update(stack, sweep, text, *arguments, check=True):
    return stack.command("sweep", "--update", sweep, stack.write("next.yaml", text), *arguments, check=check)


def test_an_updated_grid_runs_what_is_new_and_nothing_twice(stack):
    sweep = stack.create(GRID % "1, 2")
    folder = run_to_end(stack, sweep)
    wait_for(lambda: stack.json("status", sweep)["state"] == "finished", 10, "the sweep ends")
    done = update(stack, sweep, GRID % "3, 2, 1")
    assert f"Updating sweep with ID: {sweep}" in done.stderr + done.stdout
    assert "Version 2, runs: 6" in done.stderr + done.stdout
    run_to_end(stack, sweep)
    assert sorted((point["x"], point["y"]) for point in points(folder)) == [
        (x, y) for x in (1, 2, 3) for y in "ab"]
    runs = stack.json("runs", sweep, "-n", "0")["runs"]
    assert len(runs) == 6 and all(run["state"] == "finished" for run in runs)
    wait_for(lambda: stack.json("status", sweep)["state"] == "finished", 10, "the sweep ends again")
    status = stack.json("status", sweep)
    assert status["expected_runs"] == 6 and status["spec_version"] == 2
    again = update(stack, sweep, GRID % "3, 2, 1")
    assert "Nothing has changed" in again.stderr + again.stdout


def test_an_update_brings_its_own_command_and_program(stack):
    text = GRID % "1"
    sweep = stack.create(text)
    run_to_end(stack, sweep)
    update(stack, sweep, (GRID % "2").replace("points", "others"))
    folder = run_to_end(stack, sweep)
    with open(os.path.join(folder, "others")) as file:
        assert [json.loads(line)["x"] for line in file] == [2, 2]
    assert [point["x"] for point in points(folder)] == [1, 1]
    assert stack.json("status", sweep)["program"] == "point.sh"
    update(stack, sweep, (GRID % "2").replace("program: point.sh\n", ""))
    assert stack.json("status", sweep)["program"] == "point.sh", "what the file does not say stays"


def test_an_update_in_the_middle_replaces_what_waits(stack):
    sweep = stack.create(GRID % "1, 2, 3, 4, 5, 6, 7, 8, 9")
    folder = run_to_end(stack, sweep, "--count", "3")
    ran = {(point["x"], point["y"]) for point in points(folder)}
    update(stack, sweep, GRID % "9, 10")
    run_to_end(stack, sweep)
    everything = [(point["x"], point["y"]) for point in points(folder)]
    assert len(everything) == len(set(everything))
    assert set(everything) == ran | {(x, y) for x in (9, 10) for y in "ab"}
    assert stack.json("status", sweep)["expected_runs"] == len(everything)


@pytest.mark.parametrize("text, told", [
    (GRID % "1" + "early_terminate: {type: hyperband, min_iter: 3}\n", "cannot change early_terminate"),
    ((GRID % "1").replace("name: loss", "name: accuracy"), "cannot change metric"),
    ((GRID % "1").replace("method: grid", "method: random"), "cannot change method"),
    (GRID % "1" + "project: elsewhere\n", "cannot change project"),
    ((GRID % "1").replace("values: [1]", "valeus: [1]"), ":6:"),
])
def test_what_makes_runs_comparable_stays(stack, text, told):
    sweep = stack.create(GRID % "1")
    done = update(stack, sweep, text, check=False)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert stack.json("status", sweep)["spec_version"] == 1


def test_a_canceled_sweep_is_not_updated(stack):
    sweep = stack.create(GRID % "1")
    stack.command("sweep", "--cancel", sweep)
    done = update(stack, sweep, GRID % "1, 2", check=False)
    assert done.returncode != 0 and "canceled" in done.stderr


def test_update_flags_that_do_not_go_together(stack):
    for flags in (("--seed", "1"), ("-R", "abcdefgh"), ("--dry-run",), ("--pause",)):
        done = update(stack, "abcdefgh", GRID % "1", *flags, check=False)
        assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_grid_leaves_out_its_prior_runs(stack):
    first = stack.create(GRID % "1, 2")
    run_to_end(stack, first, "--count", "2")
    prior = [run for run in stack.json("runs", first)["runs"] if run["state"] == "finished"]
    flags = [flag for run in prior for flag in ("--prior-run", run["run_id"])]
    file = stack.write("second.yaml", GRID % "1, 2")
    second = stack.json("sweep", *flags, file)["sweep_id"]
    folder = run_to_end(stack, second)
    seen = [(point["x"], point["y"]) for point in points(folder)]
    taken = {(run["params"]["x"], run["params"]["y"]) for run in prior}
    assert len(taken) == 2
    assert set(seen) == {(x, y) for x in (1, 2) for y in "ab"} - taken and len(seen) == 2
    assert stack.json("status", second)["expected_runs"] == 2


def test_a_prior_run_must_be_one_that_ended(stack):
    file = stack.write("second.yaml", GRID % "1, 2")
    done = stack.command("sweep", "-R", "nosuchrn", file, check=False)
    assert done.returncode == 3 and "nosuchrn" in done.stderr, done.stderr
    before = stack.json("ls")["sweeps"]
    done = stack.command("sweep", "-R", "no run", file, check=False)
    assert done.returncode == 2, done.stderr
    assert stack.json("ls")["sweeps"] == before


def test_concurrency_bounds_runs_at_once(stack):
    sweep = stack.create(SLEEPERS % 2)
    folder = os.path.join(stack.home, sweep)
    os.makedirs(folder)
    agents = [stack.start_agent(sweep, f"{sweep}-{i}", "--workdir", folder, "-j", "4") for i in range(2)]
    waits = wait_for(lambda: [run for run in stack.json("runs", sweep)["runs"] if run["state"] == "running"], 10,
                     "runs start")
    assert len(waits) <= 2
    for agent in agents:
        assert agent.wait(60) == 0
    with open(os.path.join(folder, "running")) as file:
        steps = [1 if line.strip() == "+" else -1 for line in file]
    now = [sum(steps[:i + 1]) for i in range(len(steps))]
    assert len(steps) == 24 and max(now) == 2 and now[-1] == 0
