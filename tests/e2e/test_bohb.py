# SPDX-License-Identifier: GPL-3.0-or-later
"""early_terminate: bohb: runs that pause, chosen by a model of the highest rung that has enough values."""
from checkpoints import begin, check_notes
from localstack import LocalStack, wait_for

RULE = "early_terminate: {{type: bohb, max_iter: {epochs}, step_metric: epoch}}"
SPACE = "{min: 0.0, max: 1.0}"
RUNS = 17  # max_iter 9, eta 3: brackets of 9, 5 and 3


def search(stack, agents, seed=4):
    """The runs of a whole round in order, with their suggestions."""
    sweep, notes = begin(stack, SPACE, method="bayes", rule=RULE, pace=0.05, more=f"seed: {seed}\nrun_cap: {RUNS}\n",
                         rungs="1,3", patience=1)
    for number in range(agents):
        stack.start_agent(sweep, number, "--workdir", stack.home)
    for number in range(agents):
        assert stack.agents[number].wait(180) == 0, stack.agent_text(number)
    wait_for(lambda: stack.json("status", sweep)["state"] == "finished", 10, "the sweep is finished")
    check_notes(notes)
    runs = sorted(stack.runs(sweep), key=lambda run: run["ordinal"])
    return runs, [stack.json("why", run["run_id"])["suggestion"] for run in runs]


def test_a_round_is_searched_by_the_highest_rung_with_enough_values():
    with LocalStack() as stack:
        runs, whys = search(stack, 3)
        assert len(runs) == RUNS and {run["state"] for run in runs} == {"finished", "stopped"}
        budgets = [why["budget"] for why in whys]
        assert {budget["unit"] for budget in budgets} == {"epoch"}
        assert budgets[0] == {"at": 1, "unit": "epoch", "values": 0} and whys[0]["phase"] == "start"
        # one dimension: three values are enough, at rung 1 for the first bracket, at rung 3 for those after it
        assert [budget["at"] for budget in budgets[:9]] == [1] * 9
        assert all(budget["at"] in (3, 9) and budget["values"] >= 3 for budget in budgets[14:])
        learnt = [n for n, why in enumerate(whys) if why["phase"] == "model" and budgets[n]["at"] > 1]
        assert learnt, whys
        text = stack.command("why", runs[learnt[-1]]["run_id"]).stdout
        budget = budgets[learnt[-1]]
        assert f"fitted at     epoch {budget['at']}, which {budget['values']} runs have come to" in text, text


def test_the_same_rung_values_give_the_same_suggestions():
    with LocalStack() as stack:
        first, whys = search(stack, 1)
        again, whys_again = search(stack, 1)
        assert [run["params"] for run in first] == [run["params"] for run in again]
        assert whys == whys_again
