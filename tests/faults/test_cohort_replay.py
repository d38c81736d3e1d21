# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that pause at rungs while everything is killed: the recorded verdicts are those of the numbered values, read plainly."""
import itertools
import json
import math
import os
import signal
import time

from harness import Stack, new_rng, run_under_fire
from localstack import wait_for
from test_database import connect
from test_scheduler import AWAY_S, BACK_S, figures, keep_away

POINTS = int(os.environ.get("FAULTS_COHORT_POINTS", "40"))
MAX_ITER, ETA, BANDS = 9, 3, [1, 3]
BRACKETS = [(2, 9, 0), (1, 5, 1), (0, 3, 2)]  # s, runs, index of the first band
# Some fail before the first rung, some between the rungs; equal losses occur. An order to pause may take its time.
TRAIN = '''
import json, os, socket, sys, time
point = int(sys.argv[1].split("=")[1])
checkpoint = os.path.join(os.environ["BESOM_RUN_DIR"], "epoch")
begun = int(open(checkpoint).read()) if os.path.exists(checkpoint) else 0
run = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
run.connect(os.environ["BESOM_RUN_SOCKET"])
for epoch in range(begun + 1, 10):
    if (point % 13, epoch) == (4, 1) or (point % 11, epoch) == (5, 2):
        sys.exit(3)
    with open(checkpoint + ".new", "w") as file:
        file.write(str(epoch))
    os.replace(checkpoint + ".new", checkpoint)
    run.sendall((json.dumps({"log": {"loss": point * 7919 % 31 + 1 / epoch, "epoch": epoch}}) + "\\n").encode())
    time.sleep(2 if epoch in (1, 3) else 0.1)
'''
SWEEP = """
method: grid
metric: {{name: loss, goal: minimize}}
program: {program}
command: [/usr/bin/python3, "${{program}}", "${{args}}"]
resume: true
early_terminate: {{type: hyperband_full, max_iter: {max_iter}, step_metric: epoch}}
parameters:
  point: {{values: {points}}}
"""


class Pausing(Stack):
    """Keeps the checkpoints of its runs with the rest of it."""

    def add_agent(self, number):
        self.start_agent(self.sweep, number, "-j", str(self.slots), "--workdir", self.home)


class Ordered(Pausing):
    """Hurts the scheduler, the controller and whatever comes, in turn."""

    def __init__(self, slots):
        super().__init__(slots)
        self.turns = itertools.cycle(["besom-scheduler", "besom-controlle", None])

    def kill_one(self, rng):
        wanted = next(self.turns)
        if wanted is None:
            return super().kill_one(rng)
        for pid, name in self.stack_processes().items():
            if name == wanted:
                os.kill(pid, signal.SIGKILL)
                return name
        return None


