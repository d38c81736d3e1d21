# SPDX-License-Identifier: GPL-3.0-or-later
"""Every command with right and wrong input: output, exit code and the one-line error."""
import json
import os
import pty
import re
import signal
import socket
import subprocess
import threading

import pytest

from localstack import BIN, LocalStack, wait_for

GRID = """\
name: tiny
program: train.sh
method: grid
metric: {name: loss, goal: minimize}
command: ["/bin/sh", "-c", "%s", "${program}", "${args}"]
parameters:
  b: {values: [x y, "it's"]}
  a: {values: [3, 1, 2]}
"""
LOGS_ITS_A = 'a=${1#--a=}; echo to-out $a; echo to-err $a >&2; $BESOM log loss=$a half=0.5 --step 7'
SECONDS = 30


def write(stack, name, text):
    return stack.write(name, text)


@pytest.fixture(scope="module")
def stack(shared_stack):
    shared_stack.environment["BESOM"] = os.path.join(BIN, "besom")
    return shared_stack


@pytest.fixture(scope="module")
def swept(stack):
    """A finished sweep of six runs."""
    sweep = stack.create(GRID % LOGS_ITS_A)
    stack.start_agent(sweep, sweep, "-j", "2")
    assert stack.agents[sweep].wait(SECONDS) == 0
    wait_for(lambda: stack.json("status", sweep)["state"] == "finished", SECONDS, "the sweep is finished")
    return sweep


def a_run(stack, sweep):
    return stack.runs(sweep)[0]["run_id"]


def fails(stack, code, *arguments, word="", **environment):
    done = subprocess.run([os.path.join(BIN, "besom"), *arguments], env={**stack.environment, **environment},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, (arguments, done.stdout, done.stderr)
    assert done.stderr.startswith("besom: ") and done.stderr.count("\n") == 1, done.stderr
    assert word in done.stderr, done.stderr
    return done


# ---- without a server ----

@pytest.fixture(scope="module")
def offline():
    stack = LocalStack()
    yield stack
    stack.close()


COMMANDS = ("up down run sweep check sample agent submit ls status runs best metrics export logs why agents stop tag note "
            "rename delete log help version").split()


def test_help_names_every_command(offline):
    text = offline.command("--help").stdout
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", text, re.M), name


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(offline, name):
    assert offline.command("help", name).stdout.startswith("Usage: besom")
    if name != "agent":
        assert offline.command(name, "--help").stdout == offline.command("help", name).stdout


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "agent"])
def test_each_command_refuses_unknown_options(offline, name):
    fails(offline, 2, name, "--nonsense", word="--nonsense")


def test_version(offline):
    assert re.fullmatch(r"besom \d+\.\d+\.\d+\n", offline.command("version").stdout)
    assert offline.command("--version").stdout == offline.command("ls", "--version").stdout


def test_unknown_command(offline):
    fails(offline, 2, "stauts", word="did you mean 'status'?")
    fails(offline, 2, "xyzzy", word="besom --help")
    assert offline.command(check=False).returncode == 2


@pytest.mark.parametrize("arguments", [
    ["status"], ["runs"], ["best"], ["metrics"], ["logs"], ["why"], ["stop"], ["delete"], ["sweep"], ["check"],
    ["sample"], ["run"], ["log"], ["status", "aaaaaaaa", "bbbbbbbb"], ["ls", "extra"], ["agents", "aaaaaaaa", "b"],
    ["export"], ["tag", "--add", "a"], ["note"], ["note", "aaaaaaaa"], ["rename", "aaaaaaaa"], ["rename", "a", "b", "c"],
])
def test_number_of_arguments(offline, arguments):
    fails(offline, 2, *arguments)


@pytest.mark.parametrize("command", ["status", "runs", "best", "metrics", "logs", "why", "stop", "delete", "agents",
                                     "export"])
@pytest.mark.parametrize("text", ["ABCDEFGH", "short", "p/", "", "aaaaaaaa/../x", "ninechars"])
def test_ids_are_checked(offline, command, text):
    fails(offline, 2, command, text, word="lower-case letters and digits")


