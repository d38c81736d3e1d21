# SPDX-License-Identifier: GPL-3.0-or-later
"""The primary of a synchronous Patroni cluster goes in the middle of a sweep: killed, switched over, cut off.

Nothing is lost or doubled, runs go on, and work goes on within WITHIN_S of the moment when a primary takes writes again.

    BESOM_BIN=build/dev/bin /usr/bin/python3 -m pytest -s tests/operations/test_failover.py

FAILOVER_POINTS sets the size of the sweep.
"""
import contextlib
import datetime
import os
import secrets
import sys
import threading
import time

import psycopg2
import pytest

import ha_cluster
import localstack
from ha_services import Services

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../faults"))
import harness  # noqa: E402 beside the fault tests
import point  # noqa: E402

POINTS = int(os.environ.get("FAILOVER_POINTS", "120"))
AGENTS = 3
SLOTS = 4
WITHIN_S = 5
LIMIT_S = 240 + 2 * POINTS
SWEEP = f"""
program: {harness.POINT}
command: [/usr/bin/python3, "${{program}}", "${{args}}"]
metric: {{name: value, goal: maximize}}
method: grid
parameters:
  point: {{values: {list(range(POINTS))}}}
  seconds: {{value: auto}}
"""

pytestmark = pytest.mark.skipif(ha_cluster.missing() != "", reason=ha_cluster.missing() or "all is there")


class Moment:
    """Now, by the clock of the database and of logs, and by that of the journal."""

    def __init__(self):
        self.wall, self.monotonic = time.time(), time.monotonic()


class Heartbeat(threading.Thread):
    """Writes a numbered row every 20 ms to whatever node takes it, and remembers which were acknowledged."""

    def __init__(self, cluster, url):
        super().__init__(daemon=True)
        self.nodes, self.url = cluster.nodes, url
        self.gone = None  # a node that is not worth a try
        self.beats = []  # (number, node, when)
        self.failures = []  # when
        self.stopping = threading.Event()

    def connect(self):
        """(node, connection) of the primary, (None, None) without."""
        for node in self.nodes:
            try:
                if node is not self.gone:
                    connection = psycopg2.connect(self.url, host=node.address, port=node.port, connect_timeout=2,
                                                  target_session_attrs="read-write", tcp_user_timeout=1000)
                    connection.autocommit = True
                    return node, connection
            except psycopg2.OperationalError:
                pass
        return None, None

    def run(self):
        node = connection = None
        number = 0
        while not self.stopping.is_set():
            if connection is None:
                node, connection = self.connect()
            try:
                if connection is not None:
                    number += 1
                    with connection.cursor() as cursor:
                        cursor.execute("INSERT INTO heartbeats VALUES (%s)", (number,))
                    self.beats.append((number, node, Moment()))
            except psycopg2.Error:
                self.failures.append(Moment())
                connection = None
            self.stopping.wait(0.02)

    def first_elsewhere(self, old):
        """When another node first took a write, None before."""
        return next((at for _, node, at in list(self.beats) if node is not old), None)

    def stop(self):
        self.stopping.set()
        self.join()


@pytest.fixture(scope="module")
def cluster():
    cluster = ha_cluster.Cluster()
    try:
        yield cluster
    finally:
        cluster.close()


def new_database(cluster):
    """URL of a new database, owned by a role that may do nothing else."""
    name, password = f"besom_{secrets.token_hex(4)}", secrets.token_hex(8)
    cluster.mend()
    cluster.ask(cluster.leader(), f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
    cluster.ask(cluster.leader(), f"CREATE DATABASE {name} OWNER {name}")
    # libpq asks one node after the other, and one that does not know the database ends that
    for node in cluster.nodes:
        localstack.wait_for(lambda: cluster.ask(node, f"SELECT 1 FROM pg_database WHERE datname = '{name}'"), 30, "replication")
    url = cluster.url(name, password, name)
    with psycopg2.connect(url, target_session_attrs="read-write") as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE heartbeats (number bigint PRIMARY KEY)")
    return url


@contextlib.contextmanager
def running_services(url):
    with Services(url) as services:
        services.journal = services.environment["FAULTS_JOURNAL"] = os.path.join(services.home, "journal")
        yield services


@pytest.fixture
def services(cluster):
    with running_services(new_database(cluster)) as services:
        yield services


def journal(services):
    return harness.read_journal(services.journal) if os.path.exists(services.journal) else {}


def ended(services):
    return sum(bool(entry["end"]) for entry in journal(services).values())


def acknowledgements(services):
    """(run, attempt) → wall times at which an agent heard that its metrics are stored."""
    found = {}
    for number in services.agents:
        text = localstack.read_bytes(os.path.join(services.home, f"agent-{number}.events")).decode()
        for line in text.splitlines():
            if " acknowledged " not in line:
                continue
            fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
            stamp = datetime.datetime.fromisoformat(line.split()[0].split("=")[-1].replace("Z", "+00:00")).timestamp()
            found.setdefault((fields["run"], int(fields["attempt"])), []).append(stamp)
    return found


def claims(url):
    """Wall times at which runs were handed out."""
    with psycopg2.connect(url, target_session_attrs="read-write") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM claimed_at)::float8 FROM besom.run_attempts ORDER BY 1")
        return [row[0] for row in cursor.fetchall()]


