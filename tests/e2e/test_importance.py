# SPDX-License-Identifier: GPL-3.0-or-later
"""What matters to a sweep, what a model of its runs expects, and the run that it holds best; through real agents."""
import json
import os
import signal
import threading

import pytest

from localstack import LocalStack, wait_for

SECONDS = 120
# 10 a + 3 b, and 2 m for sgd; nothing of c. No value where a is above 0.95.
PROGRAM = '''
import json, os, socket, sys
params = json.loads(open(os.environ["BESOM_PARAMS_FILE"]).read())
if params["a"] > 0.95:
    sys.exit(3)
value = 10 * params["a"] + 3 * params["model"]["b"] + 2 * params.get("m", 0)
run = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
run.connect(os.environ["BESOM_RUN_SOCKET"])
run.sendall((json.dumps({"log": {"score": value}}) + "\\n").encode())
'''
SWEEP = """
method: {method}
seed: 4
run_cap: {runs}
metric: {{name: score, goal: {goal}}}
program: {program}
command: [/usr/bin/python3, "${{program}}"]
parameters:
  a: {{min: 0.0, max: 1.0}}
  c: {{min: 1, max: 100}}
  fixed: {{value: 7}}
  model:
    parameters:
      b: {{min: 0.0, max: 1.0}}
  opt: {{values: [sgd, adam]}}
  m: {{min: 0.0, max: 1.0, when: {{opt: sgd}}}}
"""
# Least at x = 15, with noise that depends on x.
NOISY = '''
import json, os, random, socket
x = json.loads(open(os.environ["BESOM_PARAMS_FILE"]).read())["x"]
value = ((x - 15) / 15) ** 2 + 0.3 * random.Random(x).gauss(0, 1)
run = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
run.connect(os.environ["BESOM_RUN_SOCKET"])
run.sendall((json.dumps({"log": {"loss": value}}) + "\\n").encode())
'''
GRID = """
method: grid
seed: 1
metric: {{name: loss, goal: minimize}}
program: {program}
command: [/usr/bin/python3, "${{program}}"]
parameters:
  x: {{values: {values}}}
"""


@pytest.fixture(scope="module")
def stack():
    with LocalStack(WANDB_AGENT_DISABLE_FLAPPING="true") as made:
        yield made


def finish(stack, sweep):
    number = len(stack.agents)
    assert stack.start_agent(sweep, number, "-j", "4").wait(SECONDS) == 0, stack.agent_text(number)
    return sweep


def search(stack, goal="minimize", method="random", runs=48):
    program = stack.write("train.py", PROGRAM)
    return finish(stack, stack.create(SWEEP.format(method=method, goal=goal, runs=runs, program=program)))


def walk_grid(stack, count):
    program = stack.write("noisy.py", NOISY)
    return finish(stack, stack.create(GRID.format(program=program, values=list(range(count)))))


@pytest.fixture(scope="module")
def random_sweep(stack):
    return search(stack)


def totals(found):
    return {one["parameter"]: one["total"]["value"] for one in found["parameters"]}


def test_a_random_sweep_tells_what_matters(stack, random_sweep):
    found = stack.json("importance", random_sweep)
    shares = totals(found)
    print(json.dumps(found))
    assert list(shares) == ["a", "model.b", "opt", "m", "c"], "in order of total effect, the constant left out"
    # of a variance of 9.5: 100/12, 9/12, 1/3 and 1/6
    expected = {"a": 0.877, "model.b": 0.079, "opt": 0.035, "m": 0.0175, "c": 0}
    assert shares == {name: pytest.approx(share, abs=0.01) for name, share in expected.items()}
    assert found["explained"] > 0.9 and found["coverage"] == 0.9
    for one in found["parameters"]:
        assert one["total"]["low"] <= one["total"]["value"] <= one["total"]["high"]
        assert one["first_order"]["value"] <= one["total"]["value"]
    by_name = {one["parameter"]: one for one in found["parameters"]}
    assert by_name["a"]["correlation"] > 0.8 and by_name["opt"]["correlation"] is None
    failed = sum(run["state"] == "failed" for run in stack.runs(random_sweep))
    assert failed > 0 and found["runs_left_out"] == failed and found["runs"] == 48 - failed
    sgd = sum(run["params"]["opt"] == "sgd" for run in stack.runs(random_sweep) if run["state"] == "finished")
    assert by_name["m"]["runs"] == sgd and by_name["a"]["runs"] == found["runs_used"] == found["runs"]


def test_the_table(stack, random_sweep):
    text = stack.command("importance", random_sweep).stdout
    print(text)
    lines = text.splitlines()
    assert lines[0].split() == ["PARAMETER", "TOTAL", "±", "ALONE", "±", "CORRELATION", "RUNS"]
    assert [line.split()[0] for line in lines[1:6]] == ["a", "model.b", "opt", "m", "c"]
    assert "left out" in lines[6] and "The model explains" in lines[7]


def test_the_same_again_and_from_a_new_process(stack, random_sweep):
    before = stack.json("importance", random_sweep)
    slice_before = stack.json("predict", random_sweep, "a")
    old = stack.pids("besom-suggestion")
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: set(stack.pids("besom-suggestion")) - set(old), 20, "a new suggestion service")
    assert stack.json("importance", random_sweep) == before
    assert stack.json("predict", random_sweep, "a") == slice_before


