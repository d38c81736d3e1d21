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
    """Divided or multiplied again and again, and cut to whole numbers only then."""
    eta, rows, bands = rule.get("eta", 3), rule.get("max_iter", rule.get("min_iter")), set()
    for _ in range(rule["s"] if "max_iter" in rule else 12):
        if "max_iter" in rule:
            rows /= eta
        bands.add(int(rows))
        if "max_iter" not in rule:
            rows *= eta
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
        threshold = rivals[int(1 / rule.get("eta", 3) * len(rivals))]
        value = lines[key][band - 1] if rule.get("strict", True) else min(lines[key])
        if value > threshold:
            stops.append(key)
    return stops


def random_cell(draw):
    kind = draw.random()
    if kind < 0.85:
        return draw.choice([round(draw.uniform(-1, 1), 1), draw.gauss(0, 1)])
    return draw.choice([math.nan, math.inf, -math.inf, True, None, "0.5", [1], {"a": 1}, 3, -2, 1e308, -1e308])


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


STATES = ["running", "running", "running", "finished", "failed", "stopped", "killed", "crashed", "pending", "assigned",
          "preempting", "paused"]


def random_rule(draw):
    """Either form, or both (max_iter wins), strict given or not."""
    rule = {}
    form = draw.choice(["min", "max", "both"])
    if form != "max":
        rule["min_iter"] = draw.randrange(1, 8)
    if form != "min":
        rule.update(max_iter=draw.randrange(1, 60), s=draw.randrange(1, 6))
    if draw.random() < 0.7:
        rule["eta"] = draw.choice([2, 3, 4, 1.5, 2.5, 1.1, 1.3, 49])
    if draw.random() < 0.6:
        rule["strict"] = draw.random() < 0.5
    return rule


def uneven_history(draw):
    """Some log long, some not at all; half of them only a few distinct values, so that there are ties."""
    coarse = draw.random() < 0.5
    rows = []
    for step in range(draw.choice([0, 1, 2, 5, 9, 27, draw.randrange(0, 90)])):
        row = {"_step": step * draw.randrange(1, 5)}
        if draw.random() < 0.85:
            row[METRIC] = draw.randrange(-2, 3) / 2 if coarse and draw.random() < 0.9 else random_cell(draw)
        rows.append(row)
    return rows


def test_500_random_histories_are_stopped_as_plainly_read(service):
    """A history is a set of runs under a rule of its own."""
    stopped, refused = 0, 0
    for seed in range(500):
        draw = random.Random(f"histories {seed}")
        goal, rule = draw.choice(["minimize", "maximize"]), random_rule(draw)
        bands = plain_bands(rule)
        answer = service.ask("init", config=config(goal, **rule))
        if not bands:
            assert list(answer) == ["error"], f"seed {seed}: {rule}"
            refused += 1
            continue
        assert answer["bands"] and answer["bands"][:len(bands)] == bands[:len(answer["bands"])], f"seed {seed}: {rule}"
        runs = {f"run{n}": (draw.choice(STATES), uneven_history(draw)) for n in range(draw.randrange(1, 30))}
        for key, (state, history) in runs.items():
            service.must("run", id=key, state=state, history=history)
        got = service.must("decide")["stop"]
        assert sorted(got) == sorted(plain_stops(runs, rule, goal)), f"seed {seed}: {goal} {rule}"
        stopped += len(got)
    assert stopped > 200 and refused < 100, "the histories are too tame to tell anything"


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


def test_bands_count_what_step_metric_names(service):
    service.must("init", config=config(min_iter=2, step_metric="epoch"))
    rows = [(None, 9), (0, 8), (None, 7), (1, 6), ("NaN", 5), (None, 4), (5, 3)]
    service.must("run", id="a", state="running",
                 history=[{METRIC: value} | ({} if epoch is None else {"epoch": epoch}) for epoch, value in rows])
    service.must("run", id="b", state="running", history=[{METRIC: 4}, {"epoch": 2}, {METRIC: 3.5}, {METRIC: 1}])
    answer = service.must("decide")
    assert answer["stop"] == ["b"]
    assert answer["why"]["b"]["reason"] == "3.5 at epoch 2 is worse than the threshold 3 (rank 1 of 2 that reached it)"


def test_what_no_64_bits_hold_is_no_number(service):
    """As numpy sees it, which asks no such integer whether it is finite."""
    service.must("init", config=config(min_iter=1))
    service.must("run", id="a", state="finished", history=[{METRIC: -10**400}, {METRIC: 2**63}])
    service.must("run", id="b", state="running", history=[{METRIC: -2**63 - 1}, {METRIC: 2**64}, {METRIC: 2**64 - 1}])
    service.must("run", id="c", state="running", history=[{METRIC: 10**400}])
    answer = service.must("decide")
    assert answer["stop"] == ["b"] and answer["why"]["b"]["runs_at_band"] == 2


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
