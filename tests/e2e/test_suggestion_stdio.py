# SPDX-License-Identifier: GPL-3.0-or-later
"""besom-suggestion --stdio as an offline optimiser: a sweep file as JSON in, configurations out."""
import itertools
import math
import os
import subprocess

import pytest

from json_lines import BIN, JsonLines

GRID = {"method": "grid", "parameters": {"b": {"values": [1, 2, 3]}, "a": {"values": ["x", True, 2.5]},
                                         "c": {"min": 4, "max": 5}, "k": {"value": 7}}}
RANDOM = {"method": "random", "run_cap": 200,
          "parameters": {"lr": {"distribution": "log_uniform_values", "min": 1e-5, "max": 0.1},
                         "n": {"min": 1, "max": 9}, "nested": {"parameters": {"p": {"min": 0.0, "max": 1.0}}}}}


@pytest.fixture
def service():
    with JsonLines("besom-suggestion") as started:
        yield started


def ask_all(service, most=1000):
    answers = []
    while len(answers) < most:
        answer = service.must("ask")
        if answer.get("done"):
            break
        answers.append(answer)
    return answers


def test_a_grid_goes_as_nested_loops_do(service):
    assert service.must("init", sweep_config=GRID, seed=1) == {"ok": True}
    answers = ask_all(service)
    expected = [dict(a=a, b=b, c=c, k=7) for a, b, c in itertools.product(["x", True, 2.5], [1, 2, 3], [4, 5])]
    assert [answer["params"] for answer in answers] == expected
    assert [answer["id"] for answer in answers] == list(range(1, len(expected) + 1))
    assert answers[3]["why"] == {"method": "grid", "index": 3, "of": len(expected)}
    assert service.must("ask") == {"done": True}


def test_a_grid_leaves_out_what_was_observed(service):
    service.must("init", sweep_config=GRID, seed=1)
    service.must("observe", params={"a": "x", "b": 2.0, "c": 4, "k": 7}, state="failed", value=None)
    service.must("observe", params={"a": 1, "b": 1, "c": 4, "k": 7}, state="finished", value=1)
    service.must("observe", params={"a": True, "b": 1}, state="finished", value=1)
    points = [tuple(answer["params"].values()) for answer in ask_all(service)]
    assert len(points) == 17 and ("x", 2, 4, 7) not in points


def test_a_conditional_grid_leaves_out_what_was_observed(service):
    parameters = {"way": {"values": ["sgd", "adam"]}, "momentum": {"values": [0.1, 0.9], "when": {"way": "sgd"}}}
    service.must("init", sweep_config={"method": "grid", "parameters": parameters}, seed=1)
    service.must("observe", params={"way": "adam"}, state="finished", value=1)
    service.must("observe", params={"way": "sgd"}, state="finished", value=1)  # incomplete: no point of this grid
    assert [answer["params"] for answer in ask_all(service)] == [
        {"way": "sgd", "momentum": 0.1}, {"way": "sgd", "momentum": 0.9}]


def test_random_replays_with_its_seed(service):
    draws = {}
    for seed in (1, 2, 1):
        service.must("init", sweep_config=RANDOM, seed=seed, other="ignored")
        answers = ask_all(service)
        assert len(answers) == RANDOM["run_cap"]
        params = [answer["params"] for answer in answers]
        assert draws.setdefault(seed, params) == params
        assert all(1e-5 <= p["lr"] <= 0.1 and 1 <= p["n"] <= 9 and 0 <= p["nested"]["p"] <= 1 for p in params)
        assert answers[4]["why"] == {"method": "random", "seed": seed, "ordinal": 4}
    assert draws[1] != draws[2]


def test_the_seed_of_the_file_counts_without_another(service):
    service.must("init", sweep_config={**RANDOM, "seed": 5})
    first = service.must("ask")
    service.must("init", sweep_config=RANDOM, seed=5)
    assert service.must("ask") == first


def test_what_was_handed_out_is_told_once(service):
    service.must("init", sweep_config=RANDOM, seed=1)
    service.must("ask")
    service.must("ask")
    assert service.must("tell", id=2, state="finished", value=0.25) == {"ok": True}
    assert service.must("tell", id=1, state="failed", value=None) == {"ok": True}
    assert "told before" in service.ask("tell", id=1, state="finished", value=1)["error"]
    assert "never handed out" in service.ask("tell", id=3, state="finished", value=1)["error"]


def test_values_that_are_not_finite_count_as_none(service):
    service.must("init", sweep_config=RANDOM, seed=1)
    service.must("ask")
    assert service.must("tell", id=1, state="finished", value=float("nan")) == {"ok": True}