def test_maximising_and_bayes(stack, random_sweep):
    sweep = search(stack, goal="maximize", method="bayes", runs=24)
    shares = totals(stack.json("importance", sweep))
    assert list(shares)[0] == "a" and shares["a"] > 0.5
    best = stack.json("best", sweep)
    assert best["model"]["best_run_id"] == best["run_id"]
    assert best["model"]["mean"] == pytest.approx(best["objective"], abs=1.5)
    rising = stack.json("predict", sweep, "a")
    assert rising["goal"] == "maximize" and rising["means"][-1] > rising["means"][0]


def test_slices(stack, random_sweep):
    one = stack.json("predict", random_sweep, "a", "-n", "9")
    axis, = one["axes"]
    assert axis["parameter"] == "a" and not axis["categorical"] and len(axis["values"]) == 9
    assert axis["values"] == sorted(axis["values"]) and len(one["means"]) == len(one["deviations"]) == 9
    assert one["means"] == sorted(one["means"]) and min(one["deviations"]) >= 0
    slope = (one["means"][6] - one["means"][2]) / (axis["values"][6] - axis["values"][2])
    assert slope == pytest.approx(10, abs=1.5)
    assert one["base_run_id"] == stack.json("best", random_sweep)["model"]["run_id"]

    run = next(run for run in stack.runs(random_sweep) if run["state"] == "finished" and run["params"]["opt"] == "adam")
    two = stack.json("predict", random_sweep, "opt", "a", "--at", run["run_id"])
    assert [axis["parameter"] for axis in two["axes"]] == ["opt", "a"] and two["axes"][0]["categorical"]
    assert two["axes"][0]["values"] == ["sgd", "adam"] and len(two["means"]) == 2 * 11
    assert two["base_run_id"] == run["run_id"] and two["base_params"]["model"] == run["params"]["model"]
    # sgd comes with m at its middle: 2 * 0.5 more
    assert two["means"][5] - two["means"][16] == pytest.approx(1, abs=0.7)

    given = stack.json("predict", random_sweep, "c", "--at", json.dumps(run["params"]))
    assert given["base_run_id"] is None and all(isinstance(value, int) for value in given["axes"][0]["values"])
    text = stack.command("predict", random_sweep, "a", "opt").stdout.splitlines()
    assert text[0].split() == ["a", "opt", "PREDICTED", "±"] and len(text) == 1 + 22 + 1
    refused = stack.command("predict", random_sweep, "m", "--at", run["run_id"], check=False)
    assert refused.returncode == 2 and 'has no "m"' in refused.stderr
    for wrong in (["nosuch"], ["fixed"], ["a", "a"]):
        assert stack.command("predict", random_sweep, *wrong, check=False).returncode == 2
    assert stack.command("predict", random_sweep, "a", "--at", "zzzzzzzz", check=False).returncode == 3


def test_a_noisy_grid(stack):
    sweep = walk_grid(stack, 31)
    best = stack.json("best", sweep)
    model = best["model"]
    params = {run["run_id"]: run["params"]["x"] for run in stack.runs(sweep)}
    print(params[best["run_id"]], params[model["run_id"]], model)
    assert abs(params[model["run_id"]] - 15) <= 6 and model["best_observed"] == best["objective"]
    assert model["mean"] <= model["best_mean"] and model["deviation"] > 0
    text = stack.command("best", sweep).stdout
    print(text)
    assert "\nby the model: " in text and "predicted" in text
    found = stack.json("importance", sweep)
    assert totals(found) == {"x": pytest.approx(1, abs=0.01)}


def test_too_few_and_unknown(stack):
    sweep = walk_grid(stack, 5)
    for arguments in (["importance", sweep], ["predict", sweep, "x"]):
        refused = stack.command(*arguments, check=False)
        assert refused.returncode == 1 and "needs at least 8 finished runs with a value, has 5" in refused.stderr
    best = stack.json("best", sweep)
    assert best["model"] is None and "by the model" not in stack.command("best", sweep).stdout
    for arguments in (["importance", "zzzzzzzz"], ["predict", "zzzzzzzz", "x"]):
        assert stack.command(*arguments, check=False).returncode == 3
    for arguments in (["importance"], ["importance", "no id"], ["predict", sweep]):
        assert stack.command(*arguments, check=False).returncode == 2


def test_without_the_suggestion_service(stack, random_sweep):
    over = threading.Event()

    def kill():
        for pid in stack.pids("besom-suggestion"):
            os.kill(pid, signal.SIGKILL)

    def keep_down():
        while not over.wait(0.01):
            kill()

    kill()
    killer = threading.Thread(target=keep_down)
    killer.start()
    try:
        refused = stack.command("importance", "--timeout", "2s", random_sweep, check=False)
        assert refused.returncode == 4 and "suggestion service" in refused.stderr, refused.stderr
        best = stack.json("best", random_sweep)
        assert best["model"] is None and best["run_id"]
    finally:
        over.set()
        killer.join()
