# SPDX-License-Identifier: Apache-2.0
"""A besom-agent of a few lines: starts its command as FAKE_RUNS says, and writes how each run ended to FAKE_LOG.

FAKE_RUNS is a list of objects: {"stop_after": s} sends SIGTERM after s seconds, {"kill_after": s} SIGKILL. One SIGINT: no
more runs; a second, or SIGTERM: SIGTERM to the one that runs.
"""
import json
import os
import signal
import subprocess
import sys
import time

interrupts = []
signal.signal(signal.SIGINT, lambda number, frame: interrupts.append(number))
signal.signal(signal.SIGTERM, lambda number, frame: interrupts.extend((number, number)))


def follow(process, plan):
    """Waits for the run's end, with the signals of its plan."""
    begun, told = time.monotonic(), 0
    while process.poll() is None:
        time.sleep(0.01)
        lived = time.monotonic() - begun
        if lived > plan.get("kill_after", 1e9):
            process.kill()
        if told == 0 and (lived > plan.get("stop_after", 1e9) or len(interrupts) > 1):
            told = 1
            process.terminate()


def main():
    end = sys.argv.index("--")
    record = {"options": sys.argv[1:end], "pid": os.getpid(), "session": os.getsid(0), "runs": []}
    for number, plan in enumerate(json.loads(os.environ["FAKE_RUNS"])):
        if interrupts:
            break
        environment = {**os.environ, "BESOM_RUN_ID": "run0000%d" % number, "BESOM_SWEEP_ID": "sweep001",
                       "BESOM_PROJECT": "digits", "BESOM_ATTEMPT": "1", "BESOM_RUN_SOCKET": os.environ["FAKE_SOCKET"]}
        process = subprocess.Popen(sys.argv[end + 1:], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        follow(process, plan)
        record["runs"].append({"code": process.returncode, "text": process.stderr.read().decode(),
                               "output": process.stdout.read().decode()})
        with open(os.environ["FAKE_LOG"] + ".new", "w") as log:
            json.dump(record, log)
        os.rename(os.environ["FAKE_LOG"] + ".new", os.environ["FAKE_LOG"])
    return int(os.environ.get("FAKE_EXIT", "0"))


sys.exit(main())
