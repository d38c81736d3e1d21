# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing runs, changing them, and getting them and their metrics out."""
import csv
import io
import json
import math
import os
import pty
import re
import signal
import subprocess

import pytest

from localstack import BIN, wait_for

# a = 1, 2, 3 by b = "x y", "it's"; runs with a = 2 fail. Logs in one process, several rows.
PROGRAM = """
import json, os, socket, sys
params = json.load(open(os.environ["BESOM_PARAMS_FILE"]))
a = params["a"]
rows = [{"log": {"loss": a / 7, "val/acc": 0.1 * a}, "step": 0},
        {"log": {"loss": a / 3, "val/acc": 0.3 * a, "odd": [float("nan"), 1e300, -0.0][a - 1]}, "step": 5},
        {"log": {"loss": a * 1e-5}, "step": 7},
        {"summary": {"epochs": 2 + a, "verdict": "=1+1, \\"so so\\"\\n" + params["b"]}}]
with socket.socket(socket.AF_UNIX) as run:
    run.connect(os.environ["BESOM_RUN_SOCKET"])
    run.sendall("".join(json.dumps(row) + "\\n" for row in rows).encode())
sys.exit(a == 2)
"""
SWEEP = """\
name: chosen
program: train.py
method: grid
metric: {name: loss, goal: minimize}
command: [/usr/bin/python3, "%s", "${args_json_file}"]
parameters:
  a: {values: [3, 1, 2]}
  b: {values: [x y, "it's"]}
  opt: {parameters: {lr: {value: 0.1}, name: {value: adam}}}
"""
SECONDS = 60


@pytest.fixture(scope="module")
def stack(shared_stack):
    return shared_stack


def create(stack):
    sweep = stack.create(SWEEP % stack.write("chosen.py", PROGRAM))
    assert stack.start_agent(sweep, sweep, "-j", "2").wait(SECONDS) == 0, stack.agent_text(sweep)
    wait_for(lambda: len([run for run in stack.runs(sweep) if run["ended_us"]]) == 6, SECONDS, "six runs have ended")
    return sweep


@pytest.fixture(scope="module")
def swept(stack):
    return create(stack)


