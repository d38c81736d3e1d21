# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that import wandb, unchanged, as runs of a sweep: what they log arrives (tests/e2e/wandb_scripts)."""
import json
import math
import os
import re
import subprocess
import sys

import pytest

from localstack import BIN, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = os.path.join(HERE, "wandb_scripts")
PYTHON = os.path.abspath(os.path.join(HERE, "..", "..", "clients", "python"))
COMPAT = os.path.join(PYTHON, "besom", "_compat")
SECONDS = 180


class Sweep:
    """Runs of one script, after their end."""

    def __init__(self, stack, sweep_id):
        self.stack = stack
        self.id = sweep_id
        self.runs = stack.runs(sweep_id)

    @property
    def run(self):
        assert len(self.runs) == 1, [run["run_id"] for run in self.runs]
        return self.runs[0]

    def series(self, run=None):
        """name → {step: value}; a step that a metric has twice is an error."""
        found = {}
        for one in self.stack.json("metrics", (run or self.run)["run_id"])["series"]:
            steps = one["steps"]
            assert len(set(steps)) == len(steps), (one["name"], steps)
            found[one["name"]] = dict(zip(steps, (number(value) for value in one["values"])))
        return found

    def values(self, run=None):
        """name → values in order of steps."""
        return {name: list(points.values()) for name, points in self.series(run).items()}

    def summary(self, run=None):
        """Without the entries that every run has."""
        own = (run or self.run)["summary"]
        assert set(own) >= {"_step", "_runtime", "_timestamp"} or (run or self.run)["state"] != "finished", own
        return {name: value for name, value in own.items() if name not in ("_step", "_runtime", "_timestamp")}

    def output(self, run=None):
        return self.stack.command("logs", (run or self.run)["run_id"]).stdout


def number(value):
    return float(value) if isinstance(value, str) else value


@pytest.fixture(scope="module")
def stack(shared_stack):
    shared_stack.environment["BESOM_PYTHON_DIR"] = PYTHON
    return shared_stack


@pytest.fixture
def sweep_of(stack, tmp_path):
    """Runs a script as a sweep of one configuration, or of several, and gives what became of it."""

    def run(script, parameters=None, exits=0, arguments=("${args}",), more="", agent=(), **environment):
        parameters = {"lr": {"value": 0.5}} if parameters is None else parameters
        command = json.dumps([sys.executable, os.path.join(SCRIPTS, script), *arguments])
        sweep_id = stack.create(f"method: grid\nprogram: {script}\ncommand: {command}\n"
                                f"parameters: {json.dumps(parameters)}\n{more}")
        stack.environment.update(environment)
        try:
            started = stack.start_agent(sweep_id, sweep_id, "--wandb", "--workdir", str(tmp_path), "--run-dir",
                                        str(tmp_path / "runs"), "--quiet", *agent)
            assert started.wait(SECONDS) == exits, stack.agent_text(sweep_id)
        finally:
            for name in environment:
                del stack.environment[name]
        return Sweep(stack, sweep_id)

    return run


def finished(sweep):
    for run in sweep.runs:
        assert (run["state"], run["exit_code"]) == ("finished", 0), (run["end_reason"], run["error"])
    return sweep


# ---- configuration ----

def test_a_dict_as_configuration(sweep_of):
    sweep = finished(sweep_of("dict_config.py"))
    assert sweep.values() == {"epoch": [0, 1, 2], "loss": [0.5, 0.25, 0.5 / 3]}
    assert sweep.run["params"] == {"lr": 0.5}
    assert sweep.run["config"] == {"lr": 0.5, "epochs": 3, "optimizer": "sgd"}
    assert "optimizer sgd True 0.5" in sweep.output()


def test_attributes_of_the_configuration(sweep_of):
    sweep = finished(sweep_of("attribute_config.py"))
    assert sweep.values() == {"loss": [0, 0.5, 1, 1.5]}
    assert sweep.run["config"] == {"lr": 0.5, "layers": 2, "width": 16, "dropout": 0.5}


def test_a_context_manager_and_nested_values(sweep_of):
    sweep = finished(sweep_of("with_init.py"))
    assert sweep.values() == {"train.loss": [0, 0.5, 1], "train.acc.top1": [0, 1, 2]}
    assert sweep.summary() == {"train.loss": 1, "train.acc.top1": 2, "best": 7}
    for name in ("project", "entity", "id"):
        assert sweep.output().count(f"Ignored wandb.init() arg {name} when running a sweep.") == 1


