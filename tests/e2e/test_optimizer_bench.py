# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/bench/optimizer in short: Besom and random search alone, few trials; the peers are not installed."""
import importlib.util
import json
import math
import os
import subprocess

import pytest

from json_lines import BIN

BENCH = os.path.join(os.path.dirname(__file__), "..", "bench", "optimizer", "run")


@pytest.fixture(scope="module")
def figures():
    spec = importlib.util.spec_from_file_location("optimizer_figures", os.path.join(os.path.dirname(BENCH), "figures.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def made_runs(method, *regrets):
    return {(method, "p", "seq", seed): {"trials": 100, "regret": regret} for seed, regret in enumerate(regrets)}


def test_figures_of_made_runs(figures):
    runs = {**made_runs("random", [[1, 4.0]], [[1, 8.0]]), **made_runs("optuna-tpe", [[2, 6.0], [50, 0.06]], [[1, 6.0], [90, 0.6]])}
    made = figures.Figures(runs, ["p"], "seq")
    assert made.of("optuna-tpe", "p", 1) == [math.inf, 6.0] and made.of("optuna-tpe", "p", 60) == [0.06, 6.0]
    assert made.reference == {"p": 6.0} and made.complete(100) == ["optuna-tpe", "random"] and made.complete(200) == []
    assert made.mean_ranks(30) == {"random": 1.5, "optuna-tpe": 1.5}  # 4 and 8 against 6 and 6
    assert made.mean_ranks(100) == {"random": 2.0, "optuna-tpe": 1.0}
    assert made.log10("optuna-tpe", 100) == pytest.approx(-1.5) and made.log10("random", 100) == pytest.approx(math.log10(4 / 6) / 2)
    goals = made.goals("optuna-tpe", 100)
    assert goals["p"] == pytest.approx(0.33) and made.trials_to("optuna-tpe", 100, goals) == math.inf
    assert figures.quantile([3, 1, 2, 10], 0.25) == 1.75 and figures.quantile([1, math.inf], 0.5) == math.inf


@pytest.fixture
def bench(tmp_path):
    """Runs a command of the benchmark in a folder of its own; the finished process."""
    environment = {**os.environ, "BESOM_BIN": os.path.abspath(BIN), "BESOM_BENCH_PEERS": str(tmp_path / "none")}

    def execute(*arguments):
        return subprocess.run([BENCH, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    return execute


TRIALS = ("trials", "--methods", "besom,random,skopt", "--problems", "branin2,fail5", "--trials", "30", "--seeds", "0-1")


def test_runs_are_kept_and_tables_made_of_them(bench, tmp_path):
    done = bench(*TRIALS)
    assert done.returncode == 0, done.stderr
    assert "skopt: not installed" in done.stderr and "16 runs to do" in done.stderr
    runs = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text().splitlines()]
    assert {(run["method"], run["problem"], run["mode"], run["seed"]) for run in runs} == {
        (method, problem, mode, seed) for method in ("besom", "random") for problem in ("branin2", "fail5")
        for mode in ("seq", "par8") for seed in (0, 1)}
    for run in runs:
        trials, regrets = zip(*run["regret"])
        assert list(trials) == sorted(trials) and trials[-1] <= 30 and min(regrets) >= 0
    report = bench("report")
    assert report.returncode == 0, report.stderr
    for words in ("one trial after another", "8 asynchronous workers", "Besom (gp)", "scikit-optimize", "not installed", "rank 30"):
        assert words in report.stdout
    branin = next(line for line in report.stdout.splitlines() if line.split()[0:1] == ["branin2"])
    best, worst = float(branin.split()[1]), float(branin.split("]")[1].split()[0])
    assert best < worst, branin  # Besom's median is the first column: it needs less than random search does


def test_a_run_that_is_in_the_file_is_not_run_again(bench, tmp_path):
    arguments = ("trials", "--methods", "random", "--problems", "branin2", "--modes", "seq", "--trials", "5", "--seeds", "0-2")
    assert bench(*arguments).returncode == 0
    path = tmp_path / "runs.jsonl"
    whole = path.read_text()
    path.write_text(whole[:-20])  # as a run leaves it that is killed while it writes
    again = bench(*arguments)
    assert "1 runs to do" in again.stderr
    assert sorted(json.loads(line)["seed"] for line in path.read_text().splitlines()) == [0, 1, 2]
    assert "3 runs to do" in bench(*arguments[:-3], "6", "--seeds", "0-2").stderr  # more trials than the file has


def test_a_page_takes_the_tables_between_its_marks(bench, tmp_path):
    bench("trials", "--methods", "random", "--problems", "wells4", "--modes", "seq", "--trials", "30", "--seeds", "0")
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- optimizer: begin -->\nold\n<!-- optimizer: end -->\nafter\n")
    done = bench("report", "--problems", "all", "--into", "page.md")
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text and "| wells4 |" in text
    page.write_text("no marks")
    assert bench("report", "--problems", "all", "--into", "page.md").returncode == 1
    assert page.read_text() == "no marks"


def test_speed_takes_turns(bench, tmp_path):
    done = bench("speed", "--methods", "besom,random", "--sizes", "20,40", "--rounds", "2")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "speed.jsonl").read_text().splitlines()]
    assert [(line["method"], line["n"]) for line in lines] == [("besom", 20), ("random", 20), ("besom", 40), ("random", 40)]
    assert all(0 < line["wall_s"] < 60 for line in lines)


@pytest.mark.parametrize("arguments", [("trials", "--methods", "magic"), ("trials", "--problems", "nothing2")])
def test_unknown_names_are_refused(bench, arguments):
    refused = bench(*arguments)
    assert refused.returncode != 0 and "there are" in refused.stderr