def refused(stack, code, *arguments):
    done = stack.command(*arguments, check=False)
    assert done.returncode == code, (arguments, done.stdout, done.stderr)
    assert done.stderr.startswith("besom: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def rows(stack, sweep, *arguments):
    return stack.json("runs", sweep, *arguments)["runs"]


def pairs(stack, sweep, *arguments):
    return [(run["params"]["a"], run["params"]["b"]) for run in rows(stack, sweep, *arguments)]


# ---- choosing ----

@pytest.mark.parametrize("expression, wanted", [
    ("a == 1", {1}), ("a != 1", {2, 3}), ("a >= 2 and state == finished", {3}), ("state == failed", {2}),
    ("loss < 1.5e-5", {1}), ("loss.max > 0.5", {2, 3}), ("`val/acc` > 0.5", {2, 3}), ("val/acc < .31", {1}),
    ("epochs in (3, 5)", {1, 3}), ("summary.epochs == 4", {2}), ("verdict ~ '^=1'", {1, 2, 3}), ("odd == nan", {1}),
    ("odd == 1e300", {2}), ("opt.lr == 0.1 and opt.name == adam", {1, 2, 3}), ("params.opt.lr > 1", set()),
    ("exit_code == 1", {2}), ("end_reason == 'exit 1'", {2}), ("not (a == 1 or a == 3)", {2}), ("tags", set()),
    ("name == null", {1, 2, 3}), ("created > -1h", {1, 2, 3}), ("runtime > 1h", set()), ("objective < 1e-4", {1, 2, 3}),
    ("config.a == 3", {3}), ("attempt == 1", {1, 2, 3}), ("ordinal < 2", {3}),
])
def test_filters(stack, swept, expression, wanted):
    assert {a for a, _ in pairs(stack, swept, "--filter", expression)} == wanted


def test_filters_and_limits(stack, swept):
    assert len(pairs(stack, swept, "--filter", "b == \"it's\"")) == 3
    assert pairs(stack, swept, "--filter", "a < 3", "-n", "2") == [(1, "x y"), (1, "it's")]
    assert pairs(stack, swept, "--filter", "a < 3", "--sort", "-a,b", "-n", "2") == [(2, "it's"), (2, "x y")]
    assert len(pairs(stack, swept, "--state", "failed,finished")) == 6
    assert len(pairs(stack, swept, "--state", "failed", "--state", "crashed")) == 2


def test_mistakes_in_filters(stack, swept):
    assert "runs: --filter: column 6: expected a value" in refused(stack, 2, "runs", swept, "--filter", "a == ")
    assert "did you mean 'finished'?" in refused(stack, 2, "runs", swept, "--filter", "state == finishd")
    assert "did you mean 'failed'?" in refused(stack, 2, "runs", swept, "--state", "faild")
    assert "--sort" in refused(stack, 2, "runs", swept, "--sort", "a,,b")
    assert "--columns" in refused(stack, 2, "runs", swept, "--columns", "a b")
    done = stack.command("runs", swept, "--filter", "los < 1")
    assert done.stdout == "" and "no run has 'los' (did you mean 'loss'?)" in done.stderr


def test_sorting(stack, swept):
    assert [a for a, _ in pairs(stack, swept, "--sort", "loss")] == [1, 1, 2, 2, 3, 3]
    assert [a for a, _ in pairs(stack, swept, "--sort", "loss:desc")] == [3, 3, 2, 2, 1, 1]
    # NaN last whichever way; -0 before 1e300
    assert [a for a, _ in pairs(stack, swept, "--sort", "odd")] == [3, 3, 2, 2, 1, 1]
    assert [a for a, _ in pairs(stack, swept, "--sort", "-odd")] == [2, 2, 3, 3, 1, 1]
    assert pairs(stack, swept, "--sort", "b,-a")[:2] == [(3, "it's"), (2, "it's")]


def test_columns(stack, swept):
    lines = stack.command("runs", swept, "--filter", "a == 1", "--columns", "id,a,val/acc,state").stdout.splitlines()
    assert lines[0].split() == ["RUN", "a", "val/acc", "STATE"] and len(lines) == 3
    assert re.fullmatch(r"[0-9a-z]{8}  1      0\.3  finished", lines[1]), lines[1]
    one = rows(stack, swept, "-n", "1", "--columns", "ordinal,params.*,summary.*,nothing,tags")[0]
    assert one == {"ordinal": 0, "params.a": 3, "params.b": one["params.b"], "params.opt.lr": 0.1, "params.opt.name": "adam",
                   "summary.epochs": 5, "summary.loss": 3 * 1e-5, "summary.odd": 0, "summary.val/acc": 0.3 * 3,
                   "summary.verdict": one["summary.verdict"], "nothing": None, "tags": []}
    assert "no run listed has 'nothing'" in stack.command("runs", swept, "--columns", "nothing").stderr


# ---- changing ----

def test_tags_notes_and_names(stack):
    sweep = create(stack)
    runs = [run["run_id"] for run in stack.runs(sweep)]
    assert "NAME" not in stack.command("runs", sweep).stdout and "TAGS" not in stack.command("runs", sweep).stdout
    assert stack.command("tag", runs[0], runs[1], "--add", "a,b c", "--add", "d").stdout == (
        f"besom: Tagged 2 runs: {runs[0]} {runs[1]}\n")
    assert stack.json("tag", runs[0], runs[1], runs[2], "--add", "a", "--remove", "d") == {
        "matched": 3, "changed": 3, "run_ids": runs[:3]}
    assert stack.json("tag", *runs, "--add", "a") == {"matched": 6, "changed": 3, "run_ids": runs[3:]}
    assert "6 runs are like that already" in stack.command("tag", *runs, "--add", "a").stdout
    assert [run["tags"] for run in stack.runs(sweep)] == [["a", "b c"]] * 2 + [["a"]] * 4
    chosen = stack.json("tag", sweep, "--filter", "state == finished and tag == 'b c'", "--remove", "b c")
    assert chosen["run_ids"] == runs[:2]
    assert stack.command("note", sweep, "--filter", "a == 1", "two\nlines").stdout.startswith("besom: Noted 2 runs: ")
    assert {run["notes"] for run in rows(stack, sweep, "--filter", "notes ~ lines")} == {"two\nlines"}
    done = subprocess.run([os.path.join(BIN, "besom"), "note", runs[0], "-"], env=stack.environment, input="from a pipe\n",
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert rows(stack, sweep, "-n", "1")[0]["notes"] == "from a pipe"
    assert stack.json("note", runs[0], "--clear")["changed"] == 1
    assert stack.json("rename", runs[0], "first – try")["changed"] == 1
    text = stack.command("runs", sweep).stdout
    assert "first – try" in text and "NAME" in text and "TAGS" in text
    assert rows(stack, sweep, "--filter", "name ~ '^first'")[0]["run_id"] == runs[0]
    assert stack.json("rename", runs[0], "")["changed"] == 1


def test_changes_that_are_refused(stack, swept):
    assert f"{swept} is a sweep" in refused(stack, 2, "tag", swept, "--add", "a")
    run = stack.runs(swept)[0]["run_id"]
    assert "nothing to do" in refused(stack, 2, "tag", run)
    assert "both added and removed" in refused(stack, 2, "tag", run, "--add", "a", "--remove", "b,a")
    refused(stack, 2, "tag", run, "--add", "a" * 65)
    assert "16384" in refused(stack, 2, "note", run, "x" * 16385)
    refused(stack, 2, "rename", run, "x" * 257)
    assert "did you mean 'finished'?" in refused(stack, 2, "tag", swept, "--filter", "state == finishe", "--add", "a")
    assert stack.command("tag", swept, "--filter", "a == 17", "--add", "a").stdout == "besom: No run matches\n"


def answer(stack, text, *arguments):
    """The exit code of a command on a terminal at which somebody types `text`."""
    master, slave = pty.openpty()
    process = subprocess.Popen([os.path.join(BIN, "besom"), *arguments], stdin=slave, stdout=slave, stderr=slave,
                               env=stack.environment)
    os.close(slave)
    said = b""
    while b"[y/N]" not in said:
        said += os.read(master, 4096)
    os.write(master, text.encode())
    try:
        while True:
            said += os.read(master, 4096)
    except OSError:
        os.close(master)
    return process.wait(SECONDS), said.decode()


def test_deleting_many(stack):
    sweep = create(stack)
    runs = [run["run_id"] for run in stack.runs(sweep)]
    assert "--yes" in refused(stack, 2, "delete", runs[0], runs[1])
    assert "deletes 2 runs" in refused(stack, 2, "delete", sweep, "--filter", "a == 2")
    assert "column" in refused(stack, 2, "delete", sweep, "--filter", "")
    assert len(stack.runs(sweep)) == 6
    code, said = answer(stack, "n\n", "delete", sweep, "--filter", "a == 2")
    assert code == 1 and "Delete 2 runs and 0 whole sweeps" in said and len(stack.runs(sweep)) == 6
    code, said = answer(stack, "y\n", "delete", sweep, "--filter", "a == 2")
    assert code == 0 and "Deleted 2 runs" in said and len(stack.runs(sweep)) == 4
    assert stack.json("delete", sweep, "--filter", "a == 2") == {"deleted": 0, "run_ids": [], "sweep_ids": []}
    left = [run["run_id"] for run in stack.runs(sweep)]
    assert stack.command("delete", "-y", left[0], left[1]).stdout == (
        f"besom: Deleted run {left[0]}\nbesom: Deleted run {left[1]}\n")
    assert stack.json("delete", sweep, "--filter", "a > 0", "-y")["deleted"] == 2
    assert stack.json("status", sweep)["state"] == "finished", "a filter never deletes the sweep"
    code, said = answer(stack, "yes\n", "delete", sweep)
    assert code == 0 and f"Deleted sweep {sweep}" in said


# ---- the best ----

def test_best_runs_and_their_commands(stack, swept):
    best = stack.json("best", swept, "-n", "3")["runs"]
    assert [run["params"]["a"] for run in best] == [1, 1, 2]
    assert len(stack.command("best", swept, "-n", "3").stdout.splitlines()) == 4
    done = stack.command("best", swept, "--command")
    assert done.stdout.startswith("/usr/bin/python3 ") and done.stdout.endswith(" params.json\n")
    script = done.stderr.split("\n")[1]
    made = os.path.join(stack.home, "made")
    os.makedirs(made, exist_ok=True)
    subprocess.run(["/bin/sh", "-c", script], cwd=made, check=True)
    with open(os.path.join(made, "params.json")) as file:
        assert json.load(file) == best[0]["params"]
    assert len(stack.command("best", swept, "-n", "2", "--command").stdout.splitlines()) == 2
    why = stack.json("why", best[0]["run_id"])
    assert why["command"] == done.stdout.strip()
    assert f"command    {why['command']}" in stack.command("why", best[0]["run_id"]).stdout


# ---- metrics ----

@pytest.fixture(scope="module")
def run(stack, swept):
    return rows(stack, swept, "--filter", "a == 3")[0]["run_id"]


def test_points_of_metrics(stack, run):
    series = {one["name"]: one for one in stack.json("metrics", run)["series"]}
    assert series["loss"]["values"] == [3 / 7, 3 / 3, 3 * 1e-5] and series["loss"]["steps"] == [0, 5, 7]
    assert math.copysign(1, series["odd"]["values"][0]) == -1
    assert [one["name"] for one in stack.json("metrics", run, "val/*", "loss")["series"]] == ["loss", "val/acc"]
    assert stack.json("metrics", run, "loss", "--from", "5", "--to", "6")["series"][0]["values"] == [1.0]
    assert stack.json("metrics", run, "--attempt", "1", "loss")["series"][0]["attempts"] == [1, 1, 1]
    table = stack.command("metrics", run, "loss").stdout.splitlines()
    assert [line.split() for line in table[1:]] == [["loss", "0", repr(3 / 7)], ["loss", "5", "1"], ["loss", "7", repr(3 * 1e-5)]]
    read = list(csv.DictReader(io.StringIO(stack.command("metrics", run, "--format", "csv").stdout)))
    assert [float(row["value"]) for row in read if row["metric"] == "loss"] == series["loss"]["values"]


def test_buckets_of_metrics(stack, run):
    one = stack.json("metrics", run, "loss", "--buckets", "1")["series"][0]
    assert (one["first_steps"], one["last_steps"], one["counts"]) == ([0], [7], [3])
    assert (one["mins"], one["maxs"], one["lasts"]) == ([3 * 1e-5], [1.0], [3 * 1e-5])
    assert stack.command("metrics", run, "loss", "--buckets", "1").stdout.splitlines()[1].split()[:3] == ["loss", "0-7", "3"]
    text = stack.command("metrics", run, "loss", "--buckets", "1", "--format", "csv").stdout
    assert text.splitlines()[1] == f"loss,0,7,3,{3 * 1e-5!r},1,{3 * 1e-5!r}"


def test_metrics_that_are_not_there(stack, run):
    assert "did you mean 'loss'?" in refused(stack, 3, "metrics", run, "los")
    assert "no metric 'x*'" in refused(stack, 3, "metrics", run, "x*")
    assert stack.command("metrics", run, "--from", "100").stdout == ""
    for wrong in (["--from", "x"], ["--format", "xml"], ["--json", "--format", "csv"], ["--buckets", "0"]):
        refused(stack, 2, "metrics", run, *wrong)


# ---- export ----

def raw(stack, *arguments):
    return subprocess.run([os.path.join(BIN, "besom"), *arguments], env=stack.environment, stdin=subprocess.DEVNULL,
                          capture_output=True, check=True, timeout=60).stdout.decode()


def test_export_of_runs_as_csv(stack, swept):
    text = raw(stack, "export", swept)
    assert text.endswith("\r\n")
    table = list(csv.DictReader(io.StringIO(text, newline="")))
    assert list(table[0]) == ("id ordinal name state end_reason attempt exit_code host created started ended runtime_s "
                              "objective tags notes a b opt.lr opt.name epochs loss odd val/acc verdict").split()
    for row, run in zip(table, stack.runs(swept), strict=True):
        a = run["params"]["a"]
        assert (row["id"], row["state"], row["a"], row["opt.lr"]) == (run["run_id"], run["state"], str(a), "0.1")
        assert float(row["loss"]) == a * 1e-5 and row["epochs"] == str(2 + a)
        assert row["verdict"] == f'=1+1, "so so"\n{run["params"]["b"]}', "exact, whatever a spreadsheet makes of it"
        assert row["odd"] == ["NaN", "1e+300", row["odd"]][a - 1]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", row["created"])


def test_export_of_runs_as_json(stack, swept):
    objects = [json.loads(line) for line in raw(stack, "export", swept, "--format", "json").splitlines()]
    for one, run in zip(objects, stack.runs(swept), strict=True):
        assert one["params"] == run["params"] and one["summary"] == run["summary"] and one["id"] == run["run_id"]
        assert one["runtime_s"] == run["run_time_ms"] / 1000 and one["tags"] == [] and one["objective"] == run["objective"]
    few = [json.loads(line) for line in raw(stack, "export", swept, "--json", "--filter", "a == 1", "--columns",
                                            "id,params.a,loss").splitlines()]
    assert [(one["params.a"], one["loss"]) for one in few] == [(1, 1e-5)] * 2


def test_ambiguous_headings_get_their_scope(stack):
    sweep = stack.create('method: grid\ncommand: ["/bin/sh", "-c", "%s/besom log state=1 x=2 --step 0", "${args}"]\n'
                         "parameters: {x: {value: 1}, name: {value: n}}\n" % BIN)
    assert stack.start_agent(sweep, sweep).wait(SECONDS) == 0
    head, row = raw(stack, "export", sweep).splitlines()
    assert head.split(",")[-4:] == ["params.name", "x", "summary.state", "summary.x"] and row.endswith(",n,1,1,2")


def test_export_of_points(stack, swept, run):
    table = list(csv.DictReader(io.StringIO(raw(stack, "export", swept, "--metrics"), newline="")))
    assert list(table[0]) == ["sweep", "run", "attempt", "metric", "step", "time", "value"]
    assert len(table) == 6 * (3 + 2 + 1)
    assert [float(row["value"]) for row in table if (row["run"], row["metric"]) == (run, "loss")] == [3 / 7, 1.0, 3 * 1e-5]
    assert {row["value"] for row in table if row["metric"] == "odd"} == {"NaN", "1e+300", "-0"}
    few = list(csv.DictReader(io.StringIO(raw(stack, "export", swept, "--metrics", "val/*", "--filter", "a == 3"))))
    assert {(row["metric"], row["step"]) for row in few} == {("val/acc", "0"), ("val/acc", "5")} and len(few) == 4
    objects = [json.loads(line) for line in raw(stack, "export", run, "--json", "loss").splitlines()]
    assert [one["value"] for one in objects] == [3 / 7, 1.0, 3 * 1e-5] and objects[0]["run"] == run


def test_export_to_a_file(stack, swept, run):
    folder = os.path.join(stack.home, "out")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "runs.csv")
    done = stack.command("export", swept, "-o", path)
    assert done.stdout == "" and f"Wrote 6 runs to {path}" in done.stderr
    with open(path, newline="") as file:
        assert file.read() == raw(stack, "export", swept)
    stack.command("export", run, "-o", path)
    with open(path) as file:
        assert file.readline() == "sweep,run,attempt,metric,step,time,value\n"
    assert os.listdir(folder) == ["runs.csv"]
    assert "/nonexistent/" in refused(stack, 1, "export", swept, "-o", "/nonexistent/runs.csv")
    assert "No space left" in refused(stack, 1, "export", swept, "--metrics", "-o", "/dev/full")
    assert "add --metrics" in refused(stack, 2, "export", swept, "loss")
    assert "leave" in refused(stack, 2, "export", run, "--filter", "a == 1")
    assert "leave" in refused(stack, 2, "export", swept, "--metrics", "--columns", "id")
    assert "did you mean 'loss'?" in refused(stack, 3, "export", run, "los")


def test_an_interrupted_export_leaves_no_part(stack, swept):
    folder = os.path.join(stack.home, "interrupted")
    os.makedirs(folder, exist_ok=True)
    process = subprocess.Popen([os.path.join(BIN, "besom"), "export", swept, "-o", os.path.join(folder, "x.csv")],
                               env=stack.environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: os.listdir(folder) or process.poll() is not None, SECONDS, "the export has begun")
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) in (-signal.SIGTERM, 0)
    assert os.listdir(folder) in ([], ["x.csv"])


