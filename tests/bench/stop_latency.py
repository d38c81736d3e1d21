#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the logged value that early stopping condemns to SIGTERM at the program that logged it.

    tests/bench/stop_latency.py [--runs N]    BESOM_BIN names the folder of the programs (default build/release/bin)

Sixteen agents, each with its shim and its program, take the runs of one sweep under hyperband; every run is worse than
those before it, so its third row is its last. Both moments are on the program's own clock: before the line goes to the run
socket, and when the signal is taken. Meanwhile ten more runs of another sweep log 5,000 points a second in all. A run that
was stopped without its program noting it, or the other way round, is a failure, and so is a point of the traffic that is not
stored.
"""
import argparse
import json
import os
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ.setdefault("BESOM_BIN", os.path.join(os.path.dirname(os.path.dirname(HERE)), "build", "release", "bin"))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(HERE))

from localstack import LocalStack, wait_for  # noqa: E402

AGENTS = 16
BAND = 3
TRAFFIC_RUNS = 10
ROWS_PER_S = 50
NAMES = 10
POINTS_PER_S = TRAFFIC_RUNS * ROWS_PER_S * NAMES
GOAL_S = 1.0

MEASURED = f'''
import json, os, signal, socket, sys, time
point = int(sys.argv[1].split("=")[1])
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
run = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
run.connect(os.environ["BESOM_RUN_SOCKET"])
due = None
for row in range(1, 31):
    line = (json.dumps({{"log": {{"loss": float(point), "row": row}}}}) + "\\n").encode()
    if row == {BAND}:
        due = time.monotonic()
    run.sendall(line)
    if signal.sigtimedwait([signal.SIGTERM], 0.7) is not None:
        note = json.dumps({{"run": os.environ["BESOM_RUN_ID"], "row": row, "delay": time.monotonic() - due}})
        with open(os.environ["NOTES"], "a") as notes:
            notes.write(note + "\\n")
        break
'''
TRAFFIC = f'''
import json, os, socket, time
run = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
run.connect(os.environ["BESOM_RUN_SOCKET"])
rows, begin = 0, time.monotonic()
while not os.path.exists(os.environ["NOTES"] + ".done"):
    rows += 1
    run.sendall((json.dumps({{"log": {{f"m{{i}}": (rows + i) ** 0.5 for i in range({NAMES})}}}}) + "\\n").encode())
    time.sleep(max(0, begin + rows / {ROWS_PER_S} - time.monotonic()))
with open(os.environ["NOTES"] + ".traffic", "a") as notes:
    notes.write(json.dumps({{"rows": rows, "seconds": time.monotonic() - begin}}) + "\\n")
'''
SWEEP = """
method: grid
metric: {{name: {metric}, goal: minimize}}
program: {program}
command: [/usr/bin/python3, "-I", "-S", "${{program}}", "${{args}}"]
{rule}
parameters:
  point: {{values: {points}}}
"""


def create(stack, name, program, metric, points, rule):
    return stack.create(SWEEP.format(program=stack.write(name, program), metric=metric, points=list(range(points)), rule=rule))


def read_notes(path):
    if not os.path.exists(path):
        return []
    with open(path) as notes:
        return [json.loads(line) for line in notes]


def start_traffic(stack):
    sweep = create(stack, "traffic.py", TRAFFIC, "m0", TRAFFIC_RUNS, "")
    stack.start_agent(sweep, AGENTS, "-j", str(TRAFFIC_RUNS))
    wait_for(lambda: sum(run["state"] == "running" for run in stack.runs(sweep)) == TRAFFIC_RUNS, 60, "traffic runs")
    return sweep


def stop_runs(stack, runs):
    """Seconds for each run that was stopped."""
    sweep = create(stack, "measured.py", MEASURED, "loss", runs,
                   f"early_terminate: {{type: hyperband, max_iter: {3 * BAND}, s: 1, eta: 3}}")
    agents = [stack.start_agent(sweep, number, "-j", "1") for number in range(AGENTS)]
    for agent in agents:
        assert agent.wait(600) == 0, "an agent failed"
    notes = read_notes(stack.environment["NOTES"])
    stopped = {run["run_id"] for run in stack.runs(sweep) if run["state"] == "stopped"}
    assert {note["run"] for note in notes} == stopped and len(notes) == len(stopped), "stops and signals differ"
    assert len(notes) >= runs - 2 * AGENTS, f"only {len(notes)} of {runs} runs were stopped"
    return [note["delay"] for note in notes]


def end_traffic(stack, sweep):
    """Points a second that were logged; all of them must be stored."""
    stack.write("notes.done", "")
    assert stack.agents[AGENTS].wait(60) == 0, "the traffic's agent failed"
    told = read_notes(stack.environment["NOTES"] + ".traffic")
    stored = stack.command("export", sweep, "--metrics").stdout.count("\n") - 1  # the head
    assert stored == NAMES * sum(run["rows"] for run in told), "what was logged is not what is stored"
    return sum(NAMES * run["rows"] / run["seconds"] for run in told)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=400)
    runs = options.parse_args().runs
    with LocalStack() as stack:
        stack.environment["NOTES"] = os.path.join(stack.home, "notes")
        traffic = start_traffic(stack)
        begin = time.monotonic()
        delays = sorted(stop_runs(stack, runs))
        seconds = time.monotonic() - begin
        rate = end_traffic(stack, traffic)
    cuts = statistics.quantiles(delays, n=100, method="inclusive")
    print(f"{len(delays)} runs stopped in {seconds:.0f} s beside {rate:.0f} points/s: value to SIGTERM "
          f"{1000 * cuts[49]:.0f} ms median, {1000 * cuts[98]:.0f} ms 99th percentile, {1000 * delays[-1]:.0f} ms at most")
    assert rate >= 0.95 * POINTS_PER_S, f"the traffic was to be {POINTS_PER_S} points/s"
    met = cuts[98] <= GOAL_S
    print(f"stop_latency {cuts[98]:.2f} s (goal at most {GOAL_S:.2f}) {'ok' if met else 'missed'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
