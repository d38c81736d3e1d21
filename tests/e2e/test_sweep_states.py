# SPDX-License-Identifier: GPL-3.0-or-later
"""Pause, resume, stop and cancel: what agents and running runs do, within a second of the command."""
import time

import pytest

from localstack import LocalStack, wait_for

SLOW = """
method: random
metric: {name: loss, goal: minimize}
command: [/bin/sh, -c, "trap 'exit 9' TERM; i=0; while [ $i -lt 600 ]; do sleep 0.05; i=$((i+1)); done", "${args}"]
parameters:
  x: {min: 0.0, max: 1.0}
"""
# Ends by itself when a file appears.
GATED = """
method: random
metric: {{name: loss, goal: minimize}}
command: [/bin/sh, -c, "while [ ! -e {gate} ]; do sleep 0.05; done", "${{args}}"]
parameters:
  x: {{min: 0.0, max: 1.0}}
"""
# Orders are pushed: that takes milliseconds, and seconds on a machine that does much else. Benchmarks measure it.
WITHIN_S = 5.0


@pytest.fixture(scope="module")
def stack():
    with LocalStack() as running:
        yield running


def live(stack, sweep):
    return [run for run in stack.runs(sweep) if run["state"] in ("assigned", "running", "preempting")]


def started(stack, text, slots=2):
    sweep = stack.create(text)
    agent = stack.start_agent(sweep, sweep, "-j", str(slots))
    wait_for(lambda: sum(run["state"] == "running" for run in live(stack, sweep)) == slots, 10, "runs are running")
    return sweep, agent


def timed(stack, *arguments):
    begin = time.monotonic()
    stack.command(*arguments)
    return begin


def state(stack, sweep):
    return stack.json("status", sweep)["state"]


def test_pause_lets_runs_go_on_and_hands_nothing_out(stack):
    gate = stack.home + "/gate-pause"
    sweep, agent = started(stack, GATED.format(gate=gate))
    before = {run["run_id"] for run in live(stack, sweep)}
    stack.command("sweep", "--pause", sweep)
    assert state(stack, sweep) == "paused"
    assert {run["run_id"] for run in live(stack, sweep)} == before
    open(gate, "w").close()
    wait_for(lambda: not live(stack, sweep), 10, "the runs end")
    wait_for(lambda: "paused" in stack.agent_text(sweep), 10, "the agent says why it waits")
    assert {run["run_id"] for run in stack.runs(sweep)} == before, "a paused sweep handed out a run"
    assert agent.poll() is None
    begin = timed(stack, "sweep", "--resume", sweep)
    wait_for(lambda: {run["run_id"] for run in stack.runs(sweep)} > before, 10, "a run after resume")
    assert time.monotonic() - begin < WITHIN_S, "resume took too long to reach the agent"
    stack.command("sweep", "--stop", sweep)
    agent.wait(20)


def test_stop_completes_what_runs(stack):
    gate = stack.home + "/gate-stop"
    sweep, agent = started(stack, GATED.format(gate=gate))
    runs = {run["run_id"] for run in live(stack, sweep)}
    stack.command("sweep", "--stop", sweep)
    assert state(stack, sweep) == "finished"
    assert {run["run_id"] for run in live(stack, sweep)} == runs
    assert agent.poll() is None, "the agent left its runs"
    open(gate, "w").close()
    assert agent.wait(20) == 0
    ended = stack.runs(sweep)
    assert {run["run_id"] for run in ended} == runs
    assert {run["state"] for run in ended} == {"finished"}


def test_cancel_kills_at_once(stack):
    sweep, agent = started(stack, SLOW)
    begin = timed(stack, "sweep", "--cancel", sweep)
    wait_for(lambda: not live(stack, sweep), 10, "the runs are gone")
    took = time.monotonic() - begin
    assert state(stack, sweep) == "canceled"
    assert {run["state"] for run in stack.runs(sweep)} == {"killed"}
    assert agent.wait(20) == 0
    assert took < WITHIN_S, f"cancel took {took:.2f} s"


def test_resume_of_a_canceled_sweep_gives_new_runs(stack):
    sweep, agent = started(stack, SLOW, slots=1)
    stack.command("sweep", "--cancel", sweep)
    agent.wait(20)
    first = {run["run_id"] for run in stack.runs(sweep)}
    stack.command("sweep", "--resume", sweep)
    again = stack.start_agent(sweep, sweep, "-j", "1")
    wait_for(lambda: {run["run_id"] for run in live(stack, sweep)} - first, 10, "a new run after resume")
    stack.command("sweep", "--cancel", sweep)
    again.wait(20)


def test_states_that_do_not_allow_it(stack):
    sweep = stack.create(SLOW)
    stack.command("sweep", "--cancel", sweep)
    refused = stack.command("sweep", "--pause", sweep, check=False)
    assert refused.returncode == 1
    assert "annot pause" in refused.stderr and len(refused.stderr.strip().splitlines()) == 1
    assert stack.command("sweep", "--stop", sweep, check=False).returncode == 1


def test_stopping_one_run_leaves_the_others(stack):
    sweep, agent = started(stack, SLOW)
    victim, other = sorted(run["run_id"] for run in live(stack, sweep))
    begin = timed(stack, "stop", victim)
    wait_for(lambda: stack.json("why", victim)["run"]["state"] == "killed", 10, "the run is killed")
    assert time.monotonic() - begin < WITHIN_S
    assert stack.json("why", other)["run"]["state"] == "running"
    stack.command("sweep", "--cancel", sweep)
    agent.wait(20)