MANY = """
method: grid
command: [/usr/bin/python3, -c, "import json, os, socket; s = socket.socket(socket.AF_UNIX); \
s.connect(os.environ['BESOM_RUN_SOCKET']); \
s.sendall((json.dumps({'log': {'%0200d' % i: i for i in range(1200)}}) + chr(10)).encode()); s.close()", "${args}"]
parameters: {x: {min: 1, max: 2}}
"""


def test_what_a_list_leaves_out_is_exported(stack):
    sweep = stack.create(MANY)
    assert stack.start_agent(sweep, sweep).wait(SECONDS) == 0, stack.agent_text(sweep)
    last = "%0200d" % 1199
    for row in csv.DictReader(io.StringIO(raw(stack, "export", sweep))):
        assert [row["%0200d" % i] for i in range(1200)] == [str(i) for i in range(1200)]
    assert len(rows(stack, sweep, "--filter", f"`{last}` == 1199")) == 2
    assert rows(stack, sweep, "--columns", f"`{last}`") == [{last: 1199}] * 2
    assert [(len(run["summary"]), len(run["metrics"])) for run in stack.runs(sweep)] == [(1200, 1200)] * 2
    assert len(raw(stack, "export", sweep, "--metrics", "*1199").splitlines()) == 3


def test_more_than_a_page(stack):
    """A page ends at 3 MiB: no run is left out or comes twice."""
    sweep = stack.create("method: grid\ncommand: [/bin/true]\nparameters: {x: {min: 1, max: 20}, long: {value: %s}}\n"
                         % ("x" * 100000))
    assert stack.start_agent(sweep, sweep, "-j", "4").wait(SECONDS) == 0, stack.agent_text(sweep)
    table = list(csv.DictReader(io.StringIO(raw(stack, "export", sweep, "--columns", "x", "--filter", "x > 1"))))
    assert [int(row["x"]) for row in table] == list(range(2, 21))
    found = rows(stack, sweep, "--filter", "x in (1, 12, 20)", "--sort", "-x", "--columns", "x")
    assert [one["x"] for one in found] == [20, 12, 1]
    assert [one["x"] for one in rows(stack, sweep, "--filter", "x > 2", "-n", "15", "--columns", "x")] == list(range(3, 18))
    assert stack.json("tag", sweep, "--filter", "x > 5", "--add", "late")["changed"] == 15
