# SPDX-License-Identifier: GPL-3.0-or-later
"""besom-suggestion --stdio as an offline optimiser: a sweep file as JSON in, configurations out."""
import itertools

import pytest

from json_lines import JsonLines

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