@pytest.mark.parametrize("arguments", [
    ["ls"], ["status", "aaaaaaaa"], ["runs", "aaaaaaaa"], ["best", "aaaaaaaa"], ["metrics", "aaaaaaaa"],
    ["logs", "aaaaaaaa"], ["why", "aaaaaaaa"], ["agents"], ["stop", "aaaaaaaa"], ["delete", "aaaaaaaa"],
    ["sweep", "--pause", "aaaaaaaa"], ["export", "aaaaaaaa"], ["tag", "aaaaaaaa", "--add", "a"],
    ["note", "aaaaaaaa", "text"], ["rename", "aaaaaaaa", "name"],
])
def test_without_a_stack(offline, arguments):
    fails(offline, 4, *arguments, word="besom up")


def test_unreachable_server(offline):
    fails(offline, 4, "ls", "--address", "unix:/nonexistent", "--timeout", "1s")
    fails(offline, 5, "ls", "--address", "127.0.0.1:1", BESOM_TOKEN="secret", word="TLS")
    fails(offline, 2, "ls", "--token-file", "/nonexistent", word="--token-file")
    fails(offline, 2, "ls", "--timeout", "soon", word="timeout")


BROKEN = "method: grid\nprogram: train.py\nparameters:\n  a: {vals: [1]}\n  b: {min: 3, max: 1}\n"


@pytest.mark.parametrize("command", ["check", "sweep", "sample", "run"])
def test_a_wrong_file_is_told_whole_and_nothing_is_sent(offline, command):
    path = write(offline, "broken.yaml", BROKEN)
    done = offline.command(command, path, check=False)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) >= 2 and all(re.match(rf"{re.escape(path)}:\d+:\d+: ", line) for line in lines), done.stderr
    assert {line.split(":")[1] for line in lines} >= {"4", "5"}
    fails(offline, 2, command, "/nonexistent.yaml", word="/nonexistent.yaml")


def test_check(offline):
    path = write(offline, "right.yaml", GRID % "true" + "early_terminate: {type: hyperband, min_iter: 3}\n")
    text = offline.command("check", path).stdout
    assert "grid of 6 points" in text and "3, 9, 27" in text
    found = offline.json("check", path)
    assert found["ok"] and found["grid_points"] == 6 and found["bands"][:3] == [3, 9, 27]
    assert "WHEN" not in text
    assert re.search(r"unless its value at that row is worse than the value at rank\s+int\(n / 3\) \+ 1", text)
    assert re.search(r"^ +2 +9 +about 1 of 3 +11.1%$", text, re.M)
    conditional = write(offline, "when.yaml", "method: grid\nprogram: t\nparameters:\n  o: {values: [sgd, adam]}\n"
                        "  m: {values: [0, 1], when: {o: sgd}}\n")
    assert re.search(r"^m +categorical +yes +o=sgd$", offline.command("check", conditional).stdout, re.M)
    broken = json.loads(offline.command("check", "--json", write(offline, "b.yaml", BROKEN), check=False).stdout)
    assert not broken["ok"] and broken["problems"][0]["line"] == 4


@pytest.mark.parametrize("rule, words, row", [
    ("type: asha, max_iter: 81, grace: 3", "among the best\nmax(1, int(n / 3))", r"^ +1 +1 +all \(grace\) +100%$"),
    ("type: hyperband, max_iter: 27, s: 2, strict: false", "unless its best so far is worse", r"^ +2 +9 +about 1 of 3"),
    ("type: median, min_runs: 7, max_stops: 0.5", "at least 7 of them", r"^ +1 +1 +the better half$"),
])
def test_check_says_what_a_rule_asks(offline, rule, words, row):
    text = offline.command("check", write(offline, "rule.yaml", f"{GRID % 'true'}early_terminate: {{{rule}}}\n")).stdout
    assert words in text and re.search(row, text, re.M), text
    assert ("At most 50% of the runs" in text) == ("max_stops" in rule)


def test_sample(offline):
    grid = write(offline, "grid.yaml", GRID % "true")
    points = [json.loads(line) for line in offline.command("sample", grid, "-n", "0").stdout.splitlines()]
    assert [(point["a"], point["b"]) for point in points] == [
        (a, b) for a in (3, 1, 2) for b in ("x y", "it's")]
    assert len(offline.command("sample", grid, "-n", "2").stdout.splitlines()) == 2
    draws = write(offline, "random.yaml", "method: random\nprogram: t\nparameters: {x: {min: 0.0, max: 1.0}}\n")
    one, two, other = (offline.command("sample", draws, "-n", "3", "--seed", seed).stdout for seed in "112")
    assert one == two != other and len(one.splitlines()) == 3
    fails(offline, 2, "sample", grid, "-n", "-1")
    fails(offline, 2, "sample", grid, "--seed", "x", word="--seed")
    assert offline.command("sample", draws, "-n", "0", check=False).returncode == 2


