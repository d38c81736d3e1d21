# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that pause at rungs and go on from their checkpoints when they are promoted (hyperband_full)."""
import os
import re
import signal

import pytest
from checkpoints import RULE, SWEEP, begin, check_notes, read
from json_lines import JsonLines
from localstack import LocalStack, wait_for

# max_iter 9, eta 3: brackets of 9 runs (rungs 1 and 3), 5 (rung 3) and 3 (none).
ROUND = 17
EPOCHS_OF_A_ROUND = 9 * 1 + 3 * 2 + 1 * 6 + 5 * 3 + 1 * 6 + 3 * 9


def values(count):
    return "{values: [%s]}" % ", ".join(str(7 * i % 17 + 17 * (i // 17)) for i in range(count))


def table(stack, sweep):
    """(first ordinal, bracket, rung) → its row of `besom brackets`."""
    return {(one["cohort"], one["bracket"], one["band"]): one for one in stack.json("brackets", sweep)["cohorts"]}


def check_round(stack, sweep):
    """Each cohort came to its end as the table says: the best by x went on, as x decides alone."""
    rungs = table(stack, sweep)
    planned = {key: (one["planned"], one["promoted"], one["stopped"], one["paused"]) for key, one in rungs.items()}
    assert planned == {(0, 2, 1): (9, 3, 6, 0), (0, 2, 3): (3, 1, 2, 0), (9, 1, 3): (5, 1, 4, 0)}
    runs = sorted(stack.runs(sweep), key=lambda run: run["ordinal"])
    first, second = runs[:9], runs[9:14]
    expected = {min(first, key=lambda run: run["params"]["x"])["run_id"],
                min(second, key=lambda run: run["params"]["x"])["run_id"], *(run["run_id"] for run in runs[14:17])}
    assert {run["run_id"] for run in runs if run["state"] == "finished"} == expected
    assert {run["state"] for run in runs} == {"finished", "stopped"}
    assert {run["end_reason"] for run in runs if run["state"] == "stopped"} == {"early_stop"}


def finish(stack, sweep, agents):
    for agent in agents:
        assert agent.wait(180) == 0
    wait_for(lambda: stack.json("status", sweep)["state"] == "finished", 10, "the sweep is finished")


@pytest.mark.parametrize("slots", [4, 1])
def test_every_bracket_completes_and_promoted_runs_go_on(slots):
    with LocalStack() as stack:
        patience = 3 if slots > 1 else 1
        sweep, notes = begin(stack, values(ROUND), pace=0.2, rungs="1,3", patience=patience)
        finish(stack, sweep, [stack.start_agent(sweep, 0, "-j", str(slots), "--workdir", stack.home)])
        check_round(stack, sweep)
        spent = check_notes(notes)
        assert len(spent) == ROUND
        # An order that comes late lets a run do another epoch.
        assert EPOCHS_OF_A_ROUND <= sum(spent.values()) <= EPOCHS_OF_A_ROUND + 4, spent
        best = next(run for run in stack.runs(sweep) if run["ordinal"] == 0)
        why = stack.json("why", best["run_id"])
        assert [(one["band"], one["promoted"], one["rank"], one["planned"]) for one in why["verdicts"]] == [
            (1, True, 1, 9), (3, True, 1, 3)]
        assert best["attempt"] <= 3 and best["state"] == "finished"
        loser = next(run for run in stack.runs(sweep) if run["params"]["x"] == 15)
        text = stack.command("why", loser["run_id"]).stdout
        assert "verdict at band 1: ended there, number 9 of 9 in bracket 2" in text, text
        assert "paused at epoch 1" in text or "number 9 of 9" in text
        assert stack.json("status", sweep)["counts"]["paused"] == 0


def test_a_small_grid_closes_its_cohort():
    with LocalStack() as stack:
        sweep, notes = begin(stack, values(4), pace=0.2)
        finish(stack, sweep, [stack.start_agent(sweep, 0, "-j", "2", "--workdir", stack.home)])
        runs = stack.runs(sweep)
        assert sorted(run["state"] for run in runs) == ["finished", "stopped", "stopped", "stopped"]
        assert next(run for run in runs if run["state"] == "finished")["params"]["x"] == 0
        rungs = table(stack, sweep)
        assert [(one["planned"], one["promoted"]) for one in rungs.values()] == [(4, 1), (1, 1)]
        check_notes(notes)


def test_failures_are_the_worst_of_their_cohort():
    with LocalStack() as stack:
        sweep, notes = begin(stack, values(9), pace=0.2, fails_from=12)
        finish(stack, sweep, [stack.start_agent(sweep, 0, "-j", "3", "-f", "--workdir", stack.home)])
        states = {run["params"]["x"]: run["state"] for run in stack.runs(sweep)}
        assert {x for x, state in states.items() if state == "failed"} == {14, 15}
        assert {x for x, state in states.items() if state == "finished"} == {0}
        rung = table(stack, sweep)[0, 2, 1]
        assert (rung["planned"], rung["reached"], rung["ended"], rung["promoted"], rung["stopped"]) == (9, 7, 2, 3, 4)
        failed = next(run for run in stack.runs(sweep) if run["state"] == "failed")
        assert "it had ended without a value there" in stack.command("why", failed["run_id"]).stdout
        check_notes(notes)


def paused(stack, sweep, count):
    return wait_for(lambda: stack.json("status", sweep)["counts"]["paused"] >= count, 60, f"{count} runs are paused")


def test_stop_and_cancel_end_paused_runs():
    with LocalStack() as stack:
        for order, state, reason in (("--stop", "stopped", "early_stop"), ("--cancel", "killed", "user")):
            sweep, _ = begin(stack, values(ROUND), pace=0.2)
            agent = stack.start_agent(sweep, 0, "-j", "2", "--workdir", stack.home)
            paused(stack, sweep, 2)
            stack.command("sweep", order, sweep)
            assert agent.wait(60) in (0, 1)
            wait_for(lambda: stack.json("status", sweep)["counts"]["paused"] == 0, 10, "no run is paused")
            ended = [run for run in stack.runs(sweep) if run["attempt"] > 0]
            assert len(ended) >= 2
            # a promoted one may wait for an agent that never comes
            assert {(run["state"], run["end_reason"]) for run in ended if run["state"] not in ("pending", "finished")} == {
                (state, reason)}


def test_a_paused_run_is_stopped_and_deleted():
    with LocalStack() as stack:
        sweep, notes = begin(stack, values(9), pace=0.2)
        agent = stack.start_agent(sweep, 0, "--count", "2", "--workdir", stack.home)
        assert agent.wait(60) == 0
        paused(stack, sweep, 2)
        for run in stack.runs(sweep):
            if run["state"] == "paused":
                stack.command("stop", run["run_id"])
                gone = run["run_id"]
        ended = [run for run in stack.runs(sweep) if run["attempt"] > 0]
        assert {(run["state"], run["end_reason"]) for run in ended} == {("killed", "user")}
        stack.command("delete", "-y", gone)
        finish(stack, sweep, [stack.start_agent(sweep, 1, "-j", "3", "--workdir", stack.home)])
        rung = table(stack, sweep)[0, 2, 1]
        assert (rung["planned"], rung["reached"], rung["promoted"], rung["stopped"]) == (9, 9, 3, 4)
        check_notes(notes)


def kill_all(stack, name):
    for pid in stack.pids(name):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def test_kill_9_of_each_process_changes_nothing():
    with LocalStack(BESOM_LOST_AFTER="20s") as stack:
        sweep, notes = begin(stack, values(ROUND), pace=0.2, rungs="1,3", patience=8)
        agents = [stack.start_agent(sweep, i, "-j", "2", "--workdir", stack.home) for i in range(2)]
        for count, name in ((3, "besom-scheduler"), (5, "besom-controller"), (7, "besom-scheduler")):
            wait_for(lambda: len({note["run"] for note in read(notes)}) >= count, 60, f"{count} runs have begun")
            kill_all(stack, name)
        agents[0].kill()
        agents.append(stack.start_agent(sweep, 0, "-j", "2", "--workdir", stack.home))
        finish(stack, sweep, agents[1:])
        check_round(stack, sweep)
        spent = check_notes(notes)
        assert len(spent) == ROUND and max(spent.values()) == 9


CONFIG = {"method": "random", "metric": {"name": "loss"}, "resume": True, "parameters": {"x": {"min": 0, "max": 1}},
          "early_terminate": {"type": "hyperband_full", "max_iter": 9}}


def history(*losses):
    return [{"loss": loss} for loss in losses]


def test_offline_runs_pause_and_resume():
    with JsonLines("besom-scheduler") as service:
        assert service.must("init", config=CONFIG)["bands"] == [1, 3]
        for i in range(8):
            service.must("run", id=f"r{i}", state="paused" if i else "running", history=history(float(i)))
        answer = service.must("decide")
        assert (answer["stop"], answer["pause"], answer["resume"]) == ([], ["r0"], [])
        assert answer["why"]["r0"]["reason"] == "paused at row 1: 1 of the 9 runs of its cohort have come"
        service.must("run", id="r8", state="failed", history=[])
        answer = service.must("decide")
        assert answer["resume"] == ["r1", "r2"] and answer["pause"] == []
        assert answer["stop"] == [f"r{i}" for i in range(3, 8)]
        assert answer["why"]["r5"]["rank"] == 6
        service.must("run", id="r0", state="finished", history=history(0.0))
        service.must("run", id="r1", state="running", history=history(1.0, 1.0, -1.0))
        service.must("run", id="r2", state="paused", history=history(2.0, 2.0, 2.0))
        answer = service.must("decide")
        assert answer["resume"] == [] and "r2" in answer["stop"] and "r1" not in answer["stop"]


def test_offline_no_more_runs_come():
    with JsonLines("besom-scheduler") as service:
        service.must("init", config=CONFIG)
        for i in range(4):
            service.must("run", id=f"r{i}", state="paused", history=history(float(i)))
        assert service.must("decide")["resume"] == []
        service.must("close")
        answer = service.must("decide")
        assert answer["resume"] == ["r0"] and answer["stop"] == ["r1", "r2", "r3"]


def test_the_file_is_checked():
    with LocalStack() as stack:
        text = SWEEP.format(
            program="train.py", method="random", x="{min: 0, max: 1}", rule=RULE.format(epochs=9))
        right = stack.command("check", stack.write("right.yaml", text)).stdout
        assert "9 at 1, 3 at 3, 1 to 9" in right and "5 at 3, 1 to 9" in right, right
        brackets = stack.json("check", stack.write("right.yaml", text))["brackets"]
        assert [(one["bracket"], one["rungs"]) for one in brackets] == [
            (2, [[1, 9], [3, 3], [9, 1]]), (1, [[3, 5], [9, 1]]), (0, [[9, 3]])]
        without = stack.command("check", stack.write("wrong.yaml", text.replace("resume: true\n", "")), check=False)
        assert without.returncode == 2 and "add resume: true" in without.stderr


def test_what_it_would_have_done():
    """A sweep without a rule, replayed under the cohorts of its runs: what they stop is what lies behind."""
    with LocalStack() as stack:
        sweep, _ = begin(stack, values(ROUND), pace=0.02, rule=None)
        finish(stack, sweep, [stack.start_agent(sweep, 0, "-j", "4", "--workdir", stack.home)])
        replay = stack.json("replay", sweep, "--early-terminate", "type: hyperband_full, max_iter: 9")
        given = next(rule for rule in replay["rules"] if rule["rule"] == "given")
        assert (given["stopped"], given["rows"], given["best_stopped"]) == (12, EPOCHS_OF_A_ROUND, False)


def test_the_page_is_right():
    """The program and the table of docs/early-stopping.md; an epoch takes as long as an order may."""
    with open(os.path.join(os.path.dirname(__file__), "..", "..", "docs", "early-stopping.md")) as file:
        page = file.read().split("## Runs that pause")[1].split("\n## ")[0]
    program = re.search(r"```python\n(.*?)```", page, re.S).group(1)
    program = program.replace('state["epoch"] += 1', 'state["epoch"] += 1; import time; time.sleep(0.1)')
    head = re.search(r"\n\n((?:    [^\n]*\n)+)", page).group(1).replace("\n    ", "\n")[4:]
    with LocalStack() as stack:
        text = head.replace("run_cap: 98", "run_cap: 49") + (
            "metric: {name: loss}\nparameters: {lr: {min: 0.0, max: 0.5}}\ncommand: [/usr/bin/python3, "
            + stack.write("train.py", program) + "]\n")
        table_text = stack.command("check", stack.write("sweep.yaml", text)).stdout.split("Early termination")[1]
        for line in table_text.splitlines()[:9]:
            assert line.strip() in page, line
        sweep = stack.create(text)
        finish(stack, sweep, [stack.start_agent(sweep, 0, "-j", "6", "--workdir", stack.home)])
        assert [(one["bracket"], one["band"], one["planned"], one["promoted"]) for one in table(stack, sweep).values()] == [
            (3, 1, 27, 9), (3, 3, 9, 3), (3, 9, 3, 1), (2, 3, 12, 4), (2, 9, 4, 1), (1, 9, 6, 2)]
        assert sum(run["state"] == "finished" for run in stack.runs(sweep)) == 1 + 1 + 2 + 4
