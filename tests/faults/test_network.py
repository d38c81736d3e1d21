# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent behind a cable that is pulled while its run logs: nothing is lost, and a machine that comes back too late
changes nothing but the history of its own attempt.

FAULTS_CUT_S is how long the cable is out (short by default; the full form is 60).
"""
import os
import subprocess
import time

import pytest

import harness
import island
import localstack

CUT_S = float(os.environ.get("FAULTS_CUT_S", "8"))
COUNTER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "counter.py")
PAUSE_S = 0.02
LATE = 1000000.0

pytestmark = pytest.mark.skipif(not island.is_possible(), reason="needs root and network namespaces")


class Scene:
    """A stack that listens towards an island, and agents on both sides."""

    def __init__(self, lost_after_s):
        self.island = island.Island()
        self.stack = localstack.LocalStack(BESOM_LEASE_TIME=f"{harness.LEASE_S}s", BESOM_RENEW_TIME="1s",
                                           BESOM_LOST_AFTER=f"{lost_after_s}s")
        self.journal = os.path.join(self.stack.home, "journal")
        self.flag = os.path.join(self.stack.home, "flag")
        self.done = os.path.join(self.stack.home, "done")
        self.stack.environment.update(FAULTS_JOURNAL=self.journal, FAULTS_FLAG=self.flag)

    def __enter__(self):
        try:
            self.stack.up("--listen", f"{self.island.outside}:0", "--insecure")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            self.island.mend()
            self.stack.close()
        finally:
            self.island.close()

    def address(self):
        with open(os.path.join(self.stack.environment["BESOM_HOME"], "listen")) as file:
            return file.read().strip()

    def create(self, arguments):
        return self.stack.create(f"""
program: {COUNTER}
command: [/usr/bin/python3, "${{program}}", "${{args}}"]
method: grid
metric: {{name: value, goal: maximize}}
parameters: {{{arguments}}}
""")

    def start_islander(self, sweep):
        """An agent inside, which knows the controller by its TCP address alone."""
        stack = self.stack
        with open(os.path.join(stack.environment["BESOM_HOME"], "token")) as file:
            token = file.read().strip()
        environment = {**stack.environment, "BESOM_ADDRESS": self.address(), "BESOM_TOKEN": token}
        with open(stack.agent_log(9), "ab") as log:
            stack.agents[9] = subprocess.Popen(
                [*self.island.command, os.path.join(localstack.BIN, "besom-agent"), "--insecure", "--state-dir",
                 os.path.join(stack.home, "agent-9"), sweep],
                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def logged(self, attempt):
        """What the program of an attempt has sent."""
        if not os.path.exists(self.journal):
            return []
        with open(self.journal) as file:
            rows = [line.rstrip("\n").split("\t") for line in file if line.endswith("\n")]
        return [float(value) for number, value in rows if int(number) == attempt]

    def is_quiet(self, attempt):
        """Its program has logged nothing for a while."""
        before = len(self.logged(attempt))
        time.sleep(20 * PAUSE_S)
        return len(self.logged(attempt)) == before

    def stored(self, run, attempt):
        series = self.stack.json("metrics", run, "--attempt", str(attempt))["series"]
        return next((one["values"] for one in series if one["name"] == "value"), [])

    def run(self, sweep):
        return self.stack.runs(sweep)[0]


def wait_for(condition, seconds, what):
    return localstack.wait_for(condition, seconds, what)


def test_nothing_is_lost_while_the_network_is_away():
    count = int((CUT_S + 6) / PAUSE_S)
    with Scene(lost_after_s=int(CUT_S) + 60) as scene:
        sweep = scene.create(f"count: {{value: {count}}}, pause: {{value: {PAUSE_S}}}")
        scene.start_islander(sweep)
        wait_for(lambda: len(scene.logged(1)) > 50, 30, "the first values")
        scene.island.cut()
        before = len(scene.logged(1))
        time.sleep(CUT_S)
        assert scene.run(sweep)["unreachable"] is True
        assert len(scene.logged(1)) > before + CUT_S / PAUSE_S / 4, "the program waited for the network"
        scene.island.mend()
        wait_for(lambda: scene.run(sweep)["state"] == "finished", 60 + CUT_S, "the end of the run")
        run = scene.run(sweep)
        assert run["attempt"] == 1
        values = scene.logged(1)
        assert len(values) == count
        assert scene.stored(run["run_id"], 1) == values


def test_a_machine_that_comes_back_too_late_changes_nothing():
    with Scene(lost_after_s=4) as scene:
        stack = scene.stack
        sweep = scene.create(f"count: {{value: 10}}, pause: {{value: {PAUSE_S}}}, until-flag: {{value: {scene.done}}}")
        scene.start_islander(sweep)
        wait_for(lambda: len(scene.logged(1)) > 50, 30, "the first values")
        scene.island.cut()
        time.sleep(0.5)
        with open(scene.flag, "w"):
            pass  # from here on attempt 1 logs what is too late
        wait_for(lambda: scene.run(sweep)["state"] == "pending", 30, "the run is lost")
        stack.start_agent(sweep, 1)
        wait_for(lambda: len(scene.logged(2)) > 20, 30, "the second attempt")
        wait_for(lambda: scene.logged(1)[-1] >= LATE, 10, "late values")
        scene.island.mend()
        wait_for(lambda: any(value >= LATE for value in scene.stored(scene.run(sweep)["run_id"], 1)), 60,
                 "the late values under their own attempt")
        wait_for(lambda: scene.is_quiet(1), 20, "the late program is killed")
        with open(scene.done, "w"):
            pass
        wait_for(lambda: scene.run(sweep)["state"] == "finished", 30, "the end of the run")
        run = scene.run(sweep)
        second = scene.logged(2)
        assert run["attempt"] == 2
        assert run["objective"] == max(second)
        assert scene.stored(run["run_id"], 2) == second
        first = scene.logged(1)
        stored = scene.stored(run["run_id"], 1)
        assert stored == first[:len(stored)], "attempt 1 is a gapless part of what was sent"
        assert run["metrics"]["value"]["max"] < LATE
        assert run["metrics"]["value"]["last"] == second[-1]