def test_log_needs_a_run(offline):
    fails(offline, 2, "log", "loss=1", word="BESOM_RUN_SOCKET")
    fails(offline, 2, "log", "loss", BESOM_RUN_SOCKET="/nonexistent", word="KEY=VALUE")
    fails(offline, 2, "log", BESOM_RUN_SOCKET="/nonexistent", word="nothing to log")
    fails(offline, 2, "log", "--summary", "x", BESOM_RUN_SOCKET="/nonexistent", word="KEY=VALUE")
    fails(offline, 2, "log", "loss=1", "--step", "x", BESOM_RUN_SOCKET="/nonexistent", word="--step")
    fails(offline, 4, "log", "loss=1", BESOM_RUN_SOCKET="/nonexistent", word="/nonexistent")


def logged(offline, *arguments):
    """The lines that `besom log` writes."""
    path = os.path.join(offline.home, "socket")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        offline.environment["BESOM_RUN_SOCKET"] = path
        offline.command("log", *arguments)
        del offline.environment["BESOM_RUN_SOCKET"]
        os.unlink(path)
        text = server.accept()[0].makefile().read()
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_log_writes_lines(offline):
    assert logged(offline, "loss=0.25", "n=3", "bad=nan", "ok=true", "note=so so", "--step", "5") == [
        {"log": {"loss": 0.25, "n": 3.0, "bad": "NaN", "ok": True, "note": "so so"}, "step": 5}]
    assert logged(offline, "--summary", "a=5", "--summary", "b=[1,2]", "--summary", "c=x y", "--summary", "d=inf") == [
        {"summary": {"a": 5, "b": [1, 2], "c": "x y", "d": "Infinity"}}]
    assert logged(offline, "loss=1", "--preempting") == [{"log": {"loss": 1.0}}, {"preempting": True}]


# ---- with a stack ----

def test_sweep_prints_the_lines(stack):
    path = write(stack, "lines.yaml", GRID % "true" + "unknown_key: 1\n")
    done = stack.command("sweep", "-p", "lines", "--name", "renamed", path)
    sweep = re.search(r"^besom: Creating sweep with ID: ([0-9a-z]{8})$", done.stdout, re.M).group(1)
    lines = done.stdout.splitlines()
    assert lines[0] == f"besom: Creating sweep from: {path}"
    assert f"besom: Run sweep agent with: besom agent {sweep}" in lines
    assert f"besom: Watch with: besom status {sweep} --watch" in lines
    assert re.search(rf"^{re.escape(path)}:\d+:\d+: warning: .*unknown_key", done.stderr, re.M)
    status = stack.json("status", f"entity/lines/{sweep}")
    assert (status["project"], status["name"], status["expected_runs"]) == ("lines", "renamed", 6)
    assert [one["sweep_id"] for one in stack.json("ls", "-p", "lines")["sweeps"]] == [sweep]
    stack.command("delete", sweep)
    fails(stack, 3, "status", sweep)


def test_state_changes(stack):
    sweep = stack.create(GRID % "true")
    for flag, doing, state in (("--pause", "Pausing", "paused"), ("--resume", "Resuming", "running"),
                               ("--stop", "Stopping", "finished")):
        done = stack.command("sweep", flag, f"uncategorized/{sweep}")
        assert done.stdout == f"besom: {doing} sweep uncategorized/{sweep}\nbesom: Done.\n"
        assert stack.json("status", sweep)["state"] == state
    fails(stack, 1, "sweep", "--pause", sweep)
    assert stack.json("sweep", "--cancel", stack.create(GRID % "true"))["state"] == "canceled"
    fails(stack, 2, "sweep", "--pause", "--stop", sweep, word="exclude")
    fails(stack, 3, "sweep", "--stop", "zzzzzzzz")


