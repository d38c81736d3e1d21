# SPDX-License-Identifier: GPL-3.0-or-later
"""What people are told of early stopping as a whole: its bands, what it saved, and what another rule would have done."""
import math
import os
import statistics

import pytest

from localstack import LocalStack
from steady import run_steadily


@pytest.fixture(scope="module")
def stack():
    with LocalStack() as started:
        yield started


@pytest.fixture(scope="module")
def stopping(stack):
    rule = "early_terminate: {type: asha, max_iter: 9, eta: 2, grace: 4, max_stops: 0.25}\n"
    return run_steadily(stack, 6, 0.1, rule, stops={5: 4, 7: 4})


@pytest.fixture(scope="module")
def waiting(stack):
    return run_steadily(stack, 3, 0.3, "early_terminate: {type: median, min_runs: 3}\n")


@pytest.fixture(scope="module")
def plain(stack):
    """Every run logs 24 rows; from row 21 on the worst are the best."""
    return run_steadily(stack, 24, 0.01)


def test_bands_add_up_what_was_decided(stack, stopping):
    told = stack.json("brackets", stopping)
    decisions = {}
    for run in stack.runs(stopping):
        for one in stack.json("why", run["run_id"])["decisions"]:
            decisions.setdefault(one["band"], []).append(one)
    assert [band["band"] for band in told["bands"]] == [1, 2, 4, 8]
    for band in told["bands"]:
        made = sorted(decisions.get(band["band"], []), key=lambda one: one["number"])
        worse = [one for one in made if not one["stop"] and one["compared"] > one["threshold"]]
        assert band["reached"] == len(made) == band["went_on"] + band["stopped"] and band["undecided"] == 0
        assert band["stopped"] == sum(one["stop"] for one in made)
        assert band["spared"] == {"too_few": 0, "grace": len(worse) if band["band"] < 4 else 0,
                                  "max_stops": len(worse) if band["band"] >= 4 else 0}
        if not made:
            assert band["threshold"] is None and band["course"] == []
            continue
        thresholds = [one["threshold"] for one in made]
        assert [one["threshold"] for one in band["course"]] == thresholds
        assert (band["first_threshold"], band["threshold"]) == (thresholds[0], thresholds[-1])
        assert band["median_threshold"] == statistics.median_low(thresholds)
    assert sum(band["stopped"] for band in told["bands"]) == 2
    assert sum(band["spared"]["grace"] for band in told["bands"]) > 0


def test_bands_of_the_median_count_who_came_too_early(stack, waiting):
    bands = stack.json("brackets", waiting)["bands"]
    made = [one for run in stack.runs(waiting) for one in stack.json("why", run["run_id"])["decisions"]]
    for band in bands[:3]:
        early = [one for one in made if one["band"] == band["band"] and one["reached"] < 3 and one["compared"] > one["threshold"]]
        assert band["spared"] == {"too_few": len(early), "grace": 0, "max_stops": 0}
    assert bands[0]["spared"]["too_few"] > 0 and sum(band["stopped"] for band in bands) > 0
    assert "(min_runs)" in stack.command("brackets", waiting).stdout


def test_bands_as_text(stack, stopping):
    text = stack.command("brackets", stopping).stdout
    for words in ("asha, min_iter 1, max_iter 9, eta 2", "REACHED", "(grace)", "(max_stops)", "saved by stopping 2 runs"):
        assert words in text, text
    assert stack.command("brackets", "--watch", stopping).stdout == text
    assert "▁" not in text, "a course is for terminals"


def test_savings_are_told_with_their_estimate(stack, stopping):
    status, best = stack.json("status", stopping), stack.json("best", stopping)
    savings = status["savings"]
    assert best["savings"] == savings == stack.json("brackets", stopping)["savings"]
    assert best["sweep_run_time_ms"] == status["run_time_ms"] > 0
    runs = stack.runs(stopping)
    rows = {run["run_id"]: sum(one["name"] == "loss" and len(one["values"])
                               for one in stack.json("metrics", run["run_id"])["series"]) for run in runs}
    finished = [run for run in runs if run["state"] == "finished"]
    stopped = [run for run in runs if run["state"] == "stopped"]
    mean = statistics.mean(rows[run["run_id"]] for run in finished)
    missing = sum(mean - rows[run["run_id"]] for run in stopped)
    assert (savings["finished_runs"], savings["stopped_runs"]) == (len(finished), len(stopped)) == (6, 2)
    assert savings["rows_saved"] == round(missing) > 0
    per_row = sum(run["run_time_ms"] for run in finished) / sum(rows[run["run_id"]] for run in finished)
    assert math.isclose(savings["run_time_saved_ms"], missing * per_row, rel_tol=0.02)
    for command in ("status", "best"):
        text = stack.command(command, stopping).stdout
        assert "run-hours) saved by stopping 2 runs (an estimate: " in text and "of run time spent" in text, text


