# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines that are taken away: runs go on elsewhere where they were, and each kind of end is tried again or not."""
import os
import signal

import pytest

from localstack import LocalStack, processes, read_bytes, wait_for

# Ten rows, a checkpoint after each; the first attempt then waits to be taken away.
PROGRAM = """
import json, os, signal, socket, sys

signal.signal(signal.SIGTERM, lambda *_: None)  # it ends by itself, once it has read why
folder, attempt = os.environ["BESOM_RUN_DIR"], int(os.environ["BESOM_ATTEMPT"])
print("SAW", attempt, os.environ.get("BESOM_RESUME"), folder, os.listdir(folder), flush=True)
line = socket.socket(socket.AF_UNIX)
line.connect(os.environ["BESOM_RUN_SOCKET"])
checkpoint = os.path.join(folder, "checkpoint")
done = int(open(checkpoint).read()) if os.path.exists(checkpoint) else 0
for row in range(done, done + 10):
    line.sendall(json.dumps({"log": {"loss": 1 + row if attempt == 1 else 100 + row}}).encode() + b"\\n")
    open(checkpoint, "w").write(str(row + 1))
print("LOGGED", attempt, flush=True)
if attempt == 1:
    line.settimeout(60)
    print("TOLD", line.recv(4096).decode(), flush=True)
    sys.exit(1)
"""
SWEEP = """
method: grid
metric: {{name: loss, goal: minimize}}
command: [/usr/bin/python3, {program}]
parameters:
  x: {{values: [1]}}
"""


@pytest.fixture(scope="module")
def stack():
    with LocalStack() as running:
        yield running


def output(stack, sweep):
    return stack.agent_text(sweep) + stack.agent_text(f"{sweep}-b")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_preempted_run_goes_on_elsewhere(stack, number):
    sweep = stack.create(SWEEP.format(program=stack.write("program.py", PROGRAM)))
    folder = os.path.join(stack.home, f"runs-{sweep}")
    agent = stack.start_agent(sweep, sweep, "--run-dir", folder)
    wait_for(lambda: "LOGGED 1" in output(stack, sweep), 20, "the first attempt has logged")
    agent.send_signal(number)
    assert agent.wait(20) == 0
    run = stack.runs(sweep)[0]
    assert run["state"] == "pending"
    kept = os.path.join(folder, run["run_id"])
    assert read_bytes(os.path.join(kept, "checkpoint")) == b"10"
    assert 'TOLD {"stop"' in output(stack, sweep)
    assert stack.start_agent(sweep, f"{sweep}-b", "--run-dir", folder, "--host", "elsewhere").wait(30) == 0
    assert f"SAW 1 None {kept} []" in output(stack, sweep)
    assert f"SAW 2 1 {kept} ['checkpoint']" in output(stack, sweep)
    run = stack.runs(sweep)[0]
    assert (run["state"], run["attempt"], run["host"], run["objective"]) == ("finished", 2, "elsewhere", 1)
    assert read_bytes(os.path.join(kept, "checkpoint")) == b"20"


def test_history_of_a_preempted_run_is_whole(stack):
    sweep = stack.create(SWEEP.format(program=stack.write("program.py", PROGRAM)))
    folder = os.path.join(stack.home, f"runs-{sweep}")
    agent = stack.start_agent(sweep, sweep, "--run-dir", folder)
    wait_for(lambda: "LOGGED 1" in output(stack, sweep), 20, "the first attempt has logged")
    agent.send_signal(signal.SIGUSR1)
    assert agent.wait(20) == 0
    assert stack.start_agent(sweep, f"{sweep}-b", "--run-dir", folder).wait(30) == 0
    series = stack.json("metrics", stack.runs(sweep)[0]["run_id"])["series"]
    assert [one["name"] for one in series] == ["loss"]
    assert series[0]["steps"] == list(range(20))
    assert series[0]["values"] == list(range(1, 11)) + list(range(110, 120))


@pytest.mark.parametrize("number, said", [(signal.SIGUSR1, "taken away"), (signal.SIGTERM, "Told to end")])
def test_warning_and_termination_are_one_stop(stack, number, said):
    """SLURM sends the one and then the other, and a batch shell both again: the second must not cut the grace time short."""
    script = "trap 'sleep 1; echo SAVED; exit 3' TERM; echo READY; while :; do sleep 0.02; done"
    sweep = stack.create(f"method: grid\ncommand: [/bin/sh, -c, \"{script}\"]\nparameters: {{x: {{values: [1]}}}}\n")
    agent = stack.start_agent(sweep, sweep)
    wait_for(lambda: "READY" in output(stack, sweep), 20, "the command runs")
    agent.send_signal(number)
    wait_for(lambda: said in output(stack, sweep), 10, "the first signal was heard")
    agent.send_signal(number)
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(20) == 0
    assert "SAVED" in output(stack, sweep)
    assert [run["state"] for run in stack.runs(sweep)] == ["pending"]


