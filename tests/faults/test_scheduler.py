# SPDX-License-Identifier: GPL-3.0-or-later
"""A scheduler that is away for some seconds: nothing but its decisions waits, and on its return none is missing.

FAULTS_AWAY_S sets for how long it is killed whenever it comes back.
"""
import os
import signal
import time

import localstack
from test_database import connect

AWAY_S = float(os.environ.get("FAULTS_AWAY_S", "4"))
BACK_S = 1.0
ETA = 2
TRAIN = '''
import json, os, socket, sys, time
point = float(sys.argv[1].split("=")[1])
run = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
run.connect(os.environ["BESOM_RUN_SOCKET"])
for row in range(1, int(os.environ["ROWS"])):
    run.sendall((json.dumps({"log": {"loss": (point * 7919 % 31) + 1 / row}}) + "\\n").encode())
    time.sleep(0.1)
'''
SWEEP = """
method: grid
metric: {{name: loss, goal: minimize}}
program: {program}
command: [/usr/bin/python3, "${{program}}", "${{args}}"]
early_terminate: {{type: hyperband, min_iter: 3, eta: {eta}}}
parameters:
  point: {{values: [{points}]}}
"""


def figures(database, sweep):
    """How many values were numbered, and how many of them decided."""
    database.execute("SELECT c.rung_values, d.decided FROM besom.sweep_counters c "
                     "JOIN besom.sweep_deciders d USING (sweep_id) WHERE c.sweep_id = %s", (sweep,))
    return database.fetchone()


def keep_away(stack, seconds):
    """Kills each scheduler that comes up, for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for pid in stack.pids("besom-scheduler"):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.02)


def decide_plainly(values):
    """What the rule says of each value in the order of their numbers: (threshold, stop)."""
    at_band, decisions = {}, []
    for band, value in values:
        reached = at_band.setdefault(band, [])
        reached.append(value)
        threshold = sorted(reached)[int(len(reached) / ETA)]
        decisions.append((threshold, value > threshold))
    return decisions


def check_replay(database, sweep):
    database.execute("SELECT v.band, v.value, d.threshold, d.stop FROM besom.rung_values v LEFT JOIN besom.stop_decisions d "
                     "USING (sweep_id, number) WHERE v.sweep_id = %s ORDER BY v.number", (sweep,))
    rows = database.fetchall()
    assert [(threshold, stop) for _, _, threshold, stop in rows] == decide_plainly([row[:2] for row in rows])
    return len(rows)


def check_ends(stack, database, sweep):
    """Who was to stop, at one band or at several that were decided together, did, unless it had ended by then."""
    database.execute("SELECT DISTINCT run_id FROM besom.stop_decisions WHERE sweep_id = %s AND stop", (sweep,))
    condemned = {row[0] for row in database.fetchall()}
    states = {run["run_id"]: run["state"] for run in stack.runs(sweep)}
    assert {run for run, state in states.items() if state == "stopped"} <= condemned and condemned
    outrun = {run for run in condemned if states[run] != "stopped"}
    assert all(states[run] == "finished" for run in outrun), states
    database.execute("SELECT count(*) FROM besom.directives WHERE sweep_id = %s AND kind = 'stop_early' AND run_id = ANY(%s)",
                     (sweep, list(outrun)))
    assert database.fetchone()[0] == 0, "a run that was told to stop went on to its end"
    told = stack.json("brackets", sweep)["bands"]
    assert sum(band["outrun"] for band in told) >= len(outrun)
    return len(outrun)


def test_no_decision_is_missing_when_the_scheduler_is_back():
    with localstack.LocalStack() as stack:
        stack.environment["ROWS"] = str(81 + int(10 * AWAY_S))  # still running when it is back
        points = ", ".join(str(number) for number in range(20))
        sweep = stack.create(SWEEP.format(program=stack.write("train.py", TRAIN), eta=ETA, points=points))
        agent = stack.start_agent(sweep, 0, "-j", "6")
        database = connect(stack).cursor()
        localstack.wait_for(lambda: figures(database, sweep)[1] > 0, 30, "the first decision")
        keep_away(stack, AWAY_S)
        numbered, decided = figures(database, sweep)
        assert numbered > decided, "no value came while the scheduler was away"
        localstack.wait_for(lambda: stack.pids("besom-scheduler"), 30, "the scheduler is back")
        back = time.monotonic()
        numbered = figures(database, sweep)[0]
        localstack.wait_for(lambda: figures(database, sweep)[1] >= numbered, 10, "all is decided")
        took = time.monotonic() - back
        assert agent.wait(120) == 0
        assert took < BACK_S, f"{numbered - decided} values were decided {took:.2f} s after the scheduler was back"
        count = check_replay(database, sweep)
        outrun = check_ends(stack, database, sweep)
        print(f"{numbered - decided} of {count} values waited and were decided in {took:.2f} s; {outrun} runs had ended")