def test_without_stops_only_what_was_spent_is_told(stack, plain):
    assert stack.json("status", plain)["savings"] is None
    text = stack.command("status", plain).stdout
    assert "of run time spent" in text and "saved" not in text
    done = stack.command("brackets", plain, check=False)
    assert done.returncode == 1 and "no early_terminate" in done.stderr


def plain_replay(bands, eta):
    """Band by band as the runs came, one after the other: point → row at which it stops."""
    reached, stops = {}, {}
    for point in (0, 4, 1, 5, 2, 6, 3, 7):
        for band in bands:
            values = reached.setdefault(band, [])
            values.append(point if band <= 20 else -point)
            if values[-1] > sorted(values)[int(len(values) / eta)]:
                stops[point] = band
                break
    return stops


def test_replay_tells_what_a_rule_would_have_stopped(stack, plain):
    told = stack.json("replay", plain, "--early-terminate", "type: hyperband, min_iter: 3, eta: 3")
    expected = plain_replay([3, 9], 3)
    points = {run["run_id"]: run["params"]["point"] for run in stack.runs(plain)}
    given = {points[run["run_id"]]: run["rules"]["given"] for run in told["runs"]}
    assert {point: one["band"] for point, one in given.items() if one["stop"]} == expected
    assert all(given[point]["rows_saved"] == 24 - band for point, band in expected.items())
    none, rule = told["rules"]
    assert (none["rule"], none["stopped"], none["rows"], none["rows_saved"]) == ("none", 0, 8 * 24, 0)
    assert (rule["rule"], rule["stopped"]) == ("given", len(expected))
    assert rule["rows"] + rule["rows_saved"] == none["rows"]
    assert rule["run_time_saved_ms"] == pytest.approx(sum(one["run_time_saved_ms"] for one in given.values() if one["stop"]), abs=10)
    assert rule["run_time_saved_ms"] > 0
    # -7 at the end is the best of all, and the rule stops that run before
    assert points[told["best_run"]] == 7 and none["best"] == -7 and none["best_stopped"] is False
    assert rule["best_stopped"] is True and rule["best"] == -max(point for point in points.values() if point not in expected)
    text = stack.command("replay", plain, "--runs", "--early-terminate", "type: hyperband, min_iter: 3, eta: 3").stdout
    assert "stopped" in text and "given  hyperband, min_iter 3, eta 3" in text, text
    assert sum(line.split()[0] in points for line in text.splitlines() if line.strip()) == len(expected)


def test_replay_of_a_sweep_that_stopped(stack, stopping):
    told = stack.json("replay", stopping)
    assert [rule["rule"] for rule in told["rules"]] == ["none", "sweep"] and told["stopped_when_run"] == 2
    stopped = {run["run_id"] for run in stack.runs(stopping) if run["state"] == "stopped"}
    assert {run["run_id"] for run in told["runs"] if run["rules"]["sweep"]["stop"]} == stopped
    assert "2 of the runs were stopped early when they ran" in stack.command("replay", stopping).stdout


@pytest.mark.parametrize("text", [
    "type: asha\nmax_iter: 9\n", "early_terminate:\n  type: asha\n  max_iter: 9\n", "{type: asha, max_iter: 9}",
    "method: random\nprogram: p\nmetric: {name: x}\nparameters: {x: {value: 1}}\nearly_terminate: {type: asha, max_iter: 9}\n",
])
def test_replay_reads_a_rule_from_a_file(stack, plain, text):
    told = stack.json("replay", plain, "--early-terminate", stack.write("rule.yaml", text))
    assert told["rules"][-1]["early_terminate"]["max_iter"] == 9


@pytest.mark.parametrize("rule, code, words", [
    ("type: hyperbond, min_iter: 3", 2, "hyperbond"), ("/nonexistent", 2, "/nonexistent"), ("type: asha", 2, "max_iter"),
    ("none", 0, ""),
])
def test_replay_refuses_what_is_no_rule(stack, plain, rule, code, words):
    done = stack.command("replay", plain, "--early-terminate", rule, check=False)
    assert done.returncode == code and words in done.stderr, done.stderr


def test_a_file_without_a_rule_is_refused(stack, plain):
    path = stack.write("norule.yaml", "method: random\nprogram: p\nparameters: {x: {value: 1}}\n")
    assert os.path.exists(path)
    done = stack.command("replay", plain, "--early-terminate", path, check=False)
    assert done.returncode == 2 and "early_terminate" in done.stderr
