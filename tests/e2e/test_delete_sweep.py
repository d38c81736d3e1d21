# SPDX-License-Identifier: GPL-3.0-or-later
"""Deleting a whole sweep: what still lives in it is not lost by accident."""
from checkpoints import begin
from localstack import LocalStack, wait_for


def values(count):
    return "{values: [%s]}" % ", ".join(str(i) for i in range(count))


def pause_two(stack, number):
    sweep, _ = begin(stack, values(9), pace=0.1, rungs="1,3", patience=5)
    assert stack.start_agent(sweep, number, "--count", "2", "--workdir", stack.home).wait(60) == 0
    wait_for(lambda: stack.json("status", sweep)["counts"]["paused"] == 2, 20, "two runs are paused")
    return sweep


def test_paused_runs_keep_their_sweep():
    with LocalStack() as stack:
        sweep = pause_two(stack, 0)
        refused = stack.command("delete", sweep, check=False)
        assert refused.returncode == 1
        assert "0 running and 2 paused runs (cancel it first, or force the deletion)" in refused.stderr
        assert stack.json("status", sweep)["counts"]["paused"] == 2
        stack.command("sweep", "--cancel", sweep)
        stack.command("delete", sweep)
        assert stack.command("status", sweep, check=False).returncode == 3
        forced = pause_two(stack, 1)
        stack.command("delete", "--force", forced)
        assert stack.command("status", forced, check=False).returncode == 3
