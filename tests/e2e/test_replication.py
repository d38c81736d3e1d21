# SPDX-License-Identifier: GPL-3.0-or-later
"""A warning where a failover of the database could lose what was acknowledged: a standby, and none that is synchronous."""
import contextlib
import os
import shutil
import signal
import subprocess

import pytest

import postgres
from localstack import BIN, LocalStack, processes, read_bytes, belongs_to, wait_for

CODE = "replication_asynchronous"
SWEEP = "method: grid\ncommand: ['true']\nparameters: {a: {values: [1, 2]}}\n"
WITHIN_S = 20
MAX_CONNECTIONS = 200  # at least as many as the stack gives its server


class Database:
    """The stack's server: its programs, owner and sockets."""

    def __init__(self, stack):
        self.stack, self.folder = stack, os.path.join(stack.home, "standby")
        for pid, (_, name) in processes().items():
            words = read_bytes(f"/proc/{pid}/cmdline").decode().split("\0")
            if name == "postgres" and "-k" in words and belongs_to(pid, stack.home):
                self.binaries, self.sockets = os.path.dirname(words[0]), words[words.index("-k") + 1]
                self.owner = os.stat(f"/proc/{pid}").st_uid
                return
        raise AssertionError("no PostgreSQL")

    def execute(self, statement):
        postgres.query(statement, host=self.sockets, user="besom", dbname="postgres")

    def configure(self, name, value):
        self.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        self.execute("SELECT pg_reload_conf()")

    def as_owner(self, program, *arguments):
        return {"args": [os.path.join(self.binaries, program), *arguments], "user": self.owner, "cwd": self.folder,
                "stdin": subprocess.DEVNULL, "env": {"PATH": os.environ["PATH"], "BESOM_HOME": self.stack.home}}

    @contextlib.contextmanager
    def standby(self):
        """A copy of the server that follows it, until the end of the block."""
        data = os.path.join(self.folder, "data")
        shutil.rmtree(self.folder, ignore_errors=True)
        os.mkdir(self.folder)
        os.chown(self.folder, self.owner, -1)
        subprocess.run(**self.as_owner("pg_basebackup", "-h", self.sockets, "-U", "besom", "-D", data, "--write-recovery-conf",
                                       "--checkpoint=fast", "--no-sync"), check=True, capture_output=True, timeout=60)
        with open(os.path.join(self.folder, "log"), "ab") as log:
            server = subprocess.Popen(**self.as_owner("postgres", "-D", data, "-k", self.folder, "-c", "listen_addresses=", "-c",
                                                      f"max_connections={MAX_CONNECTIONS}"), stdout=log, stderr=log)
        try:
            yield
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)


@pytest.fixture(scope="module")
def stack():
    with LocalStack() as running:
        yield running


def warnings(stack, sweep):
    return [warning["code"] for warning in stack.json("status", sweep)["warnings"]]


def test_status_warns_where_no_standby_is_synchronous(stack):
    sweep = stack.create(SWEEP)
    database = Database(stack)
    assert warnings(stack, sweep) == [] and "warning" not in stack.command("status", sweep).stdout
    with database.standby():
        wait_for(lambda: warnings(stack, sweep) == [CODE], WITHIN_S, "a warning")
        assert "\nwarning: the database has 1 standby and none is synchronous: a failover can lose" in stack.command(
            "status", sweep).stdout
        database.configure("synchronous_standby_names", "*")
        wait_for(lambda: not warnings(stack, sweep), WITHIN_S, "silence with a synchronous standby")
        assert "warning" not in stack.command("status", sweep).stdout
        database.configure("synchronous_commit", "local")
        wait_for(lambda: warnings(stack, sweep) == [CODE], WITHIN_S, "a warning of synchronous_commit")
        assert "synchronous_commit is local here" in stack.command("status", sweep).stdout
        database.configure("synchronous_commit", "on")
        wait_for(lambda: not warnings(stack, sweep), WITHIN_S, "silence")
        database.configure("synchronous_standby_names", "")
        wait_for(lambda: warnings(stack, sweep) == [CODE], WITHIN_S, "the first warning again")
    wait_for(lambda: not warnings(stack, sweep), WITHIN_S, "silence without standbys")


def migrate(*hosts):
    """What a program says that keeps state in the first of these that will do."""
    return subprocess.run([os.path.join(BIN, "besom-controller"), "migrate", "--database-url",
                           f"host={','.join(hosts)} user=besom dbname=postgres"], text=True, capture_output=True, timeout=60)


def test_of_several_hosts_the_primary_is_used(stack):
    database = Database(stack)
    with database.standby():
        wait_for(lambda: "hot standby" in migrate(database.folder).stderr, WITHIN_S, "a refusal of the standby alone")
        assert migrate(database.folder).returncode == 4
        assert migrate(database.folder, database.sockets).returncode == 0


def test_following_a_sweep_tells_it_once(stack):
    sweep = stack.create(SWEEP)
    with Database(stack).standby():
        wait_for(lambda: warnings(stack, sweep) == [CODE], WITHIN_S, "a warning")
        stack.start_agent(sweep, 0, "--run-dir", os.path.join(stack.home, "runs"))
        done = stack.command("status", "--watch", sweep)
    assert done.stderr.count("besom: warning: the database has 1 standby") == 1
    assert "finished 2/2 runs" in done.stdout
