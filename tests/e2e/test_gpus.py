# SPDX-License-Identifier: GPL-3.0-or-later
"""GPUs of an agent are shared out: each run sees its own, and no two runs the same, whatever happens to the agent."""
import os

import pytest

from localstack import LocalStack, read_bytes, wait_for

# Each run says which GPUs it has when it starts and when it ends, which is when the gate's file appears.
SWEEP = """
method: grid
command: [/bin/sh, -c, "echo START $BESOM_RUN_ID ${{CUDA_VISIBLE_DEVICES-unset}} >> {trace}; \
while [ ! -e {gate} ]; do sleep 0.02; done; echo END $BESOM_RUN_ID $CUDA_VISIBLE_DEVICES >> {trace}"]
parameters:
  x: {{values: [1, 2, 3, 4, 5, 6]}}
"""


@pytest.fixture(scope="module")
def stack():
    with LocalStack() as running:
        running.environment.pop("CUDA_VISIBLE_DEVICES", None)
        yield running


@pytest.fixture
def swept(stack, request):
    """(sweep id, function that reads the trace, function that opens the gate)."""
    trace = os.path.join(stack.home, request.node.name + ".trace")
    gate = os.path.join(stack.home, request.node.name + ".gate")

    def read():
        return [line.split() for line in read_bytes(trace).decode().splitlines()]
    return stack.create(SWEEP.format(trace=trace, gate=gate)), read, lambda: open(gate, "w").close()


def starts(trace):
    return [line[2] for line in trace if line[0] == "START"]


def check_never_shared(trace):
    used = {}
    for word, run, gpus in trace:
        for gpu in gpus.split(","):
            if word == "START":
                assert gpu not in used, f"{gpu} was given to {used[gpu]} and {run}"
                used[gpu] = run
            else:
                assert used.pop(gpu) == run
    assert not used


def test_each_run_has_its_own(stack, swept):
    sweep, trace, open_gate = swept
    agent = stack.start_agent(sweep, sweep, "--gpus", "0-4", "--gpus-per-run", "2")
    wait_for(lambda: len(trace()) == 2, 20, "two runs have started")
    assert sorted(starts(trace())) == ["0,1", "2,3"]
    open_gate()
    assert agent.wait(30) == 0
    assert len(starts(trace())) == 6 and set(starts(trace())) == {"0,1", "2,3"}
    check_never_shared(trace())
    text = stack.agent_text(sweep)
    assert all(f"Agent Starting Run: {run['run_id']} on GPU " in text for run in stack.runs(sweep))


def test_auto_is_what_the_agent_may_use(stack, swept):
    sweep, trace, open_gate = swept
    open_gate()
    stack.environment["CUDA_VISIBLE_DEVICES"] = "GPU-aaaa,GPU-bbbb"
    try:
        assert stack.start_agent(sweep, sweep, "--gpus", "auto").wait(30) == 0
        stack.environment["CUDA_VISIBLE_DEVICES"] = ""
        assert stack.start_agent(sweep, f"{sweep}-b", "--gpus", "auto").wait(10) == 2
    finally:
        del stack.environment["CUDA_VISIBLE_DEVICES"]
    assert set(starts(trace())) <= {"GPU-aaaa", "GPU-bbbb"} and len(starts(trace())) == 6
    check_never_shared(trace())
    assert "CUDA_VISIBLE_DEVICES names none" in stack.agent_text(f"{sweep}-b")


def test_runs_see_what_the_agent_sees_without_the_option(stack, swept):
    sweep, trace, open_gate = swept
    open_gate()
    assert stack.start_agent(sweep, sweep, "--count", "1").wait(20) == 0
    stack.environment["CUDA_VISIBLE_DEVICES"] = "7"
    try:
        assert stack.start_agent(sweep, sweep, "--count", "1").wait(20) == 0
    finally:
        del stack.environment["CUDA_VISIBLE_DEVICES"]
    assert starts(trace()) == ["unset", "7"]


@pytest.mark.parametrize("arguments,word", [
    (["--gpus", "0-3", "-j", "5"], "suffice for 4 runs"),
    (["--gpus", "0-3", "--gpus-per-run", "2", "-j", "3"], "leave -j out"),
    (["--gpus", "0", "--gpus-per-run", "2"], "too few"),
    (["--gpus", "0,x y"], "is no GPU"),
    (["--gpus-per-run", "2"], "is for --gpus"),
])
def test_what_does_not_fit_is_refused(stack, arguments, word):
    agent = stack.start_agent("aaaaaaaa", "refused", *arguments)
    assert agent.wait(10) == 2
    assert word in stack.agent_text("refused").splitlines()[-1]


def test_runs_taken_up_again_keep_theirs(stack, swept):
    sweep, trace, open_gate = swept
    agent = stack.start_agent(sweep, sweep, "--gpus", "0-1", "--gpus-per-run", "2")
    wait_for(lambda: len(trace()) == 1, 20, "a run has started")
    agent.kill()
    agent.wait()
    agent = stack.start_agent(sweep, sweep, "--gpus", "0-2")  # now one each, and one more
    wait_for(lambda: len(trace()) == 2, 20, "the free GPU is used")
    wait_for(lambda: "hold the GPUs" in stack.agent_text(sweep), 10, "a slot waits for the others")
    assert starts(trace()) == ["0,1", "2"]
    agent.kill()
    agent.wait()
    agent = stack.start_agent(sweep, sweep, "--gpus", "GPU-aaaa")  # may be any of those that are used
    wait_for(lambda: stack.agent_text(sweep).count("Taking up run") == 3, 10, "both runs are taken up again")
    open_gate()
    assert agent.wait(30) == 0
    assert starts(trace()) == ["0,1", "2"] + ["GPU-aaaa"] * 4
    check_never_shared(trace())