@pytest.mark.parametrize("line", [
    "", "{", "[]", "null", '"ask"', '{"op":"fly"}', '{"op":7}', '{"op":"ask"}', '{"op":"tell","id":1}',
    '{"op":"init"}', '{"op":"init","sweep_config":[]}', '{"op":"init","sweep_config":{"method":"grid"}}',
    '{"op":"init","sweep_config":{"method":"random","parameters":{"x":{"value":1}}},"seed":"one"}',
    '{"op":"init","sweep_config":{"method":"random","parameters":{"x":{"min":2,"max":1}}}}', "[" * 100000,
])
def test_a_wrong_line_is_answered_and_the_next_one_read(service, line):
    if line:
        assert list(service.say(line)) == ["error"]
    assert service.must("init", sweep_config=RANDOM, seed=1) == {"ok": True}
    assert service.must("ask")["id"] == 1


@pytest.mark.parametrize("fields", [
    {"id": 1}, {"id": 1, "state": "running"}, {"id": 1, "state": "finished", "value": "low"},
    {"id": "1", "state": "finished", "value": 1}, {"id": 1.0, "state": "finished", "value": 1},
])
def test_a_wrong_tell_changes_nothing(service, fields):
    service.must("init", sweep_config=RANDOM, seed=1)
    service.must("ask")
    assert "error" in service.ask("tell", **fields)
    assert service.must("tell", id=1, state="finished", value=1) == {"ok": True}


def test_quit_and_the_end_of_the_input_end_it(service):
    assert service.must("quit") == {"ok": True}
    assert service.end() == 0
    with JsonLines("besom-suggestion") as other:
        other.must("init", sweep_config=RANDOM, seed=1)
        assert other.end() == 0


def test_a_line_that_is_too_long_is_dropped(service):
    assert "longer than" in service.say("x" * (64 * 1024 * 1024 + 1))["error"]
    assert service.must("init", sweep_config=RANDOM, seed=1) == {"ok": True}


# ---- Bayesian search ----

BAYES = {"method": "bayes", "metric": {"name": "loss", "goal": "minimize"},
         "parameters": {"lr": {"distribution": "log_uniform_values", "min": 1e-5, "max": 1.0},
                        "layers": {"min": 1, "max": 8}, "batch": {"values": [16, 32, 64, 128]},
                        "kind": {"values": ["adam", "sgd"]}, "fixed": {"value": "as it is"}}}


def loss(p):
    return ((math.log10(p["lr"]) + 3) ** 2 / 10 + (p["layers"] - 5) ** 2 / 50 + (math.log2(p["batch"]) - 6) ** 2 / 20
            + 0.1 * (p["kind"] == "sgd"))


def search(service, count, value=loss, state="finished"):
    """Asks and tells one after another; the answers."""
    answers = []
    for _ in range(count):
        answer = service.must("ask")
        if answer.get("done"):
            break
        answers.append(answer)
        service.must("tell", id=answer["id"], state=state, value=value(answer["params"]))
    return answers


def bayes_over(**parameters):
    return dict(BAYES, parameters=parameters)


def test_bayes_finds_the_least(service):
    service.must("init", sweep_config=BAYES, seed=3)
    answers = search(service, 60)
    values = [loss(answer["params"]) for answer in answers]
    assert min(values) < 0.005
    assert all(1e-5 <= a["params"]["lr"] <= 1 and a["params"]["fixed"] == "as it is" for a in answers)
    assert all(type(a["params"]["layers"]) is int and a["params"]["batch"] in (16, 32, 64, 128) for a in answers)
    assert [a["why"]["phase"] for a in answers[:2]] == ["start"] * 2 and answers[2]["why"]["phase"] != "start"
    why = next(a["why"] for a in reversed(answers) if a["why"]["phase"] == "model")
    assert why["method"] == "bayes" and why["best"] == min(values[:why["results"]])
    assert set(why["length_scales"]) == {"lr", "layers", "batch", "kind"}
    assert why["predicted"]["deviation"] > 0 and -0.1 < why["predicted"]["mean"] < 1
    first = next(a["why"] for a in answers if a["why"]["phase"] == "model")
    assert first["bound"] < first["predicted"]["mean"] and "bound" not in why  # by expected improvement once much is known
    assert {a["why"]["phase"] for a in answers} == {"start", "model", "explore"}
    assert {(a["why"]["phase"], a["why"]["another"]) for a in answers if "another" in a["why"]} == {("explore", "kind")}


