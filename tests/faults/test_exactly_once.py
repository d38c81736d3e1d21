# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole sweeps while services, agents and PostgreSQL are killed: every point once, no metric lost or doubled.

FAULTS_POINTS, FAULTS_AGENTS and FAULTS_SLOTS set the size (short by default; the full form is 500, 8, 4).
"""
import os
import time

import harness
import point

POINTS = int(os.environ.get("FAULTS_POINTS", "60"))
AGENTS = int(os.environ.get("FAULTS_AGENTS", "3"))
SLOTS = int(os.environ.get("FAULTS_SLOTS", "4"))
LIMIT_S = 240 + 4 * POINTS

HEAD = f"""
program: {harness.POINT}
command: [/usr/bin/python3, "${{program}}", "${{args}}"]
metric: {{name: value, goal: maximize}}
retry: {{max: 10, on: [lost, preempted, crashed]}}
"""


def grid():
    points = "\n".join(f"      - {number}" for number in range(POINTS))
    return HEAD + f"method: grid\nparameters:\n  point:\n    values:\n{points}\n  seconds: {{value: auto}}\n"


def finish(stack, points):
    attempts = harness.read_journal(stack.journal)
    harness.check_journal(attempts, points)
    status = stack.state()
    assert status["state"] == "finished", status
    assert status["counts"]["finished"] == points, status["counts"]
    harness.check_metrics(stack, attempts, point.VALUES)
    batches = harness.check_acknowledged(stack, attempts)
    print(f"{points} points, {len(attempts)} attempts, {batches} of them with acknowledged batches")


def sweep_under_fire(text, points, every=2.0, between=None):
    rng = harness.new_rng()
    stack = harness.Stack(SLOTS)
    try:
        stack.up()
        stack.sweep = stack.create(text)
        for number in range(AGENTS):
            stack.add_agent(number)
        killed = harness.run_under_fire(stack, rng, LIMIT_S, every, between and between(stack))
        print(f"killed {len(killed)}: {sorted(set(killed))}")
        assert killed, "nothing was killed"
        finish(stack, points)
    finally:
        stack.close()


def test_grid_hands_out_each_point_once():
    sweep_under_fire(grid(), POINTS)


def test_random_stays_below_its_cap_through_an_outage():
    """run_cap runs, with the database away for three lease times in the middle."""
    text = HEAD + (f"method: random\nrun_cap: {POINTS}\nparameters:\n  point: {{distribution: uniform, min: 0, max: 1}}\n"
                   "  seconds: {value: auto}\n")

    def outage(stack):
        moment = {"begin": None, "done": False}

        def between():
            if moment["done"] or not os.path.exists(stack.journal):
                return
            ended = sum(line.startswith("end") for line in open(stack.journal))
            if moment["begin"] is None and ended >= POINTS // 3:
                if stack.stop_database():
                    moment["begin"] = time.monotonic()
            elif moment["begin"] is not None and time.monotonic() - moment["begin"] > 3 * harness.LEASE_S:
                stack.start_database()
                moment["done"] = True

        return between

    sweep_under_fire(text, POINTS, between=outage)
