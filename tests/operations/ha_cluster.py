# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL cluster that Patroni keeps, with etcd, to be hurt: on 127.0.0.1, or each node behind a cable of its own."""
import glob
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import urllib.request

import psycopg2

import localstack

NODES = 3
SUPERUSER = "postgres"
SETTINGS = """\
scope: besom
name: {name}
restapi: {{listen: "{address}:{api}", connect_address: "{address}:{api}"}}
etcd3: {{host: "{etcd}"}}
bootstrap:
  dcs:
    ttl: {ttl}
    loop_wait: 1
    retry_timeout: 3
    synchronous_mode: true
    postgresql: {{use_pg_rewind: true, parameters: {{max_connections: 100}}}}
  initdb: [{{encoding: UTF8}}, {{locale: C}}, data-checksums]
  pg_hba: [host all all {network} scram-sha-256, host replication all {network} scram-sha-256]
postgresql:
  listen: {address}:{port}
  connect_address: {address}:{port}
  data_dir: {data}
  bin_dir: {binaries}
  pgpass: {data}.pass
  authentication:
    superuser: {{username: postgres, password: {password}}}
    replication: {{username: replicator, password: {password}}}
    rewind: {{username: rewinder, password: {password}}}
  parameters:
    unix_socket_directories: {folder}
    shared_buffers: 32MB
    dynamic_shared_memory_type: mmap
    password_encryption: scram-sha-256
"""


def binaries():
    """Folder of the newest server, "" without one."""
    found = glob.glob("/usr/lib/postgresql/*/bin/postgres")
    return os.path.dirname(max(found, key=lambda path: int(path.split("/")[4]))) if found else ""


def missing():
    """What keeps these tests from running here, in words; "" = nothing."""
    lacking = [name for name in ("patroni", "etcd") if shutil.which(name) is None]
    if lacking:
        return f"{', '.join(lacking)} not installed (apt-get install patroni python3-etcd etcd-server)"
    if not binaries():
        return "no PostgreSQL server installed"
    if os.geteuid() != 0:
        return ""
    try:
        pwd.getpwnam(SUPERUSER)
    except KeyError:
        return "root needs the user postgres, for PostgreSQL refuses root"
    return ""


def send(number, pids):
    """A signal to those that are there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


class Loopback:
    """All nodes on this machine's own address, told apart by their ports."""

    hub, network = "127.0.0.1", "127.0.0.1/32"

    def address(self, number):
        return self.hub

    def command(self, number):
        return []

    def close(self):
        pass


class Cables:
    """A network namespace for each node, behind a cable to one bridge. Needs root and iproute2."""

    def __init__(self):
        self.mark = secrets.token_hex(2)
        subnet = f"10.214.{os.getpid() % 250}"
        self.hub, self.network, self.prefix = f"{subnet}.1", f"{subnet}.0/24", f"{subnet}."
        self.bridge = f"bb-{self.mark}"
        self.namespaces = {}
        self.ip("link", "add", self.bridge, "type", "bridge")
        self.ip("addr", "add", f"{self.hub}/24", "dev", self.bridge)
        self.ip("link", "set", self.bridge, "up")

    @staticmethod
    def ip(*words, check=True):
        subprocess.run(["ip", *words], check=check, capture_output=True)

    def address(self, number):
        return f"{self.prefix}{number + 10}"

    def cable(self, number):
        return f"bo{number}-{self.mark}"

    def command(self, number):
        if number not in self.namespaces:
            name, inner = f"besom-ha{number}-{self.mark}", f"bi{number}-{self.mark}"
            self.namespaces[number] = name
            self.ip("netns", "add", name)
            self.ip("link", "add", self.cable(number), "type", "veth", "peer", "name", inner, "netns", name)
            self.ip("link", "set", self.cable(number), "master", self.bridge, "up")
            for words in (("addr", "add", f"{self.address(number)}/24", "dev", inner), ("link", "set", inner, "up"),
                          ("link", "set", "lo", "up")):
                self.ip("-n", name, *words)
        return ["ip", "netns", "exec", self.namespaces[number]]

    def cut(self, number):
        """Nothing passes any more, and nobody is told."""
        self.ip("link", "set", self.cable(number), "down")

    def mend(self):
        for number in self.namespaces:
            self.ip("link", "set", self.cable(number), "up")

    def close(self):
        for number, name in self.namespaces.items():
            self.ip("link", "delete", self.cable(number), check=False)
            self.ip("netns", "delete", name, check=False)
        self.ip("link", "delete", self.bridge, check=False)