def running_at(services, moment):
    """Attempts that had started and not ended then, by the journal."""
    at = moment.monotonic * 1e9
    return [key for key, entry in journal(services).items()
            if entry["start"][0] <= at and (not entry["end"] or entry["end"][0] > at)]


def report(services, down, up, in_flight):
    """Prints and checks how soon after `up` the work went on."""
    between = (down.wall + up.wall) / 2  # what the old primary did is before, what the new one did is after
    claimed = [at - up.wall for at in claims(services.url) if at > between]
    acknowledged = acknowledgements(services)
    stored = [min((at - up.wall for at in acknowledged[key] if at > between), default=None) for key in in_flight]
    stored = [delay for delay in stored if delay is not None]
    assert claimed, "nothing was handed out afterwards"
    assert stored, "nothing was acknowledged afterwards"
    print(f"no primary for {up.wall - down.wall:.2f} s; since the new one's first write: first run handed out "
          f"{claimed[0]:+.2f} s, first metrics acknowledged {min(stored):+.2f} s, of all {len(stored)} runs in flight "
          f"{max(stored):+.2f} s")
    assert claimed[0] <= WITHIN_S and min(stored) <= WITHIN_S
    assert max(stored) <= WITHIN_S


def check_sweep(services, heartbeat, in_flight):
    attempts = journal(services)
    assert len(attempts) == POINTS and all(attempt == 1 for _, attempt in attempts), "an attempt was repeated"
    assert all(attempts[key]["end"] for key in in_flight), "a run in flight did not go on"
    harness.check_journal(attempts, POINTS)
    status = services.json("status", services.sweep)
    assert status["state"] == "finished" and status["counts"]["finished"] == POINTS, status
    harness.check_metrics(services, attempts, point.VALUES)
    harness.check_acknowledged(services, attempts)
    with psycopg2.connect(services.url, target_session_attrs="read-write") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT array_agg(number) FROM heartbeats")
        stored = set(cursor.fetchone()[0])
    lost = [number for number, _, _ in heartbeat.beats if number not in stored]
    assert not lost, f"PostgreSQL itself lost what it had acknowledged: {lost}"


def sweep_through(cluster, services, change):
    """A sweep; when a fifth of it is done, `change` takes the primary away; then all is looked at."""
    services.sweep = services.create(SWEEP)
    heartbeat = Heartbeat(cluster, services.url)
    heartbeat.start()
    try:
        for number in range(AGENTS):
            services.start_agent(services.sweep, number, "-j", str(SLOTS))
        localstack.wait_for(lambda: ended(services) >= POINTS // 5, LIMIT_S, "a fifth of the points")
        old = cluster.leader()
        down = change(old, heartbeat)
        up = localstack.wait_for(lambda: heartbeat.first_elsewhere(old), 60, "a new primary")
        localstack.wait_for(lambda: all(agent.poll() is not None for agent in services.agents.values()), LIMIT_S, "the end")
    finally:
        heartbeat.stop()
    down = down or heartbeat.failures[0]
    assert [agent.returncode for agent in services.agents.values()] == [0] * AGENTS
    in_flight = running_at(services, down)
    report(services, down, up, in_flight)
    check_sweep(services, heartbeat, in_flight)


def test_a_killed_primary(cluster, services):
    def kill(old, heartbeat):
        heartbeat.gone = old
        old.kill()
        return Moment()

    sweep_through(cluster, services, kill)


def test_a_planned_switchover(cluster, services):
    sweep_through(cluster, services, lambda *_: cluster.switch_over())


def test_status_warns_while_replication_is_asynchronous(cluster, services):
    sweep = services.create(SWEEP)

    def codes():
        return [warning["code"] for warning in services.json("status", sweep)["warnings"]]

    localstack.wait_for(lambda: codes() == [], 30, "silence in synchronous mode")
    cluster.configure(synchronous_mode=False)
    try:
        localstack.wait_for(lambda: codes() == ["replication_asynchronous"], 60, "a warning")
    finally:
        cluster.configure(synchronous_mode=True)
    localstack.wait_for(lambda: codes() == [], 60, "silence again")


@pytest.mark.skipif(not ha_cluster.missing() and not ha_cluster.cables_are_possible(), reason="no network namespaces (needs root)")
def test_a_primary_that_vanishes_from_the_network():
    """No connection is closed: what waits for the old primary must notice by itself, before another takes over."""
    cluster = ha_cluster.Cluster(ha_cluster.Cables(), ttl_s=20)  # Patroni's default is 30

    def cut(old, heartbeat):
        heartbeat.gone = old
        cluster.network.cut(old.number)
        return Moment()

    try:
        with running_services(new_database(cluster)) as services:
            sweep_through(cluster, services, cut)
    finally:
        cluster.close()
