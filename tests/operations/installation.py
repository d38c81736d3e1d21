# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation as operators run it: a PostgreSQL, services started one by one from any folder of programs, agents."""
import glob
import json
import os
import pwd
import secrets
import subprocess

import psycopg2

import localstack
import postgres
from localstack import BIN, wait_for

POINT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "faults", "point.py")
LOST_AFTER_S = 4
KINDS = ("suggestion", "scheduler", "controller")


def postgres_folder():
    return max(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))


class Cluster:
    """A PostgreSQL of its own in a folder: `data`, and a unix socket beside it."""

    def __init__(self, folder):
        self.folder = folder
        self.data = os.path.join(folder, "data")
        self.server = None
        self.owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        os.mkdir(folder)
        self.give_to_owner(folder)

    def give_to_owner(self, path):
        if self.owner is not None:
            os.chown(path, self.owner.pw_uid, self.owner.pw_gid)

    def make_folder(self, name):
        path = os.path.join(self.folder, name)
        os.mkdir(path, 0o700)
        self.give_to_owner(path)
        return path

    def popen(self, program, *arguments, **options):
        if self.owner is not None:
            options.update(user=self.owner.pw_uid, group=self.owner.pw_gid, extra_groups=[])
        return subprocess.Popen([os.path.join(postgres_folder(), program), *arguments], cwd=self.folder,
                                stdin=subprocess.DEVNULL, **options)

    def run(self, program, *arguments):
        """One of PostgreSQL's programs, as its owner; gives what it prints."""
        process = self.popen(program, *arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        text = process.communicate(timeout=120)[0]
        assert process.returncode == 0, f"{program} {' '.join(arguments)}: {text}"
        return text

    def initialize(self):
        self.run("initdb", "-U", "besom", "-A", "trust", "-E", "UTF8", "--locale=C", "-D", self.data)

    def start(self, **settings):
        words = [f"--{name}={value}" for name, value in settings.items()]
        with open(os.path.join(self.folder, "server.log"), "ab") as log:
            self.server = self.popen("postgres", "-D", self.data, "-k", self.folder, "-h", "", *words, stdout=log, stderr=log)
        wait_for(self.answers, 60, "PostgreSQL takes writes")

    def answers(self):
        assert self.server.poll() is None, localstack.read_bytes(os.path.join(self.folder, "server.log")).decode()[-2000:]
        try:
            return self.query("SELECT NOT pg_is_in_recovery()")[0][0]
        except psycopg2.OperationalError:
            return False

    def query(self, sql, database="postgres"):
        return postgres.query(sql, host=self.folder, user="besom", dbname=database)

    def url(self, database="besom"):
        return f"postgresql://besom@/{database}?host={self.folder}"

    def stop(self, at_once=False):
        """At once: as if the machine had died."""
        if self.server is None:
            return
        if at_once:
            children = [pid for pid, (parent, _) in localstack.processes().items() if parent == self.server.pid]
            for pid in [self.server.pid, *children]:
                try:
                    os.kill(pid, 9)
                except ProcessLookupError:
                    pass
        else:
            self.server.send_signal(2)  # SIGINT: fast shutdown
        self.server.wait(60)
        self.server = None


class Installation(localstack.LocalStack):
    """Its `command`, `json` and agents talk to the first controller unless another one is named."""

    def __init__(self, bin_folder=BIN):
        super().__init__(BESOM_LEASE_TIME="2s", BESOM_RENEW_TIME="500ms", BESOM_LOST_AFTER=f"{LOST_AFTER_S}s")
        self.bin = bin_folder
        self.services = {}  # (kind, number) -> Popen
        self.clusters = []
        self.database = None
        token = self.make_secret("token")
        self.make_secret("service-token")
        self.make_secret("token-key")
        self.environment.update(BESOM_ADDRESS=self.address("controller"), BESOM_TOKEN=token,
                                FAULTS_JOURNAL=os.path.join(self.home, "journal"))

    def make_secret(self, name):
        text = secrets.token_hex(32)
        path = self.write(name, text)
        os.chmod(path, 0o600)
        return text

    def path(self, name):
        return os.path.join(self.home, name)

    def address(self, kind, number=0):
        return "unix:" + self.path(f"{kind}-{number}.sock")

    def new_cluster(self, name):
        self.clusters.append(Cluster(self.path(name)))
        return self.clusters[-1]

    def migrate(self, bin_folder=None):
        done = subprocess.run([os.path.join(bin_folder or self.bin, "besom-controller"), "migrate", "--database-url",
                               self.database.url()], env=self.environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr

    def up(self, **settings):
        """A new cluster with an empty database of this schema, and one of each service."""
        self.database = self.new_cluster("first")
        self.database.initialize()
        self.database.start(**settings)
        self.database.query("CREATE DATABASE besom")
        self.migrate()
        self.start_services()

    def start_service(self, kind, number=0, bin_folder=None, key="token-key"):
        words = [os.path.join(bin_folder or self.bin, f"besom-{kind}"), "--listen", self.address(kind, number)]
        options = ["--database-url", self.database.url(), "--service-token-file", self.path("service-token")]
        if kind == "controller":
            options += ["--token-file", self.path("token"), "--token-key-file", self.path(key), "--suggestion-address",
                        self.address("suggestion", number), "--scheduler-address", self.address("scheduler", number)]
        with open(self.path(f"{kind}-{number}.log"), "ab") as log:
            service = subprocess.Popen([*words, *options], env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.services[kind, number] = service

        def serves():
            assert service.poll() is None, self.service_log(kind, number)[-2000:]
            return subprocess.run([*words, "--healthcheck"], env=self.environment, stdin=subprocess.DEVNULL,
                                  capture_output=True, timeout=60).returncode == 0

        wait_for(serves, 60, f"{kind} serves")

    def service_log(self, kind, number=0):
        return localstack.read_bytes(self.path(f"{kind}-{number}.log")).decode(errors="replace")

    def start_services(self, number=0, bin_folder=None, key="token-key"):
        for kind in KINDS:
            self.start_service(kind, number, bin_folder, key)

    def stop_service(self, kind, number=0):
        service = self.services.pop((kind, number))
        service.terminate()
        return service.wait(60)

    def stop_services(self, number=0):
        for kind in reversed(KINDS):
            if (kind, number) in self.services:
                assert self.stop_service(kind, number) == 0, self.service_log(kind, number)[-2000:]

    def start_agent(self, sweep, number=0, *arguments, bin_folder=None, controller=0):
        environment = dict(self.environment, BESOM_ADDRESS=self.address("controller", controller))
        with open(self.agent_log(number), "ab") as log:
            self.agents[number] = subprocess.Popen(
                [os.path.join(bin_folder or self.bin, "besom-agent"), "--state-dir", self.path(f"agent-{number}"), *arguments,
                 sweep], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        return self.agents[number]

    def wait_for_agents(self, seconds=120):
        for number, agent in self.agents.items():
            assert agent.wait(seconds) == 0, self.agent_text(number)[-2000:]

    def wait_for_runs(self, sweep, state, count, seconds=60):
        wait_for(lambda: self.json("status", sweep)["counts"].get(state, 0) >= count, seconds, f"{count} runs {state}")

    def wait_for_sweep(self, sweep, state="finished", seconds=60):
        """Agents leave when there is nothing more to run; the state of the sweep follows within a second."""
        wait_for(lambda: self.json("status", sweep)["state"] == state, seconds, f"{sweep} is {state}")

    def values(self, run, name="value", attempt=None):
        which = [] if attempt is None else ["--attempt", str(attempt)]
        series = [one for one in self.json("metrics", run, *which)["series"] if one["name"] == name]
        return series[0]["values"] if series else []

    def stop_everything(self):
        for service in self.services.values():
            service.kill()
            service.wait()
        self.services.clear()
        for cluster in self.clusters:
            cluster.stop()

    def close(self):
        localstack.end(self.agents.values())
        self.stop_everything()
        super().close()


def grid(points, seconds, extra=""):
    """A sweep file: each run logs the numbers 0 to 49 as `value` within so many seconds."""
    return f"""
program: {POINT}
command: [/usr/bin/python3, "${{program}}", "${{args}}"]
metric: {{name: value, goal: maximize}}
method: grid
{extra}
parameters:
  point: {{values: {json.dumps(list(range(points)))}}}
  seconds: {{value: {seconds}}}
"""


def check_every_point_once(installation, sweep, points):
    """Each point has one run, which has finished, and its last attempt every value once."""
    runs = installation.runs(sweep)
    assert [run["state"] for run in runs] == ["finished"] * points, [run["state"] for run in runs]
    assert sorted(run["params"]["point"] for run in runs) == list(range(points))
    for run in runs:
        values = installation.values(run["run_id"], attempt=run["attempt"])
        assert values == [float(number) for number in range(50)], (run["run_id"], run["attempt"], len(values))
    return runs