def cables_are_possible():
    """Whether this user can make them here."""
    try:
        cables = Cables()
    except (OSError, subprocess.CalledProcessError):
        return False
    try:
        cables.command(1)
    except subprocess.CalledProcessError:
        return False
    finally:
        cables.close()
    return True


class Node:
    """One server and the Patroni beside it."""

    def __init__(self, cluster, number, port, api):
        self.cluster, self.number, self.name, self.port, self.api = cluster, number, f"n{number}", port, api
        self.address = cluster.network.address(number)
        self.data = os.path.join(cluster.folder, self.name)
        self.settings = self.data + ".yml"
        self.patroni = None
        with open(self.settings, "w") as file:
            file.write(SETTINGS.format(name=self.name, api=api, etcd=cluster.etcd, ttl=cluster.ttl_s, port=port, data=self.data,
                                       binaries=binaries(), password=cluster.password, folder=cluster.folder,
                                       address=self.address, network=cluster.network.network))
        cluster.give(self.settings)

    def start(self):
        self.patroni = self.cluster.spawn(self.name, "patroni", self.settings, place=self.cluster.network.command(self.number))

    def lock_file(self):
        """Lines of the server's own, [] without one."""
        return localstack.read_bytes(os.path.join(self.data, "postmaster.pid")).decode().splitlines()

    def postgres(self):
        """pids of the server, the postmaster first."""
        lines = self.lock_file()
        processes = localstack.processes()
        if not lines or int(lines[0]) not in processes:
            return []
        return [int(lines[0])] + [pid for pid, (parent, _) in processes.items() if parent == int(lines[0])]

    def kill(self):
        """SIGKILL to Patroni and to each process of its server."""
        send(signal.SIGKILL, [self.patroni.pid] + self.postgres())
        self.patroni.wait()

    def stop_at_once(self):
        """Leaves nothing in the system's shared memory, as a kill would."""
        send(signal.SIGKILL, [self.patroni.pid] if self.patroni is not None else [])
        send(signal.SIGQUIT, self.postgres()[:1])
        localstack.wait_for(lambda: not self.postgres(), 20, f"the end of {self.name}")
        segment = self.lock_file()[6:7]
        if segment:  # of a server that was killed and not started again
            subprocess.run(["ipcrm", "-m", segment[0].split()[1]], check=False, capture_output=True)

    def connect(self, database="postgres", **options):
        connection = psycopg2.connect(host=self.address, port=self.port, user=SUPERUSER, password=self.cluster.password,
                                      dbname=database, connect_timeout=3, **options)
        connection.autocommit = True
        return connection


