# SPDX-License-Identifier: GPL-3.0-or-later
"""Points to try first, the optimizers of method bayes, and prior runs of another space, with whole processes."""
import json
import os

import pytest

from localstack import LocalStack, wait_for

GRID = """
method: grid
program: point.sh
metric: {name: loss}
enqueue: %s
command: [sh, -c, "besom log loss=1; echo \\"$0\\" >> points", "${args_json}"]
parameters: {x: {values: [%s]}, y: {values: [a, b]}}
"""
BAYES = """
method: bayes
optimizer: %s
seed: 7
run_cap: %d
program: PROGRAM
metric: {name: loss%s}
enqueue: [{x: 0.25, y: 3}, {y: 5}]
command: [/usr/bin/python3, "${program}", "${args_json}"]
parameters: {x: {min: 0.0, max: 1.0}, y: {min: 1, max: 9}}
"""
PROGRAM = '''
import json, subprocess, sys
x = json.loads(sys.argv[1])["x"]
subprocess.run(["besom", "log", f"loss={(x - 0.4) ** 2}"], check=True)
with open("points", "a") as file:
    file.write(sys.argv[1] + "\\n")
'''


@pytest.fixture(scope="module")
def stack():
    with LocalStack() as running:
        yield running


def bayes(stack, *values):
    return (BAYES % values).replace("PROGRAM", stack.write("train.py", PROGRAM))


def run_to_end(stack, sweep, *arguments):
    """The points that ran, in order."""
    folder = os.path.join(stack.home, sweep)
    os.makedirs(folder, exist_ok=True)
    agent = stack.start_agent(sweep, sweep, "--workdir", folder, *arguments)
    assert agent.wait(90) == 0, stack.agent_text(sweep)
    with open(os.path.join(folder, "points")) as file:
        return [json.loads(line) for line in file]


def by_ordinal(stack, sweep):
    return sorted(stack.json("runs", sweep, "-n", "0")["runs"], key=lambda run: run["ordinal"])


def test_a_grid_gives_the_points_of_the_file_first_and_none_twice(stack):
    sweep = stack.create(GRID % ("[{x: 3, y: b}, {x: 2, y: b}]", "1, 2, 3"))
    ran = [(point["x"], point["y"]) for point in run_to_end(stack, sweep)]
    assert ran == [(3, "b"), (2, "b"), (1, "a"), (1, "b"), (2, "a"), (3, "a")]
    wait_for(lambda: stack.json("status", sweep)["state"] == "finished", 10, "the sweep ends")
    assert stack.json("status", sweep)["expected_runs"] == 6
    run = by_ordinal(stack, sweep)[1]
    assert "enqueued      point 2 of 2 of the file" in stack.command("why", run["run_id"]).stdout
    why = stack.json("why", run["run_id"])["suggestion"]
    assert why["phase"] == "enqueued" and why["point"] == 2 and why["drawn"] == []


def test_an_update_tries_what_was_not_tried(stack):
    sweep = stack.create(GRID % ("[{x: 2, y: b}]", "1, 2"))
    run_to_end(stack, sweep)
    text = GRID % ("[{x: 2, y: b}, {x: 4, y: a}, {x: 3}]", "1, 2, 3, 4")
    done = stack.command("sweep", "--update", sweep, stack.write("next.yaml", text))
    assert "warning: 1 of 3 points of enqueue have been tried in this sweep and are left out" in done.stderr
    points = run_to_end(stack, sweep)
    assert (points[4]["x"], points[4]["y"]) == (4, "a") and points[5]["x"] == 3
    assert sorted((point["x"], point["y"]) for point in points) == [(x, y) for x in (1, 2, 3, 4) for y in "ab"]


@pytest.mark.parametrize("optimizer, phase", [("tpe", "model"), ("cmaes", "generation"), ("sobol", "even")])
def test_optimizers_of_bayes(stack, optimizer, phase):
    sweep = stack.create(bayes(stack, optimizer, 14, ""))
    points = run_to_end(stack, sweep)
    assert len(points) == 14 and points[0] == {"x": 0.25, "y": 3} and points[1]["y"] == 5
    run = by_ordinal(stack, sweep)[13]
    why = stack.json("why", run["run_id"])["suggestion"]
    assert (why["optimizer"], why["phase"]) == (optimizer, phase) and why["results"] == 13
    text = stack.command("why", run["run_id"]).stdout
    assert f"bayes, optimizer {optimizer}" in text and phase in text


def test_prior_runs_of_another_space(stack):
    first = stack.create(GRID % ("[]", "1, 2"))
    run_to_end(stack, first)
    runs = by_ordinal(stack, first)
    flags = [flag for run in runs for flag in ("--prior-run", run["run_id"])]
    text = bayes(stack, "gp", 3, ", impute: worst").replace("enqueue: [{x: 0.25, y: 3}, {y: 5}]\n", "").replace(
        "x: {min: 0.0, max: 1.0}, y: {min: 1, max: 9}",
        "x: {min: 0.0, max: 1.5}, y: {values: [a, b, c]}, k: {value: 1}")
    done = stack.command("sweep", "--json", *flags, stack.write("prior.yaml", text))
    sweep = json.loads(done.stdout)["sweep_id"]
    assert ("warning: 2 of 4 prior runs are no points of this space and are not learnt from "
            "(the first: parameter x is 2") in done.stderr
    run_to_end(stack, sweep)
    why = stack.json("why", by_ordinal(stack, sweep)[0]["run_id"])["suggestion"]
    assert why["results"] == 2 and why["passed_over"] == 2


def test_an_update_may_change_the_optimizer(stack):
    sweep = stack.create(bayes(stack, "sobol", 11, ""))
    run_to_end(stack, sweep)
    done = stack.command("sweep", "--update", sweep, stack.write("next.yaml", bayes(stack, "tpe", 13, "")))
    assert "warning: 2 of 2 points of enqueue have been tried" in done.stderr
    assert len(run_to_end(stack, sweep)) == 13
    why = stack.json("why", by_ordinal(stack, sweep)[12]["run_id"])["suggestion"]
    assert (why["optimizer"], why["phase"], why["results"]) == ("tpe", "model", 12)
