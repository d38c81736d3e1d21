# SPDX-License-Identifier: GPL-3.0-or-later
"""metric.target: nothing new runs once a run has reached it, what runs completes."""
import pytest

from localstack import LocalStack, wait_for


@pytest.fixture(scope="module")
def stack():
    with LocalStack() as running:
        yield running


@pytest.mark.parametrize("goal, target, worse", [("maximize", 3, 0), ("minimize", -3, 0)])
def test_a_reached_target_ends_the_sweep(stack, goal, target, worse):
    sign = "" if goal == "maximize" else "-"
    sweep = stack.create(f"""
method: grid
metric: {{name: score, goal: {goal}, target: {target}}}
command: [sh, -c, "besom log score={sign}${{0#x=}}; sleep 0.4; besom log score={worse}", "${{args_no_hyphens}}"]
parameters: {{x: {{min: 1, max: 30}}}}
""")
    agent = stack.start_agent(sweep, sweep)
    assert agent.wait(60) == 0, stack.agent_text(sweep)
    status = stack.json("status", sweep)
    runs = stack.json("runs", sweep)["runs"]
    assert status["state"] == "finished" and "reached the target" in status["state_reason"], status
    assert [run["state"] for run in runs] == ["finished"] * 3, "the one that reached it completes, no more start"
    assert runs[-1]["run_id"] in status["state_reason"]
    assert runs[-1]["objective"] == target
    assert "reached the target" in stack.agent_text(sweep)


def test_a_resumed_sweep_goes_on_until_the_target_is_reached_again(stack):
    sweep = stack.create("""
method: grid
metric: {name: score, goal: maximize, target: 1}
command: [sh, -c, "besom log score=1", "${args}"]
parameters: {x: {min: 1, max: 3}}
""")
    for ended in (1, 2):
        assert stack.start_agent(sweep, f"{sweep}-{ended}").wait(60) == 0
        wait_for(lambda: stack.json("status", sweep)["state"] == "finished", 5, "the target")
        assert len(stack.json("runs", sweep)["runs"]) == ended
        stack.command("sweep", "--resume", sweep)


def test_a_target_that_an_update_brings_within_reach_ends_the_sweep(stack):
    text = """
method: grid
metric: {{name: score, goal: maximize, target: {target}}}
command: [sh, -c, "besom log score=${{0#x=}}", "${{args_no_hyphens}}"]
parameters: {{x: {{min: 1, max: 30}}}}
"""
    sweep = stack.create(text.format(target=100))
    assert stack.start_agent(sweep, f"{sweep}-few", "--count", "4").wait(60) == 0
    for target, state in ((50, "running"), (4, "finished")):
        stack.command("sweep", "--update", sweep, stack.write("sweep.yaml", text.format(target=target)))
        assert stack.json("status", sweep)["state"] == state
    assert "reached the target" in stack.json("status", sweep)["state_reason"]
