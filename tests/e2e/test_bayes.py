# SPDX-License-Identifier: GPL-3.0-or-later
"""Bayesian sweeps with whole processes: they find, explain, survive failures and a service that is killed."""
import os
import signal
import threading
import time

import pytest

from localstack import LocalStack

SECONDS = 100
# Branin's function, least value 0.398; no value where x + y is above 21.
BRANIN = '''
import json, math, os, random, socket, sys, time
x, y = (float(word.split("=")[1]) for word in sys.argv[1:3])
time.sleep(float(os.environ.get("RUN_SECONDS", "0.1")) * (0.5 + random.random()))
if x + y > 21:
    sys.exit(3)
value = ((y - 5.1 / (4 * math.pi ** 2) * x ** 2 + 5 / math.pi * x - 6) ** 2
         + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10)
run = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
run.connect(os.environ["BESOM_RUN_SOCKET"])
run.sendall((json.dumps({"log": {"loss": value}}) + "\\n").encode())
'''
SWEEP = """
method: bayes
seed: {seed}
run_cap: {runs}
metric: {{name: loss, goal: minimize}}
program: {program}
command: [/usr/bin/python3, "${{program}}", "${{args}}"]
parameters:
  x: {{min: -5.0, max: 10.0}}
  y: {{min: 0.0, max: 15.0}}
"""
CHOICES = """
method: bayes
seed: 1
metric: {{name: loss, goal: minimize}}
program: {program}
command: [/usr/bin/python3, "${{program}}", "${{args}}"]
parameters:
  x: {{values: [1.0, 2.0, 3.0]}}
  y: {{values: [4.0, 5.0]}}
"""


@pytest.fixture(scope="module")
def stack():
    with LocalStack() as made:
        yield made


def by_ordinal(stack, sweep):
    return sorted(stack.runs(sweep), key=lambda run: run["ordinal"])


def points(runs):
    return [(run["params"]["x"], run["params"]["y"]) for run in runs]


def search(stack, runs, agents, seed=1, **environment):
    stack.environment.update(environment)
    sweep = stack.create(SWEEP.format(seed=seed, runs=runs, program=stack.write("branin.py", BRANIN)))
    for number in range(agents):
        stack.start_agent(sweep, number)
    return sweep


def finish(stack, agents):
    for number in range(agents):
        assert stack.agents[number].wait(SECONDS) == 0, stack.agent_text(number)


class Killer:
    """Kills besom-suggestion a few times while it is entered; its supervisor starts it again, later each time."""

    def __init__(self, stack, every=0.7, most=4):
        self.stack, self.every, self.most, self.kills = stack, every, most, 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while self.kills < self.most and not self.over.wait(self.every):
            for pid in self.stack.pids("besom-suggestion"):
                os.kill(pid, signal.SIGKILL)
                self.kills += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def test_four_agents_find_the_least_and_are_told_why(stack):
    sweep = search(stack, 40, 4)
    finish(stack, 4)
    runs = by_ordinal(stack, sweep)
    assert len(runs) == 40 and len(set(points(runs))) == 40
    values = [run["objective"] for run in runs if run["state"] == "finished"]
    failed = [run for run in runs if run["state"] == "failed"]
    print(f"best of 40: {min(values):.4f}; {len(failed)} failed; ordinals to {runs[-1]['ordinal']}")
    assert min(values) < 0.9, sorted(values)[:5]
    assert {run["state"] for run in runs} <= {"finished", "failed"}
    assert all((x + y > 21) == (run["state"] == "failed") for run, (x, y) in zip(runs, points(runs)))
    whys = [stack.json("why", run["run_id"])["suggestion"] for run in runs[-12:]]
    learnt = [(run, why) for run, why in zip(runs[-12:], whys) if why["phase"] == "model"]
    assert learnt, whys
    run, why = learnt[-1]
    assert why["method"] == "bayes" and why["predicted"]["deviation"] >= 0 and set(why["length_scales"]) == {"x", "y"}
    text = stack.command("why", run["run_id"]).stdout
    for wanted in ("model: the point that promises most", "predicted", "give or take", "expected improvement", "length scales x ",
                   "best so far", f"learnt from   {why['results']} results"):
        assert wanted in text, f"{wanted!r} is not in:\n{text}"
    assert stack.json("status", sweep)["state"] == "finished"


def test_who_looks_elsewhere_says_where(stack):
    """With a category, most points that explore have another value of it than the best run has."""
    stack.environment["RUN_SECONDS"] = "0.02"
    text = SWEEP.format(seed=2, runs=40, program=stack.write("branin.py", BRANIN))
    sweep = stack.create(text.replace("y: {min: 0.0, max: 15.0}", "y: {values: [4.0, 5.0]}"))
    stack.start_agent(sweep, 0)
    finish(stack, 1)
    whys = {run["run_id"]: stack.json("why", run["run_id"])["suggestion"] for run in stack.runs(sweep)}
    named = [run_id for run_id, why in whys.items() if why.get("another") == "y"]
    print(f"{len(named)} of {sum(why['phase'] == 'explore' for why in whys.values())} that explore name it")
    assert named and all(whys[run_id]["phase"] == "explore" for run_id in named)
    text = stack.command("why", named[0]).stdout
    for wanted in ("explore: away from what was learnt", "another       y than the best result has"):
        assert wanted in text, f"{wanted!r} is not in:\n{text}"


def test_a_killed_service_loses_and_repeats_nothing(stack):
    calm = search(stack, 24, 1, seed=5, RUN_SECONDS="0.2")
    finish(stack, 1)
    with Killer(stack) as killer:
        troubled = search(stack, 24, 1, seed=5)
        finish(stack, 1)
    print(f"{killer.kills} kills")
    assert killer.kills >= 3
    expected, found = by_ordinal(stack, calm), by_ordinal(stack, troubled)
    assert [run["ordinal"] for run in found] == list(range(24))
    assert points(found) == points(expected)
    told = [stack.command("why", run["run_id"]).stdout for run in expected]
    early = next(text for text in told if "model: the point" in text)
    assert "confidence bound" in early, early  # one agent: nothing is pending when it asks


def test_killed_with_four_agents(stack):
    with Killer(stack) as killer:
        sweep = search(stack, 30, 4, seed=6, RUN_SECONDS="0.3")
        finish(stack, 4)
    assert killer.kills >= 3
    runs = by_ordinal(stack, sweep)
    assert len(runs) == 30 and len(set(points(runs))) == 30


def test_a_discrete_space_ends(stack):
    stack.environment["RUN_SECONDS"] = "0.05"
    sweep = stack.create(CHOICES.format(program=stack.write("branin.py", BRANIN)))
    for number in range(2):
        stack.start_agent(sweep, number)
    finish(stack, 2)
    assert sorted(points(stack.runs(sweep))) == [(x, y) for x in (1.0, 2.0, 3.0) for y in (4.0, 5.0)]
    assert stack.json("status", sweep)["state"] == "finished"


def test_a_grid_goes_on_beside_it(stack):
    """Prepared ahead while the Bayesian sweep's service comes and goes."""
    sweep = search(stack, 30, 2, seed=7, RUN_SECONDS="0.3")
    grid = stack.create("method: grid\ncommand: [/bin/true]\nparameters: {a: {values: [1, 2, 3]}, b: {values: [1, 2, 3]}}\n")
    start = time.monotonic()
    assert stack.start_agent(grid, 9, "-j", "2").wait(SECONDS) == 0
    print(f"grid of 9 beside it: {time.monotonic() - start:.1f} s")
    assert len(stack.runs(grid)) == 9
    finish(stack, 2)
    assert len(stack.runs(sweep)) == 30