def test_flags(sweep_of):
    sweep = finished(sweep_of("argparse_flags.py", {"lr": {"value": 0.5}, "batch-size": {"value": 4}}))
    assert sweep.values() == {"loss": [0.5, 1.5], "batch": [4, 4]}
    assert sweep.run["config"] == {"lr": 0.5, "batch-size": 4, "batch_size": 4, "name": "net"}


def test_vars_of_flags_and_locked_values(sweep_of):
    sweep = finished(sweep_of("update_vars.py"))
    assert sweep.values() == {"loss": [0.5 * 0.8]}
    assert sweep.run["config"] == {"lr": 0.5, "momentum": 0.8, "seed": 3}
    assert "Config item 'lr' was locked by 'sweep' (ignored update)." in sweep.output()


def test_words_without_hyphens(sweep_of):
    sweep = finished(sweep_of("key_value_words.py", {"lr": {"value": 0.5}, "model.depth": {"value": 3}},
                              arguments=("${args_no_hyphens}",)))
    assert sweep.values() == {"val/loss": [0, 0.5, 1]}


# ---- rows ----

def test_rows_by_steps(sweep_of):
    sweep = finished(sweep_of("step_rows.py"))
    assert sweep.series() == {"a": {0: 1, 1: 2, 10: 11, 13: 13, 20: 20, 22: 22}, "b": {1: 2, 10: 10}, "c": {12: 12},
                              "d": {12: 12}, "e": {30: 30}}
    assert sweep.run["summary"]["_step"] == 30
    assert sweep.output().count("less than the current step") == 1


def test_rows_that_take_their_time(sweep_of):
    sweep = finished(sweep_of("slow_rows.py"))
    assert sweep.series() == {"train": {0: 1, 5: 2, 6: 3}, "val": {0: 1, 5: 2}, "test": {5: 2}}


def test_values_of_any_kind(sweep_of):
    sweep = finished(sweep_of("odd_values.py"))
    series = sweep.series()
    assert math.isnan(series["loss"].pop(0)) and series.pop("up") == {0: math.inf} and series.pop("down") == {0: -math.inf}
    assert series == {"loss": {1: 1, 2: 3.5}, "ok": {0: 1}, "outer.inner.deep": {1: 2.5}, "big": {2: 2.0 ** 70},
                      "a key/with space": {2: 1}, "ünï": {2: 2}}
    summary = sweep.summary()
    assert summary["text"] == "good" and summary["list"] == [1, 2] and summary["nested"] == {"a": {"b": [1, {"c": None}]}}


def test_a_million_rows(sweep_of):
    steps = int(os.environ.get("WANDB_TEST_STEPS", "1000000"))
    sweep = finished(sweep_of("million_steps.py", STEPS=str(steps)))
    series = sweep.series()["loss"]
    assert len(series) == steps
    assert all(value == step * 0.5 for step, value in series.items())


def test_workers_by_fork(sweep_of):
    sweep = finished(sweep_of("forked_workers.py", LOG_IN_WORKER="1"))
    values = sweep.values()
    assert sorted(values["square"]) == sorted([-1] + [step * step for step in range(20)])
    assert values["from_worker"] == [1, 1, 1]


def test_a_worker_by_spawn(sweep_of):
    sweep = finished(sweep_of("spawned_worker.py"))
    assert sweep.values() == {"from_worker": [1], "loss": [1]}
    assert sweep.run["config"] == {"lr": 0.5, "width": 3, "epochs": 4}


# ---- what is said of a run ----

def test_names_and_summary(sweep_of):
    sweep = finished(sweep_of("naming.py"))
    run = sweep.run
    assert (run["name"], run["notes"], sorted(run["tags"])) == ("lr-0.5", "set later", ["a", "b", "c"])
    assert sweep.summary() == {"loss": 0.5, "acc": 0.75, "best_acc": 0.75, "note": "fine", "shape": [3, 4]}
    assert sweep.values()["loss"] == [2, 1]


def test_definitions(sweep_of):
    sweep = finished(sweep_of("definitions.py"))
    assert sweep.summary() == {"epoch": 2, "val/loss": {"min": 2, "max": 6}, "val/acc": {"max": 0.75},
                               "loss": {"mean": 2}, "plain": 2}


