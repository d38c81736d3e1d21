#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What one call of besom.log costs the program, measured against the real shim on a local stack.

    tests/python/bench/log_call.py

Prints microseconds per call for rows of ten values: the best of ten rounds, and the mean of all, which includes waiting for the
shim when the program does nothing but log. BESOM_BIN names the folder of the programs (default build/dev/bin). Exit code
1 when the best is above the goal of 20 microseconds.
"""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests"))
os.environ.setdefault("BESOM_BIN", os.path.join(ROOT, "build", "dev", "bin"))

from localstack import LocalStack  # noqa: E402

GOAL_US = 20.0
CALLS = 2000
PROGRAM = """
import sys, time
import besom
run = besom.init()
row = {"metric%d" % i: 0.1234567 * i for i in range(10)}
rounds = []
for _ in range(10):
    time.sleep(0.2)
    begun = time.perf_counter()
    for _ in range(CALLS):
        besom.log(row)
    rounds.append((time.perf_counter() - begun) / CALLS * 1e6)
paced = []
for _ in range(CALLS):
    begun = time.perf_counter()
    besom.log(row)
    paced.append((time.perf_counter() - begun) * 1e6)
    time.sleep(0.0005)
paced.sort()
print("best %.1f mean %.1f median %.1f" % (min(rounds), sum(rounds) / len(rounds), paced[CALLS // 2]))
""".replace("CALLS", str(CALLS))


def main():
    with LocalStack(PYTHONPATH=os.path.join(ROOT, "clients", "python"), PYTHONDONTWRITEBYTECODE="1") as stack:
        path = stack.write("program.py", PROGRAM)
        sweep = stack.create('{"method": "grid", "command": ["%s", "%s"], "parameters": {"x": {"value": 1}}}'
                             % (sys.executable, path))
        assert stack.start_agent(sweep, 0).wait(120) == 0, stack.agent_text()
        match = re.search(r"best ([\d.]+) mean ([\d.]+) median ([\d.]+)", stack.agent_text())
        assert match is not None, stack.agent_text()
        points = sum(figures["count"] for figures in stack.runs(sweep)[0]["metrics"].values())
    best, mean, median = map(float, match.groups())
    print(f"besom.log of ten values: back to back {best:.1f} us at best, {mean:.1f} us on the mean; "
          f"every half millisecond {median:.1f} us (median); {points} points stored")
    verdict = "ok" if best <= GOAL_US else "missed"
    print(f"log_call {best:.1f} us (goal at most {GOAL_US:.0f} us) {verdict}")
    return 0 if verdict == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