@pytest.mark.parametrize("command", ["status", "runs", "best", "metrics", "logs", "why", "stop", "delete", "export"])
def test_what_does_not_exist(stack, command):
    fails(stack, 3, command, "zzzzzzzz")


@pytest.mark.parametrize("arguments", [["tag", "zzzzzzzz", "--add", "a"], ["note", "zzzzzzzz", "text"],
                                       ["rename", "zzzzzzzz", "name"], ["tag", "zzzzzzzz", "--add", "a", "--state", "failed"]])
def test_changing_what_does_not_exist(stack, arguments):
    fails(stack, 3, *arguments)


def test_a_wrong_token(stack):
    fails(stack, 5, "ls", BESOM_ADDRESS=open(os.path.join(stack.environment["BESOM_HOME"], "endpoint")).read().strip(),
          BESOM_TOKEN="wrong")


def test_ls_and_runs(stack, swept):
    assert swept in stack.command("ls").stdout
    assert swept in [one["sweep_id"] for one in stack.json("ls", "-n", "1000")["sweeps"]]
    runs = stack.runs(swept)
    assert len(runs) == 6 and {run["state"] for run in runs} == {"finished"}
    best_first = stack.json("runs", "--order", "best", swept)["runs"]
    assert [run["params"]["a"] for run in best_first] == [1, 1, 2, 2, 3, 3]
    assert len(stack.json("runs", "-n", "2", swept)["runs"]) == 2
    assert stack.json("runs", "--state", "failed", swept) == {"runs": []}
    lines = stack.command("runs", swept).stdout.splitlines()
    assert len(lines) == 7 and lines[0].startswith("RUN ") and "a=3" in "".join(lines)
    fails(stack, 2, "runs", "--state", "odd", swept, word="--state")
    fails(stack, 2, "runs", "--order", "odd", swept, word="--order")


def test_best(stack, swept):
    best = stack.json("best", swept)
    assert best["params"]["a"] == 1 and best["objective"] == 1.0
    assert "run" in stack.command("best", swept).stdout
    line = stack.command("best", swept, "--command").stdout.strip()
    argv = subprocess.run(["/bin/sh", "-c", f"printf '%s\\n' {line}"], capture_output=True, text=True).stdout.split("\n")
    assert argv[:2] == ["/bin/sh", "-c"] and "--a=1" in argv and f"--b={best['params']['b']}" in argv
    fails(stack, 3, "best", stack.create(GRID % "true"), word="no best run")


def test_metrics(stack, swept):
    run = stack.json("best", swept)["run_id"]
    series = {one["name"]: one for one in stack.json("metrics", run)["series"]}
    assert series["loss"]["values"] == [1.0] and series["loss"]["steps"] == [7] and set(series) == {"loss", "half"}
    assert {one["name"] for one in stack.json("metrics", run, "half")["series"]} == {"half"}
    assert "half" in stack.command("metrics", run).stdout
    assert stack.command("metrics", "--all", run).stdout.count("\n") == 3


def test_logs(stack, swept):
    run = stack.json("best", swept)["run_id"]
    assert sorted(stack.command("logs", run).stdout.split("\n")) == ["", "to-err 1", "to-out 1"]
    assert "to-out 1" in stack.command("logs", "-f", run).stdout


def test_why(stack, swept):
    run = a_run(stack, swept)
    why = stack.json("why", run)
    assert why["run"]["run_id"] == run and why["suggestion"]["method"] == "grid" and len(why["attempts"]) == 1
    text = stack.command("why", run).stdout
    assert "Suggested by" in text and "grid" in text and "Attempts" in text


def test_agents(stack, swept):
    agents = stack.json("agents", swept)["agents"]
    assert len(agents) == 1 and agents[0]["slots"] == 2 and agents[0]["state"] == "gone" and agents[0]["ended"] == 6
    assert swept in stack.command("agents").stdout


def test_status(stack, swept):
    status = stack.json("status", swept)
    assert status["counts"]["finished"] == 6 and status["best"]["objective"] == 1.0 and status["running"] == []
    text = stack.command("status", swept).stdout
    assert "6/6 100%" in text and "best loss 1" in text and "\033" not in text
    assert "6/6 runs" in stack.command("status", "--watch", swept).stdout