def test_bayes_maximizes_in_the_metrics_unit(service):
    config = dict(bayes_over(x={"min": 0.0, "max": 1.0}), metric={"name": "acc", "goal": "maximize"})
    service.must("init", sweep_config=config, seed=1)
    answers = search(service, 25, lambda p: 100 - (p["x"] - 0.3) ** 2)
    assert max(100 - (a["params"]["x"] - 0.3) ** 2 for a in answers) > 99.9999
    whys = [a["why"] for a in answers if a["why"]["phase"] == "model"]
    assert 99 < whys[-1]["best"] <= 100 and 99 < whys[-1]["predicted"]["mean"] < 101
    assert whys[0]["bound"] > whys[0]["predicted"]["mean"]


def test_bayes_replays_with_its_seed(service):
    runs = []
    for seed in (5, 5, 6):
        service.must("init", sweep_config=BAYES, seed=seed)
        runs.append([answer["params"] for answer in search(service, 25)])
    assert runs[0] == runs[1] != runs[2]


def test_bayes_keeps_pending_suggestions_apart(service):
    service.must("init", sweep_config=BAYES, seed=2)
    search(service, 20)
    answers = [service.must("ask") for _ in range(12)]
    points = {tuple(sorted(answer["params"].items())) for answer in answers}
    assert len(points) == 12 and answers[-1]["why"]["pending"] == 11
    rates = [math.log10(answer["params"]["lr"]) for answer in answers if answer["why"]["phase"] == "model"]
    assert max(rates) - min(rates) > 0.05  # not one point with its last digits changed
    assert not any("bound" in answer["why"] for answer in answers[1:])  # expected improvement while something is pending
    for answer in answers:
        service.must("tell", id=answer["id"], state="finished", value=loss(answer["params"]))
    assert service.must("ask")["why"]["pending"] == 0


def test_bayes_exhausts_a_discrete_space(service):
    service.must("init", seed=1, sweep_config=bayes_over(
        way={"values": ["sgd", "adam"]}, n={"min": 1, "max": 3}, momentum={"values": [0.1, 0.5, 0.9], "when": {"way": "sgd"}}))
    points = [answer["params"] for answer in search(service, 100, lambda p: p["n"])]
    expected = [{"way": "adam", "n": n} for n in (1, 2, 3)]
    expected += [{"way": "sgd", "n": n, "momentum": m} for n in (1, 2, 3) for m in (0.1, 0.5, 0.9)]
    assert all(point in expected for point in points) and len(points) == len(expected)
    assert service.must("ask") == {"done": True}


def test_bayes_of_a_single_point(service):
    service.must("init", seed=1, sweep_config=bayes_over(x={"values": [3]}))
    assert service.must("ask")["params"] == {"x": 3}
    assert service.must("ask") == {"done": True}


def test_bayes_bears_failures_and_odd_values(service):
    service.must("init", sweep_config=BAYES, seed=4)
    endings = itertools.cycle(['"failed","value":null', '"finished","value":NaN', '"finished","value":0.5',
                               '"finished","value":-Infinity', '"crashed","value":3', '"preempted","value":null',
                               '"stopped","value":1e308', '"finished","value":-1e308'])
    for _ in range(40):
        answer = service.must("ask")
        assert service.say(f'{{"op":"tell","id":{answer["id"]},"state":{next(endings)}}}') == {"ok": True}
    assert 1e-5 <= service.must("ask")["params"]["lr"] <= 1


def test_bayes_avoids_where_runs_fail(service):
    failed = learnt = 0
    for seed in range(6):
        service.must("init", seed=seed, sweep_config=bayes_over(x={"min": 0.0, "max": 1.0}, y={"min": 0.0, "max": 1.0}))
        for _ in range(25):  # later nothing is left to find, and it looks there again
            answer = service.must("ask")
            x, y = answer["params"]["x"], answer["params"]["y"]
            learnt += answer["why"]["phase"] == "model"
            failed += x > 0.6 and answer["why"]["phase"] == "model"
            state = dict(state="failed", value=None) if x > 0.6 else dict(state="finished", value=(x - 0.55) ** 2 + (y - 0.5) ** 2)
            service.must("tell", id=answer["id"], **state)
    assert failed < 0.3 * learnt, (failed, learnt)  # at random it would be 0.4; the least is beside where they fail


@pytest.mark.parametrize("impute, expected", [(None, 0.25), ("worst", 0.25), ("best", 0.125), ("latest", 0.125)])
def test_bayes_imputes_as_told(service, impute, expected):
    config = dict(BAYES, metric={"name": "loss", "goal": "minimize", **({"impute": impute} if impute else {})})
    service.must("init", sweep_config=config, seed=1)
    ids = [service.must("ask")["id"] for _ in range(3)]
    service.must("tell", id=ids[0], state="finished", value=0.25)
    service.must("tell", id=ids[1], state="failed", value=0.125)
    why = service.must("ask")["why"]
    assert why["best"] == expected and why.get("imputed") == (1 if impute else None)


