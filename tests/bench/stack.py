#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start-up time and resident memory of an idle local stack.

    tests/bench/stack.py [--rounds N]     BESOM_BIN names the folder of the programs (default build/release/bin)

Prints the seconds from `besom up --detach` to a serving controller, the first time (with initdb) and warm, and the
resident memory of supervisor and services when idle, PostgreSQL apart.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

BIN = os.environ.get("BESOM_BIN", os.path.abspath("build/release/bin"))
UP_GOAL_S = 3.0
MEMORY_GOAL_MB = 80.0


def besom(environment, *arguments):
    subprocess.run([os.path.join(BIN, "besom"), *arguments], env=environment, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def timed_up(environment):
    begin = time.monotonic()
    besom(environment, "up", "--detach")
    return time.monotonic() - begin


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def resident_mb(home):
    """name → MB of the stack's own processes (all but PostgreSQL's)."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        environ, line = read(f"/proc/{pid}/environ"), read(f"/proc/{pid}/cmdline")
        name = os.path.basename(line.split(b"\0")[0].decode(errors="replace"))
        if home.encode() not in environ + line or not name.startswith("besom"):
            continue
        for row in read(f"/proc/{pid}/status").decode().splitlines():
            if row.startswith("VmRSS:"):
                found[f"{name}({pid})"] = int(row.split()[1]) / 1024
    return found


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    rounds = options.parse_args().rounds
    base = tempfile.mkdtemp(prefix="besom-bench-")
    os.chmod(base, 0o755)
    home = os.path.join(base, "besom")
    environment = dict(os.environ, BESOM_HOME=home)
    try:
        first = timed_up(environment)
        warm = []
        for _ in range(rounds):
            besom(environment, "down")
            warm.append(timed_up(environment))
        time.sleep(3)  # let start-up work end: the figure is of an idle stack
        memory = resident_mb(home)
    finally:
        besom(environment, "down", "--purge")
        shutil.rmtree(base, ignore_errors=True)
    assert memory, "no process of the stack was found"
    total, warm_s = sum(memory.values()), statistics.median(warm)
    print(f"besom up from nothing: {first:.2f} s; warm: {', '.join(f'{seconds:.2f}' for seconds in warm)} s")
    for name, megabytes in sorted(memory.items()):
        print(f"{name}: {megabytes:.1f} MB resident")
    started = tell("stack/up", warm_s, "s", UP_GOAL_S)
    return started | tell("stack/memory", total, "MB", MEMORY_GOAL_MB)


def tell(name, value, unit, goal):
    met = value <= goal
    print(f"{name} {value:.2f} {unit} (goal at most {goal:.2f}) {'ok' if met else 'missed'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
