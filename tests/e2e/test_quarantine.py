# SPDX-License-Identifier: GPL-3.0-or-later
"""A host whose runs fail at once is kept away from the sweep, once the sweep works elsewhere."""
import os

import pytest

from localstack import LocalStack, wait_for

# Fails in the folder of the bad host, as a program does where a driver or a mount is missing.
SWEEP = """
method: grid
command: [/bin/sh, -c, "[ -e good ] || exit 3; while [ ! -e {gate} ]; do sleep 0.02; done"]
parameters:
  x: {{values: [1, 2, 3, 4, 5, 6, 7, 8]}}
"""


@pytest.fixture(scope="module")
def stack():
    with LocalStack() as running:
        yield running


@pytest.fixture
def swept(stack, request):
    """(sweep id, function that starts an agent on a host, function that opens the gate)."""
    gate = os.path.join(stack.home, request.node.name + ".gate")
    sweep = stack.create(SWEEP.format(gate=gate))
    for folder in ("good", "bad"):
        os.makedirs(os.path.join(stack.home, folder), exist_ok=True)
    stack.write("good/good", "")

    def start(host, number, *arguments):
        folder = os.path.join(stack.home, "bad" if host == "bad" else "good")
        return stack.start_agent(sweep, f"{sweep}-{number}", "--host", host, "--workdir", folder, *arguments)
    return sweep, start, lambda: open(gate, "w").close()


def text(stack, sweep, number):
    return stack.agent_text(f"{sweep}-{number}")


def test_bad_host_is_refused_while_others_work(stack, swept):
    sweep, start, open_gate = swept
    open_gate()
    assert start("good", 1, "--count", "1").wait(20) == 0
    assert start("bad", 2).wait(20) == 1
    assert "3 runs failed in the first 60 seconds" in text(stack, sweep, 2)
    # again, as a scheduler does: no run is touched
    assert start("bad", 3).wait(20) == 1
    last = text(stack, sweep, 3).splitlines()[-1]
    assert "host bad is quarantined" in last and "3 runs failed" in last and "--ignore-quarantine" in last
    counts = [run["state"] for run in stack.runs(sweep)]
    assert counts.count("failed") == 3 and counts.count("finished") == 1
    # its user knows better; from then on it is a host as others
    stack.write("bad/good", "")
    assert start("bad", 4, "--ignore-quarantine", "--count", "1").wait(20) == 0
    assert start("bad", 5).wait(20) == 0
    os.unlink(os.path.join(stack.home, "bad/good"))
    counts = [run["state"] for run in stack.runs(sweep)]
    assert counts.count("failed") == 3 and counts.count("finished") == 5


def test_first_host_may_come_again(stack, swept):
    """While nothing has finished elsewhere the fault may be the sweep's."""
    sweep, start, open_gate = swept
    open_gate()
    assert start("bad", 1).wait(20) == 1
    assert start("bad", 2).wait(20) == 1
    assert "quarantined" not in text(stack, sweep, 2) and "3 runs failed" in text(stack, sweep, 2)


def test_who_goes_on_in_spite_of_failures_is_not_quarantined(stack, swept):
    sweep, start, open_gate = swept
    open_gate()
    stack.environment.update(WANDB_AGENT_DISABLE_FLAPPING="true", WANDB_AGENT_MAX_INITIAL_FAILURES="100")
    try:
        assert start("good", 1, "--count", "1").wait(20) == 0
        assert start("bad", 2, "--count", "4").wait(20) == 0
        assert start("bad", 3, "--count", "1").wait(20) == 0
    finally:
        for name in ("WANDB_AGENT_DISABLE_FLAPPING", "WANDB_AGENT_MAX_INITIAL_FAILURES"):
            del stack.environment[name]
    assert [run["state"] for run in stack.runs(sweep)].count("failed") == 5


def test_preempted_runs_are_no_failures(stack):
    tell = stack.write("tell.py", 'import os, socket\nline = socket.socket(socket.AF_UNIX)\n'
                                  'line.connect(os.environ["BESOM_RUN_SOCKET"])\nline.sendall(b\'{"preempting": true}\\n\')\n')
    sweep = stack.create("method: grid\nretry: {max: 1}\ncommand: [/bin/sh, -c, \"/usr/bin/python3 %s; exit 3\"]\n"
                         "parameters: {x: {values: [1, 2, 3]}}\n" % tell)
    agent = stack.start_agent(sweep, sweep)
    assert agent.wait(60) == 0
    assert [(run["state"], run["attempt"]) for run in stack.runs(sweep)] == [("crashed", 2)] * 3
    wait_for(lambda: f"sweep {sweep} is finished" in stack.agent_text(sweep), 5, "it left because all is done")
