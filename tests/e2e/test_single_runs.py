# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of a command of one's own: besom-agent --submit and besom submit."""
import json
import os
import signal
import subprocess

import pytest

from localstack import BIN, LocalStack, wait_for

SHOW = ["/bin/sh", "-c", "echo ID=$BESOM_RUN_ID; cat $BESOM_PARAMS_FILE; besom log loss=0.5"]


@pytest.fixture(scope="module")
def stack():
    with LocalStack() as running:
        yield running


def submit(stack, *arguments):
    return stack.command("submit", *arguments, check=False)


def run_of(stack, text):
    """The run whose program has printed ID=..."""
    run_id = next(line[3:] for line in text.splitlines() if line.startswith("ID="))
    found = stack.json("why", run_id)["run"]
    assert found["run_id"] == run_id
    return found


def test_help_and_refusals(stack):
    text = stack.command("submit", "--help").stdout
    assert text.startswith("Usage: besom submit") and text == stack.command("help", "submit").stdout
    assert "\n  submit " in stack.command("--help").stdout
    for arguments in (["a=1"], ["a=1", "--"], ["a", "--", "x"], ["=1", "--", "x"], ["a=1", "a=2", "--", "x"],
                      ["--nonsense", "--", "x"], ["--params", stack.write("list.json", "[1]"), "--", "x"],
                      ["--params", stack.write("one.json", "{}"), "a=1", "--", "x"]):
        done = submit(stack, *arguments)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, arguments


def test_one_tracked_run(stack):
    done = submit(stack, "-p", "lab", "--name", "first try", "lr=1e-05", "deep=true", "note=a b", "list=[1, 2]",
                  "big=9007199254740993", "--", *SHOW)
    assert done.returncode == 0, done.stderr
    assert '"lr": 1e-05' in done.stdout and '"big": 9007199254740993' in done.stdout
    run = run_of(stack, done.stdout)
    assert (run["state"], run["name"]) == ("finished", "first try")
    assert run["params"] == {"lr": 1e-05, "deep": True, "note": "a b", "list": [1, 2], "big": 9007199254740993}
    assert [sweep["sweep_id"] for sweep in stack.json("ls", "--project", "lab")["sweeps"]] == [run["sweep_id"]]
    again = submit(stack, "-p", "lab", "--", *SHOW)
    assert run_of(stack, again.stdout)["sweep_id"] == run["sweep_id"]


def test_parameters_from_a_file(stack):
    path = stack.write("params.json", json.dumps({"x": 3, "y": {"z": "w"}}))
    done = submit(stack, "--params", path, "--", "/bin/sh", "-c", "echo ID=$BESOM_RUN_ID; echo \"$@\"", "-", "${args}")
    assert "--x=3 --y={'z': 'w'}" in done.stdout
    run = run_of(stack, done.stdout)
    assert run["params"] == {"x": 3, "y": {"z": "w"}}
    assert [sweep["sweep_id"] for sweep in stack.json("ls", "--project", "uncategorized")["sweeps"]] == [run["sweep_id"]]


@pytest.mark.parametrize("script,code,state", [
    ("exit 7", 7, "failed"), ("kill -SEGV $$", 139, "crashed"), ("exit 0", 0, "finished"),
])
def test_exit_code_is_the_commands(stack, script, code, state):
    done = submit(stack, "--", "/bin/sh", "-c", f"echo ID=$BESOM_RUN_ID; {script}")
    assert done.returncode == code
    assert run_of(stack, done.stdout)["state"] == state


def test_command_that_cannot_start(stack):
    done = submit(stack, "--", "/nonexistent/program")
    assert done.returncode == 127 and "cannot start '/nonexistent/program'" in done.stderr


def start(stack, *arguments):
    return subprocess.Popen([os.path.join(BIN, "besom"), "submit", "-p", "stopped", *arguments], env=stack.environment,
                            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            start_new_session=True)


def running_in(stack, project):
    sweeps = stack.json("ls", "--project", project)["sweeps"]
    runs = stack.runs(sweeps[0]["sweep_id"]) if sweeps else []
    return [run["run_id"] for run in runs if run["state"] == "running"]


def test_first_interrupt_stops_the_run(stack):
    script = "echo ID=$BESOM_RUN_ID; trap 'exit 5' TERM; while :; do sleep 0.02; done"
    with start(stack, "--", "/bin/sh", "-c", script) as process:
        wait_for(lambda: running_in(stack, "stopped"), 20, "the run is running")
        process.send_signal(signal.SIGINT)
        text = process.communicate(timeout=20)[0]
    assert process.returncode == 5
    run = run_of(stack, text)
    assert (run["state"], run["end_reason"]) == ("killed", "user")


def test_terminated_run_is_not_queued(stack):
    with start(stack, "--", "/bin/sh", "-c", "echo ID=$BESOM_RUN_ID; sleep 60") as process:
        wait_for(lambda: running_in(stack, "stopped"), 20, "the run is running")
        process.send_signal(signal.SIGTERM)
        text = process.communicate(timeout=20)[0]
    assert process.returncode == 128 + signal.SIGTERM and "queue" not in text
    run = run_of(stack, text)
    assert (run["state"], run["end_reason"]) == ("crashed", "preempted")


def test_killed_run_of_another_is_left_alone(stack):
    """An agent of a single run starts afresh: it neither waits for nor repeats what a killed one had."""
    with start(stack, "--", "/bin/sh", "-c", "sleep 60") as first:
        run = wait_for(lambda: running_in(stack, "stopped"), 20, "the run is running")[0]
        first.kill()
    done = submit(stack, "-p", "stopped", "a=1", "--", *SHOW)
    assert done.returncode == 0 and run_of(stack, done.stdout)["run_id"] != run
    stack.command("stop", run)
    # an agent for the sweep takes the killed one's run up, and has no others
    sweep = run_of(stack, done.stdout)["sweep_id"]
    taking = subprocess.run([os.path.join(BIN, "besom-agent"), sweep], env=stack.environment, text=True, capture_output=True,
                            stdin=subprocess.DEVNULL, timeout=60)
    assert taking.returncode == 0 and f"Taking up run {run} again" in taking.stderr
    assert taking.stderr.splitlines()[-1].endswith("there are none to take")
    assert stack.json("why", run)["run"]["state"] == "killed"


def test_agent_takes_parameters_as_input(stack):
    command = [os.path.join(BIN, "besom-agent"), "--project", "lab", "--submit", "-", "--", *SHOW]
    done = subprocess.run(command, env=stack.environment, text=True, input='{"from": "input"}', capture_output=True, timeout=60)
    assert done.returncode == 0 and run_of(stack, done.stdout)["params"] == {"from": "input"}


def test_without_a_controller():
    home = LocalStack()
    try:
        done = home.command("submit", "--", "true", check=False)
        assert done.returncode == 4 and "besom up" in done.stderr
    finally:
        home.close()