def test_leaving_at_once_says_where_runs_wait(stack):
    script = "trap '' TERM; echo READY; while :; do sleep 0.02; done"
    sweep = stack.create(f"method: grid\nstop_grace: 8\ncommand: [/bin/sh, -c, \"{script}\"]\n"
                         "parameters: {x: {values: [1]}}\n")
    agent = stack.start_agent(sweep, sweep)
    wait_for(lambda: "READY" in output(stack, sweep), 20, "the command runs")
    agent.send_signal(signal.SIGTERM)
    wait_for(lambda: "Told to end" in output(stack, sweep), 10, "the first signal was heard")

    def ended_by_another():  # those that come soon after the first are the same
        agent.send_signal(signal.SIGTERM)
        return agent.poll() is not None

    wait_for(ended_by_another, 20, "a later signal ends the agent")
    assert agent.returncode == 1
    folder = os.path.join(stack.home, f"agent-{sweep}")
    line = [line for line in output(stack, sweep).splitlines() if "not reported" in line]
    assert len(line) == 1 and folder in line[0]
    assert line[0].endswith(f"besom agent --state-dir {folder} {sweep}")
    assert [run["state"] for run in stack.runs(sweep)] == ["running"]
    # the next one reports it: preempted, hence queued again, and it takes it
    agent = stack.start_agent(sweep, f"{sweep}-b", "--state-dir", folder)
    wait_for(lambda: stack.runs(sweep)[0]["attempt"] == 2, 20, "the run is in its second attempt")
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(20) == 0


def test_controller_is_away_when_the_agent_has_to_go(stack):
    sweep = stack.create(SWEEP.format(program=stack.write("program.py", PROGRAM)))
    folder = os.path.join(stack.home, f"runs-{sweep}")
    agent = stack.start_agent(sweep, sweep, "--run-dir", folder)
    wait_for(lambda: "LOGGED 1" in output(stack, sweep), 20, "the first attempt has logged")
    controllers = [pid for pid, name in stack.left_behind().items() if name == "besom-controlle"]
    for pid in controllers:
        os.kill(pid, signal.SIGSTOP)
    try:
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(30) == 1
    finally:
        for pid in controllers:
            os.kill(pid, signal.SIGCONT)
    assert controllers and "1 run is not reported" in output(stack, sweep)
    assert stack.start_agent(sweep, sweep, "--run-dir", folder).wait(30) == 0
    run = stack.runs(sweep)[0]
    assert (run["state"], run["attempt"], run["objective"]) == ("finished", 2, 1)


# How the first attempt ends; the second ends well.
ENDS = {
    "failed": "exit 3",
    "crashed": "kill -SEGV $$",
    "lost": "kill -KILL $PPID; sleep 60",
    "preempted": "/usr/bin/python3 {tell}; exit 3",
}
TELL = """
import os, socket
line = socket.socket(socket.AF_UNIX)
line.connect(os.environ["BESOM_RUN_SOCKET"])
line.sendall(b'{"preempting": true}\\n')
"""
END_STATES = {"failed": "failed", "crashed": "crashed", "lost": "crashed", "preempted": "crashed"}


def run_once(stack, end, on):
    script = f"[ $BESOM_ATTEMPT = 2 ] && exit 0; {ENDS[end]}".format(tell=stack.write("tell.py", TELL))
    sweep = stack.create("method: grid\nretry: {max: 1, on: [%s]}\ncommand: [/bin/sh, -c, \"%s\"]\n"
                         "parameters: {x: {values: [1]}}\n" % (on, script))
    assert stack.start_agent(sweep, sweep).wait(30) == 0
    run = stack.runs(sweep)[0]
    return run["state"], run["attempt"]


@pytest.mark.parametrize("end", ENDS)
def test_each_class_is_tried_again_where_the_file_says_so(stack, end):
    assert run_once(stack, end, end) == ("finished", 2)
    others = ", ".join(other for other in ENDS if other != end)
    assert run_once(stack, end, others) == (END_STATES[end], 1)


def test_nothing_is_left(stack):
    assert "besom-shim" not in [name for pid, (_, name) in processes().items() if pid in stack.left_behind()]