class Cluster:
    """Three nodes in synchronous mode; `folder` holds all that they write. A leader silent for ttl_s is replaced."""

    def __init__(self, network=None, ttl_s=8):
        self.network, self.ttl_s = network or Loopback(), ttl_s
        self.folder = tempfile.mkdtemp(prefix="besom-test-ha-")
        self.user = SUPERUSER if os.geteuid() == 0 else None
        self.give(self.folder)
        self.password = secrets.token_hex(8)
        self.processes = []
        client_port, peer_port, *ports = localstack.free_ports(2 + 2 * NODES)
        self.etcd = f"{self.network.hub}:{client_port}"
        self.nodes = [Node(self, number + 1, ports[2 * number], ports[2 * number + 1]) for number in range(NODES)]
        try:
            self.start_etcd(peer_port)
            for node in self.nodes:
                node.start()
            self.await_synchronous()
        except BaseException:
            self.close()
            raise

    def give(self, path):
        if self.user is not None:
            shutil.chown(path, self.user, self.user)

    def spawn(self, name, *command, place=()):
        if place and self.user is not None:
            command = (*place, "setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--init-groups", *command)
        user = None if place else self.user
        with open(os.path.join(self.folder, name + ".log"), "ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                       user=user, group=user, extra_groups=[] if user else None,
                                       start_new_session=True, env={"PATH": os.environ["PATH"], "HOME": self.folder})
        self.processes.append(process)
        return process

    def start_etcd(self, peer_port):
        client, peer = f"http://{self.etcd}", f"http://127.0.0.1:{peer_port}"
        self.spawn("etcd", "etcd", "--name=one", "--data-dir", os.path.join(self.folder, "etcd"),
                   "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
                   "--initial-advertise-peer-urls", peer, "--initial-cluster", f"one={peer}")

    @staticmethod
    def call(node, path, method="GET", timeout=3, **body):
        """The answer of the Patroni of a node, as text. OSError."""
        request = urllib.request.Request(f"http://{node.address}:{node.api}{path}", method=method,
                                         data=json.dumps(body).encode() if body else None)
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.read().decode()

    def members(self):
        """Patroni's picture: name → its entry; {} while nobody answers."""
        for node in self.nodes:
            try:
                found = json.loads(self.call(node, "/cluster"))
            except (OSError, ValueError):
                continue
            return {member["name"]: member for member in found.get("members", [])}
        return {}

    def leader(self):
        """The node that Patroni calls leader, None without."""
        members = self.members()
        return next((node for node in self.nodes if members.get(node.name, {}).get("role") == "leader"), None)

    def is_synchronous(self):
        """All nodes run, and one of the standbys is synchronous, by Patroni and by PostgreSQL."""
        members = self.members()
        roles = sorted(member["role"] for member in members.values() if member.get("state") in ("running", "streaming"))
        if roles != ["leader"] + ["replica"] * (NODES - 2) + ["sync_standby"]:
            return False
        leader = self.leader()
        return leader is not None and self.ask(leader, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == 1

    def await_synchronous(self, seconds=120):
        localstack.wait_for(self.is_synchronous, seconds, "a leader with a synchronous standby")

    def mend(self):
        """Starts again what was killed, and waits until all is as it was."""
        for node in self.nodes:
            if node.patroni.poll() is not None:
                node.start()
        self.await_synchronous()

    def ask(self, node, statement, database="postgres"):
        """The first value of the answer; None when there is none, or the node is away."""
        try:
            connection = node.connect(database)
        except psycopg2.OperationalError:
            return None
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                row = cursor.fetchone() if cursor.description else None
                return row[0] if row else None
        except psycopg2.OperationalError:
            return None
        finally:
            connection.close()

    def url(self, user, password, database):
        """All nodes by name; the client picks the one that takes writes."""
        hosts = ",".join(f"{node.address}:{node.port}" for node in self.nodes)
        return f"postgresql://{user}:{password}@{hosts}/{database}"

    def configure(self, **settings):
        """Changes the cluster's settings, as `patronictl edit-config` does."""
        self.call(self.leader(), "/config", "PATCH", 10, **settings)

    def switch_over(self):
        """A planned change of the leader; ends once Patroni has done it."""
        leader = self.leader()
        self.call(leader, "/switchover", "POST", 60, leader=leader.name)

    def left_behind(self):
        """pids of what works in the folder."""
        found = []
        for pid in localstack.processes():
            try:
                where = os.readlink(f"/proc/{pid}/cwd")
            except OSError:
                continue
            if where.startswith(self.folder) or localstack.belongs_to(pid, self.folder):
                found.append(pid)
        return [pid for pid in found if pid != os.getpid()]

    def close(self):
        """Ends everything; fails when something is left."""
        for node in self.nodes:
            node.stop_at_once()
        send(signal.SIGKILL, self.left_behind())
        for process in self.processes:
            process.wait()
        left = self.left_behind()
        self.network.close()
        if not os.environ.get("BESOM_TEST_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)
        assert not left, f"left behind: {left}"