def test_media_without_further_packages(sweep_of):
    sweep = finished(sweep_of("media.py"))
    assert sweep.series() == {"loss": {0: 0.5, 1: 0.25, 3: 0.125}}
    summary = sweep.summary()
    kinds = {"photo": "image-file", "pixels": "image-file", "figure": "image-file", "raw_figure": "image-file",
             "table": "table-file", "weights": "histogram", "sound": "audio-file", "page": "html-file",
             "points": "object3D-file", "graph": "graph-file", "molecule": "molecule-file", "roc": "table-file",
             "pr": "table-file", "cm": "table-file", "line": "table-file", "series": "table-file", "final": "table-file"}
    assert {name: entry["_type"] for name, entry in summary.items() if isinstance(entry, dict)} == kinds
    assert summary["weights"]["values"] == [1, 2] and len(summary["many"]) == 2
    assert "movie" not in summary and "bad" not in summary
    output = sweep.output()
    assert output.count("Video is not kept") == 1 and output.count("Image is not kept") == 1
    assert "done: all kinds" in output


# ---- ends ----

def test_an_exception(sweep_of):
    sweep = sweep_of("crash.py")
    run = sweep.run
    assert (run["state"], run["exit_code"]) == ("failed", 1)
    assert "RuntimeError: the data has run out" in run["error"] and "crash.py" in run["error"]
    assert sweep.series() == {"loss": {step: step for step in range(6)}, "acc": {5: 0.5}}


def test_an_exit_code(sweep_of):
    sweep = sweep_of("exit_code.py")
    assert (sweep.run["state"], sweep.run["exit_code"]) == ("failed", 3)
    assert sweep.values() == {"loss": [1]}


def test_an_end_that_is_told(sweep_of, stack):
    """What finish() says counts where the program ends well; it is no failure of the machine."""
    cases = ("failed", "good", "raised", "taken back", "own")
    sweep = sweep_of("told_end.py", {"case": {"values": list(cases)}, "again": {"values": [1, 2]}}, arguments=())
    ends = {run["params"]["case"]: run for run in sweep.runs}
    assert {case: (ends[case]["state"], ends[case]["exit_code"]) for case in cases} == {
        "failed": ("failed", 7), "good": ("finished", 0), "raised": ("failed", 1), "taken back": ("finished", 0),
        "own": ("failed", 3)}
    assert {run["end_reason"] for run in sweep.runs if run["params"]["case"] == "failed"} == {"exit 7"}
    assert ends["failed"]["error"] == "finish(exit_code=7)"
    assert ends["raised"]["error"].endswith("ArithmeticError: the loss is no number")
    assert ends["own"]["error"].endswith("the last line of the log\n")
    assert re.search(r"(?m)^error +finish\(exit_code=7\)$", stack.command("why", ends["failed"]["run_id"]).stdout)
    assert all(sweep.values(run) == {"loss": [1]} for run in sweep.runs)


def test_sigkill(sweep_of):
    sweep = sweep_of("killed.py")
    assert (sweep.run["state"], sweep.run["signal"]) == ("crashed", 9)
    assert sweep.values() == {"loss": list(range(100)), "last": [1]}


def test_no_init(sweep_of):
    sweep = sweep_of("no_init.py")
    assert sweep.run["state"] == "failed"
    assert "You must call wandb.init() before wandb.log()" in sweep.run["error"]
    assert sweep.series() == {}


def test_two_runs_in_one_process(sweep_of):
    sweep = finished(sweep_of("begin_twice.py"))
    assert sweep.series() == {"loss": {0: 1, 1: 2, 2: 3, 3: 4}}


def test_stopped_early(sweep_of):
    sweep = sweep_of("stopped_early.py", {"offset": {"values": [0, 100]}, "n": {"values": [1, 2, 3]}},
                     more="metric: {name: loss, goal: minimize}\n"
                          "early_terminate: {type: hyperband, min_iter: 20, eta: 3}\n")
    by_offset = {}
    for run in sweep.runs:
        by_offset.setdefault(run["params"]["offset"], []).append(run["state"])
    assert set(by_offset[100]) == {"stopped"}, by_offset
    stopped = [run for run in sweep.runs if run["params"]["offset"] == 100]
    for run in stopped:
        assert 20 <= len(sweep.values(run)["loss"]) < 2000


@pytest.mark.parametrize("resume", ["", "1"])
def test_another_attempt(sweep_of, resume):
    sweep = finished(sweep_of("preempted.py", RESUME=resume))
    assert sweep.run["attempt"] == 2
    attempts = [sweep.stack.json("metrics", sweep.run["run_id"], "--attempt", str(attempt))["series"][0]
                for attempt in (1, 2)]
    assert [one["values"] for one in attempts] == [[0, 1, 2], [0, 1, 2]]
    assert [one["steps"] for one in attempts] == [[0, 1, 2], [3, 4, 5] if resume else [0, 1, 2]]


