# SPDX-License-Identifier: GPL-3.0-or-later
"""A suggestion service that never lives long, and a sweep that is paused in the middle of a turn."""
import os
import signal
import threading
import time

import localstack

LIFE_S = 0.4
RUNS = 10
TRAIN = f'''
import json, os, socket, sys, time
time.sleep({LIFE_S / 2})  # a few runs a life, however fast the machine is
x = float(sys.argv[1].split("=")[1])
run = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
run.connect(os.environ["BESOM_RUN_SOCKET"])
run.sendall((json.dumps(dict(log=dict(loss=(x - 0.3) ** 2))) + "\\n").encode())
'''
SWEEP = """
method: bayes
seed: 3
run_cap: {runs}
metric: {{name: loss, goal: minimize}}
program: {program}
command: [/usr/bin/python3, "${{program}}", "${{args}}"]
parameters:
  x: {{min: 0.0, max: 1.0}}
"""


def create(stack, runs):
    return stack.create(SWEEP.format(runs=runs, program=stack.write("train.py", TRAIN)))


class Killer(threading.Thread):
    """Kills each besom-suggestion that it finds, every LIFE_S, until it is told to stop."""

    def __init__(self, stack):
        super().__init__()
        self.stack, self.kills, self.over = stack, 0, threading.Event()

    def run(self):
        while not self.over.wait(LIFE_S):
            for pid in self.stack.pids("besom-suggestion"):
                os.kill(pid, signal.SIGKILL)
                self.kills += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def test_each_short_life_of_the_service_is_used():
    """Its supervisor waits up to 5 s before it starts it again, so each life must bring the sweep on."""
    with localstack.LocalStack() as stack, Killer(stack) as killer:
        begin = time.monotonic()
        sweep = create(stack, RUNS)
        agent = stack.start_agent(sweep, 0)
        assert agent.wait(120) == 0, stack.agent_text(0)
        runs = stack.runs(sweep)
        print(f"{killer.kills} kills, {RUNS} runs in {time.monotonic() - begin:.0f} s")
        assert killer.kills >= 2
        assert sorted(run["ordinal"] for run in runs) == list(range(RUNS))
        assert len({run["params"]["x"] for run in runs}) == RUNS


def test_a_pause_in_the_middle_of_a_turn_is_no_failure():
    with localstack.LocalStack() as stack:
        sweep = create(stack, 10000)
        agents = [stack.start_agent(sweep, number) for number in range(3)]
        for _ in range(12):
            stack.command("sweep", "--pause", sweep)
            stack.command("sweep", "--resume", sweep)
            time.sleep(0.3)
        assert stack.runs(sweep)
        stack.command("sweep", "--cancel", sweep)
        for agent in agents:
            assert agent.wait(60) == 0
        log = os.path.join(stack.environment["BESOM_HOME"], "log", "controller.log")
        said = [line for line in localstack.read_bytes(log).decode().splitlines() if "no_suggestions" in line]
        assert not said, said


def test_the_status_says_what_agents_wait_for():
    with localstack.LocalStack() as stack:
        sweep = create(stack, 3)

        def reason():
            return stack.json("status", sweep)["waiting_reason"]

        suggestion, = stack.pids("besom-suggestion")
        os.kill(suggestion, signal.SIGSTOP)
        try:
            agent = stack.start_agent(sweep, 0)
            localstack.wait_for(lambda: "suggestion service is unavailable" in reason(), 20, "its absence is told")
            stack.command("sweep", "--pause", sweep)
            localstack.wait_for(lambda: reason() == "", 20, "a paused sweep's agents wait for another thing")
            stack.command("sweep", "--resume", sweep)
            localstack.wait_for(lambda: "suggestion service is unavailable" in reason(), 20, "it is told again")
        finally:
            os.kill(suggestion, signal.SIGCONT)
        assert agent.wait(60) == 0, stack.agent_text(0)
        assert reason() == "" and len(stack.runs(sweep)) == 3