def on_terminal(stack, columns, *arguments, **environment):
    master, slave = pty.openpty()
    subprocess.run(["stty", "cols", str(columns), "rows", "24"], stdin=slave, check=True)
    process = subprocess.Popen([os.path.join(BIN, "besom"), *arguments], stdin=slave, stdout=slave, stderr=slave,
                               env={**stack.environment, "TERM": "xterm", **environment})
    os.close(slave)
    text = b""
    try:
        while True:
            text += os.read(master, 65536)
    except OSError:
        os.close(master)
    assert process.wait(SECONDS) == 0
    return text.decode()


def test_terminals(stack, swept):
    narrow = re.sub(r"\033\[[0-9;]*[mJA]", "", on_terminal(stack, 40, "runs", swept)).replace("\r", "")
    assert all(len(line) <= 40 for line in narrow.split("\n")) and "…" in narrow
    assert "\033[" in on_terminal(stack, 200, "ls")
    assert "\033[" not in on_terminal(stack, 200, "ls", NO_COLOR="1")
    assert "\033[" not in on_terminal(stack, 200, "ls", TERM="dumb")


def test_watch_on_a_terminal_follows_to_the_end(stack):
    sweep = stack.create(GRID % "sleep 0.3; $BESOM log loss=1")
    said = []
    watcher = threading.Thread(target=lambda: said.append(on_terminal(stack, 100, "status", "--watch", sweep)))
    watcher.start()
    stack.start_agent(sweep, sweep, "-j", "2")
    watcher.join(SECONDS)
    assert said and "\033[J" in said[0] and "6/6 100%" in said[0] and "[####" in said[0]


def test_stop_and_delete_of_a_run(stack):
    sweep = stack.create(GRID % "sleep 60")
    agent = stack.start_agent(sweep, sweep, "--count", "1")
    run = wait_for(lambda: [one for one in stack.runs(sweep) if one["state"] == "running"], SECONDS, "a run")[0]["run_id"]
    fails(stack, 1, "delete", run)
    fails(stack, 1, "delete", sweep, word=sweep)
    assert stack.command("stop", run).stdout.endswith("besom: Done.\n")
    wait_for(lambda: stack.json("why", run)["run"]["state"] == "killed", SECONDS, "the run is killed")
    agent.wait(SECONDS)
    assert stack.command("delete", run).stdout == f"besom: Deleted run {run}\n"
    fails(stack, 3, "why", run)
    assert stack.command("delete", "--force", sweep).stdout == f"besom: Deleted sweep {sweep}\n"


def test_run_does_it_all(stack):
    path = write(stack, "run.yaml", GRID % LOGS_ITS_A)
    done = stack.command("run", path, "-j", "3")
    assert "6 finished" in done.stdout and re.search(r"^loss +1 \(minimize\)$", done.stdout, re.M), done.stdout
    assert re.search(r"^besom: Next: besom best \w{8} --command$", done.stdout, re.M)
    few = stack.command("run", path, "--count", "2").stdout
    assert "2 runs ended" in few and "Go on with: besom agent" in few
    failing = stack.command("run", write(stack, "fail.yaml", GRID % "exit 3"), check=False)
    assert failing.returncode == 1 and "no run" in failing.stderr


def test_run_passes_interrupts_on(stack):
    path = write(stack, "long.yaml", GRID % "sleep 60")
    said = os.path.join(stack.home, "said")
    with open(said, "w") as out:
        process = subprocess.Popen([os.path.join(BIN, "besom"), "run", path, "--name", "interrupted"],
                                   env=stack.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    sweep = wait_for(lambda: [one["sweep_id"] for one in stack.json("ls")["sweeps"] if one["name"] == "interrupted"],
                     SECONDS, "the sweep")[0]
    wait_for(lambda: [one for one in stack.runs(sweep) if one["state"] == "running"], SECONDS, "a run")
    process.send_signal(signal.SIGINT)
    wait_for(lambda: "waiting for running runs to end" in open(said).read(), SECONDS, "the first interrupt is told")
    assert [one for one in stack.runs(sweep) if one["state"] == "running"], "the first interrupt ended a run"
    process.send_signal(signal.SIGINT)
    assert process.wait(SECONDS) is not None
    assert {one["state"] for one in stack.runs(sweep)} == {"killed"}