# ---- libraries ----

def test_keras_callbacks(sweep_of, tmp_path):
    sweep = finished(sweep_of("keras_like.py"))
    values = sweep.values()
    assert values["epoch/val_loss"] == values["val_loss"] == [5, 3, 4]
    assert values["batch/batch_step"] == [0, 2, 4, 6, 8, 10] and values["epoch/learning_rate"] == [0.5] * 3
    assert sweep.summary()["best_val_loss"] == 3 and sweep.summary()["best_epoch"] == 1
    saved = [name for _, _, names in os.walk(tmp_path / "runs") for name in names if name.endswith(".keras")]
    assert sorted(saved) == ["model-1.keras", "model-2.keras"]


def test_lightning_logger(sweep_of):
    sweep = finished(sweep_of("lightning_like.py"))
    series = sweep.series()
    assert series["train_loss"] == {0: 4, 1: 3, 2: 2, 3: 1} and series["val_loss"] == {4: 0.5}
    assert series["trainer/global_step"] == {0: 0, 1: 10, 2: 20, 3: 30, 4: 40}
    assert sweep.run["config"] == {"lr": 0.5, "hidden": 64, "loss_class": "__main__.Logger"}
    assert sweep.summary()["samples"]["nrows"] == 1


def test_hugging_face_callback(sweep_of):
    sweep = finished(sweep_of("hf_like.py"))
    values = sweep.values()
    assert values["train/loss"] == [2, 1, 0] and values["eval/accuracy"] == [0.25, 0.5, 0.75]
    assert values["train/global_step"] == [10, 10, 20, 20, 30, 30, 30] and "train/train_loss" not in values
    assert sweep.run["config"]["model/num_parameters"] == 1234 and sweep.run["name"] == "bert-sweep"
    assert sweep.summary()["train_runtime"] == 12.5 and sweep.summary()["train_loss"] == 1.5


def test_callbacks_of_boosters(sweep_of):
    sweep = finished(sweep_of("boosters.py"))
    assert sweep.values() == {"train-rmse": [1, 0.75, 0.5], "valid-auc": [0.5, 0.75, 0.625], "epoch": [0, 1, 2],
                              "best_score": [0.25], "best_iteration": [2], "valid_l2": [4, 3, 2], "iteration": [0, 1, 2]}
    summary = sweep.summary()
    assert summary["train-rmse"] == {"min": 0.5} and summary["valid-auc"] == {"max": 0.75}
    assert summary["valid_l2"] == {"min": 2} and summary["best_score"] == {"valid": {"auc": 0.75}}
    assert sweep.run["config"]["learner"] == {"objective": "reg"} and sweep.run["config"]["leaves"] == 31


def test_a_summary_writer_of_tensorboard(sweep_of):
    sweep = finished(sweep_of("tensorboard_like.py"))
    assert sweep.series() == {"train/loss": {0: 3, 1: 2, 2: 1}, "train/acc": {0: 0, 1: 0.5, 2: 1}, "val/a": {3: 1},
                              "val/b": {3: 2}, "global_step": {0: 0, 1: 10, 2: 20, 3: 30}}


# ---- sweeps and reading from Python ----

