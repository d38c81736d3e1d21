# SPDX-License-Identifier: GPL-3.0-or-later
"""A local stack that is killed on purpose, and what the journal of its runs must say afterwards."""
import json
import os
import random
import signal
import time

import localstack

SERVICES = ("besom-controlle", "besom-suggestio", "besom-scheduler")  # as the kernel cuts the names
POINT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "point.py")
LEASE_S = 3
LOST_AFTER_S = 60


class Stack(localstack.LocalStack):
    """Short leases, a journal, and ways to hurt."""

    def __init__(self, slots):
        super().__init__(BESOM_LEASE_TIME=f"{LEASE_S}s", BESOM_RENEW_TIME="1s", BESOM_LOST_AFTER=f"{LOST_AFTER_S}s",
                         BESOM_LOG_LEVEL="debug")
        self.journal = os.path.join(self.home, "journal")
        self.environment["FAULTS_JOURNAL"] = self.journal
        self.slots = slots
        self.sweep = None
        self.data = None

    def query(self, *arguments):
        """A reading command, tried until the stack is up again."""
        deadline = time.monotonic() + 120
        while True:
            done = self.command(*arguments, "--json", check=False)
            if done.returncode == 0:
                return json.loads(done.stdout)
            if time.monotonic() > deadline:
                raise AssertionError(f"besom {' '.join(arguments)}: {done.stderr}")
            time.sleep(0.2)

    def add_agent(self, number):
        self.start_agent(self.sweep, number, "-j", str(self.slots), "--log-file",
                         os.path.join(self.home, f"agent-{number}.events"))

    def restart_dead_agents(self):
        """As an init system would. An agent that left with exit 0 was told to."""
        for number, agent in list(self.agents.items()):
            if agent.poll() not in (None, 0):
                self.add_agent(number)

    def stack_processes(self):
        """pid → name of what the supervisor keeps: services and the postmaster."""
        table = localstack.processes()
        found = {}
        for pid, (parent, name) in table.items():
            is_postmaster = name == "postgres" and table.get(parent, (0, ""))[1] != "postgres"
            if (name in SERVICES or is_postmaster) and localstack.belongs_to(pid, self.home):
                found[pid] = name
        return found

    def kill_one(self, rng):
        """kill -9 of one service, PostgreSQL's postmaster, or an agent."""
        victims = sorted(self.stack_processes().items(), key=lambda item: (item[1], item[0]))
        victims += [(agent.pid, f"agent-{n}") for n, agent in sorted(self.agents.items()) if agent.poll() is None]
        if not victims:
            return None
        pid, name = rng.choice(victims)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return None
        return name

    def stop_database(self):
        """Kills PostgreSQL and hides its data, so that the supervisor cannot bring it back."""
        for pid, name in self.stack_processes().items():
            words = localstack.read_bytes(f"/proc/{pid}/cmdline").decode().split("\0")
            if name == "postgres" and "-D" in words:
                self.data = words[words.index("-D") + 1]
                os.rename(self.data, self.data + ".away")
                os.kill(pid, signal.SIGKILL)
                return True
        return False

    def start_database(self):
        os.rename(self.data + ".away", self.data)

    def state(self):
        return self.query("status", self.sweep)


def run_under_fire(stack, rng, seconds, every=2.0, between=None):
    """Kills something every `every` seconds until the sweep has ended and every agent has left."""
    deadline = time.monotonic() + seconds
    killed = []
    next_kill = time.monotonic() + every
    while any(agent.poll() != 0 for agent in stack.agents.values()):
        assert time.monotonic() < deadline, f"no end after {seconds} s; killed {killed[-10:]}, {stack.state()}"
        stack.restart_dead_agents()
        if between is not None:
            between()
        if time.monotonic() >= next_kill:
            next_kill += every
            name = stack.kill_one(rng)
            if name is not None:
                killed.append(name)
        time.sleep(0.05)
    return killed


def read_journal(path):
    """(run, attempt) → {point, starts, ticks, ends}, times in ns."""
    attempts = {}
    with open(path) as file:
        for line in file:
            what, point, run, attempt, _, at = line.rstrip("\n").split("\t")
            entry = attempts.setdefault((run, int(attempt)), {"point": point, "start": [], "tick": [], "end": []})
            assert entry["point"] == point, f"run {run} attempt {attempt} ran points {entry['point']} and {point}"
            entry[what].append(int(at))
    return attempts


def check_journal(attempts, points):
    """At most one start each, attempts of a run one after the other, each point with one run that reached its end."""
    by_run = {}
    for (run, attempt), entry in attempts.items():
        assert len(entry["start"]) == 1, f"run {run} attempt {attempt} started {len(entry['start'])} times"
        by_run.setdefault(run, []).append((attempt, entry))
    for run, rows in by_run.items():
        rows.sort(key=lambda row: row[0])
        for (_, before), (attempt, after) in zip(rows, rows[1:]):
            last_seen = max(before["start"] + before["tick"] + before["end"])
            assert last_seen < after["start"][0], f"run {run}: attempt {attempt} began while the one before lived"
    ended = {}
    for (run, attempt), entry in attempts.items():
        if entry["end"]:
            ended.setdefault(entry["point"], set()).add(run)
    assert len(ended) == points, f"{len(ended)} of {points} points reached their end"
    doubled = {point: runs for point, runs in ended.items() if len(runs) != 1}
    assert not doubled, f"points ended by several runs: {doubled}"
    runs_of_point = {}
    for (run, _), entry in attempts.items():
        runs_of_point.setdefault(entry["point"], set()).add(run)
    doubled = {point: runs for point, runs in runs_of_point.items() if len(runs) != 1}
    assert not doubled, f"points given to several runs: {doubled}"


def check_metrics(stack, attempts, values):
    """Every value that a finished attempt logged is stored once, none twice."""
    for (run, attempt), entry in attempts.items():
        if not entry["end"]:
            continue
        stored = stack.query("metrics", run, "--attempt", str(attempt))
        series = {one["name"]: one for one in stored["series"]}
        got = series.get("value", {"values": []})["values"]
        assert got == [float(n) for n in range(values)], f"run {run} attempt {attempt}: {len(got)} values stored"


def check_acknowledged(stack, attempts):
    """Every batch that an agent's log calls acknowledged is within what the server says it stored."""
    acknowledged = {}
    for name in os.listdir(stack.home):
        if not name.endswith(".events"):
            continue
        with open(os.path.join(stack.home, name), errors="replace") as file:
            for line in file:
                if " acknowledged " not in line:
                    continue
                fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
                key = (fields["run"], int(fields["attempt"]))
                acknowledged[key] = max(acknowledged.get(key, 0), int(fields["sequence"]))
    assert acknowledged, "no agent logged an acknowledgement"
    for (run, attempt), sequence in acknowledged.items():
        why = stack.query("why", run)
        rows = {row["attempt"]: row for row in why["attempts"]}
        assert rows[attempt]["last_sequence"] >= sequence, f"run {run} attempt {attempt}: lost acknowledged batches"
    return len(acknowledged)


def new_rng():
    seed = int(os.environ.get("FAULTS_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"seed {seed}: rerun with FAULTS_SEED={seed}")
    return random.Random(seed)