@pytest.mark.parametrize("optimizer", ["gp", "tpe", "cmaes", "sobol"])
def test_each_optimizer_searches_and_replays(service, optimizer):
    told = []
    for _ in range(2):
        service.must("init", sweep_config=dict(BAYES, optimizer=optimizer), seed=11)
        pending, params = [], []
        for k in range(40):
            answer = service.must("ask")
            params.append(answer["params"])
            assert answer["why"]["optimizer"] == optimizer and 1e-5 <= answer["params"]["lr"] <= 1
            pending.append(answer)
            if k % 4 == 3:
                ended = pending.pop(0)
                service.must("tell", id=ended["id"], state="finished", value=loss(ended["params"]))
        told.append(params)
    assert told[0] == told[1]


@pytest.mark.parametrize("method", ["grid", "random", "bayes"])
def test_points_of_the_file_come_first(service, method):
    parameters = {"x": {"values": [1, 2, 3]}, "y": {"values": ["a", "b"]}}
    points = [{"x": 3, "y": "b"}, {"x": 1, "y": "b"}]
    service.must("init", seed=1, sweep_config={"method": method, "metric": {"name": "loss"}, "parameters": parameters,
                                               "enqueue": points + [{"x": 2}], "run_cap": 6})
    answers = ask_all(service)
    assert [answer["params"] for answer in answers[:2]] == points and answers[2]["params"]["x"] == 2
    assert [answer["why"].get("point") for answer in answers] == [1, 2, 3, None, None, None]
    assert answers[2]["why"]["drawn"] == ["y"] and answers[2]["why"]["of"] == 3
    if method != "random":
        assert len({(answer["params"]["x"], answer["params"]["y"]) for answer in answers}) == 6
        assert service.must("ask") == {"done": True}


def test_a_grid_leaves_out_points_of_the_file_that_were_observed(service):
    service.must("init", seed=1, sweep_config={"method": "grid", "parameters": {"x": {"values": [1, 2]}},
                                               "enqueue": [{"x": 2}, {"x": 2}, {"x": 1}]})
    service.must("observe", params={"x": 1}, state="finished", value=0)
    assert [answer["params"]["x"] for answer in ask_all(service)] == [2]


def test_a_choice_of_all_points_is_exhausted_by_every_optimizer(service):
    parameters = {"x": {"values": [1, 2, 3]}, "y": {"values": ["a", "b", "c"]}, "z": {"min": 0, "max": 1}}
    for optimizer in ("gp", "tpe", "cmaes", "sobol"):
        service.must("init", seed=2, sweep_config=bayes_over(**parameters) | {"optimizer": optimizer})
        seen = set()
        for _ in range(18):
            answer = service.must("ask")
            seen.add(tuple(answer["params"].values()))
            service.must("tell", id=answer["id"], state="finished", value=answer["params"]["x"])
        assert len(seen) == 18 and service.must("ask") == {"done": True}


def test_bayes_learns_from_runs_elsewhere(service):
    service.must("init", sweep_config=BAYES, seed=9)
    for k in range(20):
        point = dict(lr=10 ** (-5 + k / 4), layers=1 + k % 8, batch=16, kind="sgd", fixed="as it is")
        service.must("observe", params=point, state="finished", value=loss(point))
    service.must("observe", params=dict(lr=1e-3), state="finished", value=-1)  # incomplete: no point of this space
    service.must("observe", params=dict(point, lr=1e-3), state="running", value=None)
    why = service.must("ask")["why"]
    assert why["results"] == 20 and why["pending"] == 1 and why["phase"] in ("model", "explore")
    assert why["passed_over"] == 1 and "missing from the configuration" in why["passed_over_first"]
    service.must("observe", params=dict(point, lr=1e-3), state="finished", value=0.7)
    answer = service.must("ask")
    assert answer["why"]["results"] == 21 and answer["why"]["pending"] == 1


def test_bayes_uses_openblas():
    """gslcblas, which GSL brings along, has the same names and is many times slower: the order of linking decides."""
    done = subprocess.run([os.path.join(BIN, "besom-suggestion"), "--stdio"], input="", capture_output=True, text=True,
                          env={"LD_DEBUG": "bindings"}, timeout=60)
    bound = [line for line in done.stderr.splitlines() if "symbol `cblas_dtrsm'" in line and "besom-suggestion" in line]
    assert bound and all("openblas" in line for line in bound)