def run_program(stack, path, *arguments, **environment):
    return subprocess.run([sys.executable, path, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          cwd=stack.home, timeout=SECONDS,
                          env={**stack.environment, "PYTHONPATH": COMPAT, "BESOM_BIN": BIN, **environment})


def test_a_function_agent(stack, tmp_path):
    done = run_program(stack, os.path.join(SCRIPTS, "function_agent.py"))
    assert done.returncode == 0, done.stderr
    sweep = Sweep(stack, re.search(r"SWEEP (\w+)", done.stderr).group(1))
    assert f"Create sweep with ID: {sweep.id}" in done.stdout
    by_lr = {run["params"]["lr"]: run for run in sweep.runs if run["state"] != "pending"}
    assert {lr: run["state"] for lr, run in by_lr.items()} == {1: "finished", 2: "failed", 3: "finished"}
    assert "ValueError: lr is 2" in by_lr[2]["error"]
    for lr in (1, 3):
        assert sweep.values(by_lr[lr]) == {"loss": [lr * 10, lr * 10 + 1], "depth": [5, 5]}
        assert sweep.summary(by_lr[lr])["seen"] == ["epochs", "lr", "model"]


READ = """
import wandb
api = wandb.Api()
sweep = api.sweep("entity/project/%s")
assert sweep.state == "FINISHED" and len(sweep.runs) == 4, sweep
assert sweep.order == "+summary_metrics.loss"
assert sweep.best_run().config["lr"] == 1
runs = api.runs("x", filters={"sweep": sweep.id, "config.lr": {"$gte": 2}, "state": "finished"}, order="-config.lr")
assert [run.config["lr"] for run in runs] == [4, 3, 2]
assert runs[0].summary["loss"] == 4.25 and "loss" in runs[0].summary._json_dict
assert [row["loss"] for row in runs[0].scan_history(keys=["loss"])] == [4.0, 4.25]
assert [row["_step"] for row in runs[0].history(pandas=False)] == [0, 1]
assert api.run(runs[0].id).name == runs[0].name
for path in ("nothing1", "a/b/nothing2"):
    try:
        api.run(path)
        raise SystemExit("a run from nowhere")
    except wandb.errors.CommError:
        pass
try:
    wandb.controller(sweep.id)
    raise SystemExit("a controller")
except wandb.UsageError as error:
    print(error)
"""
WRITE = """
import wandb
wandb.init()
for extra in (0, 0.25):
    wandb.log({"loss": wandb.config.lr + extra})
"""


def test_reading(stack, tmp_path):
    program = stack.write("write.py", WRITE)
    sweep = stack.create(f"method: grid\nmetric: {{name: loss}}\ncommand: [{sys.executable}, {program}]\n"
                         "parameters: {lr: {values: [1, 2, 3, 4]}}\n")
    assert stack.start_agent(sweep, sweep, "--wandb", "-j", "2", "--quiet", "--run-dir", str(tmp_path)).wait(SECONDS) == 0
    wait_for(lambda: stack.json("status", sweep)["state"] == "finished", SECONDS, "the sweep is finished")
    done = run_program(stack, stack.write("read.py", READ % sweep))
    assert done.returncode == 0, done.stderr


# ---- outside a sweep ----

ALONE = """
import wandb
run = wandb.init(project="alone", name="by hand", config={"lr": 0.25}, tags=["x"])
assert run.sweep_id is None and wandb.config.lr == 0.25
for step in range(3):
    wandb.log({"loss": step}, step=step)
print("RUN", run.id, run.mode)
"""


def test_a_run_of_its_own(stack):
    done = run_program(stack, stack.write("alone.py", ALONE))
    assert done.returncode == 0, done.stderr
    assert "online" in done.stdout, done.stdout + done.stderr
    run_id = done.stdout.split()[1]
    run = stack.json("why", run_id)["run"]
    assert (run["state"], run["name"], run["tags"], run["config"]) == ("finished", "by hand", ["x"], {"lr": 0.25})
    assert stack.json("metrics", run_id)["series"][0]["values"] == [0, 1, 2]


@pytest.mark.parametrize("mode", ["disabled", "offline", "dryrun"])
def test_modes(stack, tmp_path, mode):
    program = stack.write("alone.py", ALONE)
    done = subprocess.run([sys.executable, "-m", "besom.wandb", program], cwd=tmp_path, capture_output=True, text=True,
                          timeout=SECONDS, env={**stack.environment, "PYTHONPATH": PYTHON, "WANDB_MODE": mode})
    assert done.returncode == 0, done.stderr
    expected = "disabled" if mode == "disabled" else "offline"
    assert done.stdout.split()[2] == expected
    lines = [line for folder, _, names in os.walk(tmp_path) for name in names if name.endswith(".jsonl")
             for line in open(os.path.join(folder, name))]
    assert sum("loss" in line for line in lines) == (0 if mode == "disabled" else 3)


def test_environment(stack, tmp_path):
    text = "import wandb\nrun = wandb.init()\nprint(run.name, run.project, *run.tags, run.notes, run.group)\nrun.alert('a', 'b')"
    done = run_program(stack, stack.write("named.py", text), WANDB_MODE="offline", WANDB_NAME="n", WANDB_PROJECT="p",
                       WANDB_TAGS="t1, t2", WANDB_NOTES="note", WANDB_RUN_GROUP="g", WANDB_DIR=str(tmp_path),
                       WANDB_SILENT="true")
    assert done.stdout == "n p t1 t2 note g\n", done.stderr
    assert "a: b" not in done.stderr
    assert os.listdir(tmp_path)
