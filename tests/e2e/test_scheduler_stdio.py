# SPDX-License-Identifier: GPL-3.0-or-later
"""besom-scheduler --stdio against a plain reading of W&B's band rule, on random histories."""
import math
import random

import pytest

from json_lines import JsonLines

METRIC = "val/loss"


def config(goal="minimize", **rule):
    return {"method": "bayes", "metric": {"name": METRIC, "goal": goal}, "parameters": {"x": {"min": 0.0, "max": 1.0}},
            "early_terminate": {"type": "hyperband", **rule}}


@pytest.fixture
def service():
    with JsonLines("besom-scheduler") as started:
        yield started


def plain_bands(rule):
    eta = rule.get("eta", 3)
    if "max_iter" in rule:
        bands = {int(rule["max_iter"] / eta**i) for i in range(1, rule["s"] + 1)}
    else:
        bands = {int(rule["min_iter"] * eta**i) for i in range(12)}
    return sorted(band for band in bands if band >= 1)


def plain_values(history, sign):
    cells = (row.get(METRIC) for row in history if isinstance(row, dict))
    return [sign * cell for cell in cells
            if isinstance(cell, (int, float)) and not isinstance(cell, bool) and math.isfinite(cell)]


def plain_stops(runs, rule, goal):
    """Ids of running runs to stop; runs: id → (state, history)."""
    sign = -1 if goal == "maximize" else 1
    lines = {key: plain_values(history, sign) for key, (_, history) in runs.items()}
    stops = []
    for key, (state, _) in runs.items():
        reached = [band for band in plain_bands(rule) if len(lines[key]) >= band]
        if state != "running" or not reached:
            continue
        band = reached[-1]
        rivals = sorted(line[band - 1] for line in lines.values() if len(line) >= band)
        threshold = rivals[int(len(rivals) / rule.get("eta", 3))]
        value = lines[key][band - 1] if rule.get("strict", True) else min(lines[key])
        if value > threshold:
            stops.append(key)
    return stops


def random_cell(draw):
    kind = draw.random()
    if kind < 0.85:
        return draw.choice([round(draw.uniform(-1, 1), 1), draw.gauss(0, 1)])
    return draw.choice([math.nan, math.inf, -math.inf, True, None, "0.5", [1], {"a": 1}, 3, -2])


def random_history(draw):
    rows = []
    for step in range(draw.randrange(0, 30)):
        row = {"_step": step, "other": draw.random()}
        if draw.random() < 0.9:
            row[METRIC] = random_cell(draw)
        rows.append(row)
    return rows


RULES = [{"min_iter": 3}, {"min_iter": 1, "eta": 2}, {"min_iter": 2, "eta": 1.5}, {"max_iter": 27, "s": 2},
         {"max_iter": 18, "s": 3, "eta": 2}, {"min_iter": 3, "strict": False}, {"min_iter": 2, "eta": 4, "strict": False}]


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_it_stops_what_the_rule_stops(service, rule, goal):
    stopped = 0
    for seed in range(15):
        draw = random.Random(seed)
        bands = service.must("init", config=config(goal, **rule))["bands"]
        assert bands[:len(plain_bands(rule))] == plain_bands(rule)[:len(bands)]
        runs = {}
        for number in range(draw.randrange(1, 25)):
            key = f"run{draw.randrange(0, 20)}"
            runs[key] = (draw.choice(["running", "running", "finished", "failed", "stopped"]), random_history(draw))
            assert service.must("run", id=key, state=runs[key][0], history=runs[key][1]) == {"ok": True}
            if number % 5 == 0:
                assert sorted(service.must("decide")["stop"]) == sorted(plain_stops(runs, rule, goal)), f"seed {seed}"
        answer = service.must("decide")
        assert sorted(answer["stop"]) == sorted(plain_stops(runs, rule, goal)), f"seed {seed}"
        assert sorted(answer["why"]) == sorted(answer["stop"])
        stopped += len(answer["stop"])
    assert stopped > 0


def test_bands_are_those_of_the_file(service):
    assert service.must("init", config=config(min_iter=3))["bands"][:4] == [3, 9, 27, 81]
    assert service.must("init", config=config(max_iter=27, s=2))["bands"] == [3, 9]
    assert service.must("init", config=config(max_iter=18, s=2))["bands"] == [2, 6]
    assert service.must("init", config=config(max_iter=5, s=2, eta=2))["bands"] == [1, 2]


def test_why_shows_the_rivals(service):
    service.must("init", config=config(min_iter=1))
    service.must("run", id="a", state="finished", history=[{METRIC: 0.25}])
    service.must("run", id="b", state="running", history=[{METRIC: 0.5}])
    answer = service.must("decide")
    assert answer["stop"] == ["b"]
    why = answer["why"]["b"]
    assert (why["band"], why["value"], why["threshold"], why["rivals"]) == (1, 0.5, 0.25, [["a", 0.25]])
    assert why["reason"] == "0.5 at row 1 is worse than the threshold 0.25 (rank 1 of 2 that reached it)"


def test_ties_go_on(service):
    service.must("init", config=config(min_iter=1))
    for key in "abc":
        service.must("run", id=key, state="running", history=[{METRIC: 1}])
    assert service.must("decide") == {"stop": [], "why": {}}


@pytest.mark.parametrize("line", [
    "{", '{"op":"decide"}', '{"op":"run","id":"a","state":"running","history":[]}', '{"op":"init","config":{}}',
    '{"op":"init","config":{"metric":{"name":"x"}}}',
    '{"op":"init","config":{"metric":{"name":"x"},"early_terminate":{"type":"hyperband"}}}',
    '{"op":"init","config":{"metric":{"name":"x"},"early_terminate":{"type":"hyperband","min_iter":0}}}',
    '{"op":"init","config":{"metric":{"name":"x"},"early_terminate":{"type":"hyperband","min_iter":3,"eta":1}}}',
])
def test_a_wrong_line_is_answered_and_the_next_one_read(service, line):
    assert list(service.say(line)) == ["error"]
    assert service.must("init", config=config(min_iter=3))["ok"] is True


@pytest.mark.parametrize("fields", [
    {"id": "a", "history": []}, {"id": 1, "state": "running", "history": []}, {"id": "a", "state": "running"},
    {"id": "", "state": "running", "history": []}, {"id": "x" * 64, "state": "running", "history": []},
])
def test_a_wrong_run_is_refused(service, fields):
    service.must("init", config=config(min_iter=3))
    assert list(service.ask("run", **fields)) == ["error"]