class Reading:
    """Successive halving as its paper has it: after each event every run's fate is worked out from lists."""

    def __init__(self):
        self.closings = []
        self.losses, self.ends, self.out, self.level, self.names = {}, {}, set(), {}, {}
        self.verdicts, self.decisions = {}, {}

    def cohort_of(self, ordinal):
        """(bracket, first ordinal, runs, index of the first band), by dealing from the beginning."""
        first, closings, dealt = 0, list(self.closings), itertools.cycle(BRACKETS)
        while True:
            bracket, runs, band = next(dealt)
            cut = bool(closings) and first + runs >= closings[0]
            if cut:
                runs = closings.pop(0) - first
                dealt = itertools.cycle(BRACKETS)
            if ordinal < first + runs:
                return bracket, first, runs, band
            first += runs

    def awaited(self, cohort):
        """Who is awaited at the cohort's next rung, and that rung; None: the last is past."""
        _, first, runs, band = cohort
        members = [ordinal for ordinal in range(first, first + runs) if ordinal not in self.out]
        rung = min((self.level.get(ordinal, band) for ordinal in members), default=len(BANDS))
        return rung, [ordinal for ordinal in members if self.level.get(ordinal, band) == rung]

    def loss(self, ordinal, rung):
        """Infinite for a run that failed; what has finished without a value there keeps its place with its objective."""
        final = self.ends.get(ordinal)
        if final is not None and math.isnan(final):
            return math.inf
        return self.losses.get((ordinal, rung), final)

    def settle(self, cohort, number):
        rung, awaited = self.awaited(cohort)
        if rung >= len(BANDS) or not awaited or any(self.loss(ordinal, rung) is None for ordinal in awaited):
            return
        order = sorted(awaited, key=lambda ordinal: (self.loss(ordinal, rung), ordinal))
        kept = [ordinal for ordinal in order[:max(1, len(order) // ETA)] if self.loss(ordinal, rung) < math.inf]
        threshold = self.loss(kept[-1], rung) if kept else None
        for place, ordinal in enumerate(order):
            value = self.loss(ordinal, rung)
            self.verdicts[cohort[1], rung, ordinal] = (
                cohort[0], BANDS[rung], number, self.names[ordinal], ordinal in kept, place + 1, len(order),
                value if value < math.inf else None, threshold)
            if ordinal in kept:
                self.level[ordinal] = rung + 1
            else:
                self.out.add(ordinal)
        self.settle(cohort, number)  # some may have come to the next rung already

    def decide(self, number, ordinal, rung, cohort):
        """(pause, stop, cohort, bracket, planned) of a value."""
        if rung < cohort[3]:
            return False, False, None, None, None
        judged = self.verdicts.get((cohort[1], rung, ordinal))
        planned = judged[6] if judged and judged[2] == number else len(self.awaited(cohort)[1])
        stop = ordinal in self.out
        pause = not stop and rung >= self.level.get(ordinal, cohort[3])
        return pause, stop, cohort[1], cohort[0], planned

    def take(self, number, kind, run, ordinal, rung, value):
        if kind == "closed":
            if ordinal > (self.closings[-1] if self.closings else 0):
                self.closings.append(ordinal)
                self.settle(self.cohort_of(ordinal - 1), number)
            return
        self.names[ordinal] = run
        cohort = self.cohort_of(ordinal)
        if kind == "ended":
            self.ends[ordinal] = value
        elif rung >= cohort[3]:
            self.losses[ordinal, rung] = value
            self.ends.pop(ordinal, None)
        self.settle(cohort, number)
        if kind == "value":
            self.decisions[number] = self.decide(number, ordinal, rung, cohort)


def rows(database, query, sweep):
    database.execute(query, (sweep,))
    return [tuple(None if isinstance(cell, float) and math.isnan(cell) else cell for cell in row)
            for row in database.fetchall()]


def read_plainly(database, sweep):
    reading = Reading()
    for number, kind, run, ordinal, rung, value in rows(
            database, "SELECT number, kind, run_id, ordinal, band_index, value FROM besom.rung_values "
            "WHERE sweep_id = %s ORDER BY number", sweep):
        reading.take(number, kind, run, ordinal, rung, math.nan if value is None else value)
    return reading


def check_verdicts(database, sweep, reading):
    recorded = rows(database, "SELECT cohort, band_index, ordinal, bracket, band, number, run_id, promoted, rank, planned, "
                    "value, threshold FROM besom.cohort_verdicts WHERE sweep_id = %s", sweep)
    assert {row[:3]: row[3:] for row in recorded} == reading.verdicts
    decided = rows(database, "SELECT number, pause, stop, cohort, bracket, planned FROM besom.stop_decisions "
                   "WHERE sweep_id = %s", sweep)
    told = {row[0]: row[1:] if row[3] is not None else (*row[1:3], None, None, None) for row in decided}
    assert told == reading.decisions


def check_words(stack, reading):
    """What `besom why` and `besom brackets` tell is the same, with those that had ended."""
    by_run = {}
    for _, (_, band, _, run, promoted, rank, planned, _, _) in sorted(reading.verdicts.items()):
        by_run.setdefault(run, []).append((band, promoted, rank, planned))
    for run, verdicts in by_run.items():
        told = [(one["band"], one["promoted"], one["rank"], one["planned"]) for one in stack.query("why", run)["verdicts"]]
        assert told == verdicts, run
    for one in stack.query("brackets", stack.sweep)["cohorts"]:
        rung = BANDS.index(one["band"])
        there = {key[2]: row for key, row in reading.verdicts.items() if key[:2] == (one["cohort"], rung)}
        came = sum((ordinal, rung) in reading.losses for ordinal in there)
        assert (one["planned"], one["reached"], one["ended"]) == (len(there), came, len(there) - came), one
        assert one["promoted"] == sum(row[4] for row in there.values()), one


def check_fates(stack, reading):
    """Who was let go ended there, whoever was promoted to the end did all of it, unless it failed or was stopped."""
    by_ordinal = {run["ordinal"]: run for run in stack.query("runs", stack.sweep)["runs"]}
    assert len(by_ordinal) == POINTS
    for ordinal, run in by_ordinal.items():
        if run["state"] in ("failed", "killed"):
            assert run["state"] == "killed" or ordinal % 13 == 4 or ordinal % 11 == 5, run
        elif ordinal in reading.out:
            assert run["state"] in ("stopped", "finished"), run  # finished: the order came too late
        else:
            assert run["state"] == "finished", run


def begin(stack):
    stack.environment.update(WANDB_AGENT_MAX_INITIAL_FAILURES="1000", WANDB_AGENT_DISABLE_FLAPPING="true")
    stack.sweep = stack.create(SWEEP.format(program=stack.write("train.py", TRAIN), max_iter=MAX_ITER,
                                            points=list(range(POINTS))))
    for number in range(2):
        stack.add_agent(number)


def check_replay(stack, what):
    assert stack.state()["state"] == "finished"
    database = connect(stack).cursor()
    reading = read_plainly(database, stack.sweep)
    check_verdicts(database, stack.sweep, reading)
    check_words(stack, reading)
    check_fates(stack, reading)
    print(f"{len(reading.verdicts)} verdicts and {len(reading.decisions)} decisions after {what}; "
          f"{sum(row[7] is None for row in reading.verdicts.values())} on runs that had ended without a value that counts")


def test_verdicts_are_those_of_the_values_read_in_order():
    rng = new_rng()
    with Ordered(slots=4) as stack:
        begin(stack)
        stopped = []

        def stop_one_that_waits():
            listed = stack.command("runs", stack.sweep, "--json", check=False) if not stopped else None
            if listed is None or listed.returncode != 0:
                return
            waiting = [run["run_id"] for run in json.loads(listed.stdout)["runs"] if run["state"] == "paused"]
            if waiting and stack.command("stop", waiting[0], check=False).returncode == 0:
                stopped.append(waiting[0])

        killed = run_under_fire(stack, rng, 60 + 5 * POINTS, every=1.5, between=stop_one_that_waits)
        assert {"besom-scheduler", "besom-controlle"} <= set(killed) and stopped
        check_replay(stack, f"{len(killed)} kills")


def test_no_verdict_is_missing_when_the_scheduler_is_back():
    with Pausing(slots=4) as stack:
        begin(stack)
        database = connect(stack).cursor()
        wait_for(lambda: figures(database, stack.sweep)[1] > 0, 30, "the first decision")
        keep_away(stack, AWAY_S)
        numbered, decided = figures(database, stack.sweep)
        assert numbered > decided, "nothing was numbered while the scheduler was away"
        wait_for(lambda: stack.pids("besom-scheduler"), 30, "the scheduler is back")
        back = time.monotonic()
        numbered = figures(database, stack.sweep)[0]
        wait_for(lambda: figures(database, stack.sweep)[1] >= numbered, 10, "all is decided")
        took = time.monotonic() - back
        assert took < BACK_S, f"{numbered - decided} were decided {took:.2f} s after the scheduler was back"
        for agent in stack.agents.values():
            assert agent.wait(60 + 5 * POINTS) == 0
        check_replay(stack, f"{numbered - decided} had waited and were decided in {took:.2f} s")
