# SPDX-License-Identifier: GPL-3.0-or-later
"""`besom deploy --submit` to a SLURM of two nodes, both on this machine, with daemons of its own on free ports."""
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

import pytest

from localstack import BIN, LocalStack, free_ports, read_bytes, wait_for

PAGE = os.path.join(os.path.dirname(__file__), "../../docs/slurm.md")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
NODES = ("n1", "n2")
MUNGE_FILES = (("key-file", "key"), ("socket", "socket"), ("pid-file", "pid"), ("log-file", "log"), ("seed-file", "seed"))
CONF = """\
ClusterName=besom
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SwitchType=switch/none
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SchedulerParameters=sched_interval=1,batch_sched_delay=0
PropagateResourceLimits=NONE
SlurmdParameters=config_overrides
ReturnToService=2
MinJobAge=300
KillWait=20
{nodes}
PartitionName=all Nodes={names} Default=YES MaxTime=INFINITE State=UP
"""
# One line for each start and each end. Point 2 of each sweep waits, the first time it is tried, for what stops it.
RUN = """\
#!/bin/sh
say() { echo "$1 $BESOM_SWEEP_ID $2 $BESOM_ATTEMPT ${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID $SLURMD_NODENAME" >> TRACE; }
trap 'say stopped $x; exit 1' TERM
x=$(sed 's/[^0-9]//g' "$BESOM_PARAMS_FILE")
say started $x
while [ "$BESOM_SWEEP_ID.$x.$BESOM_ATTEMPT" = "$(cat HELD).2.1" ]; do sleep 0.05; done
sleep 0.2
say ended $x
"""
SWEEPS = """\
name: first
method: grid
command: [/bin/sh, RUN]
parameters: {x: {values: [1, 2, 3, 4, 5, 6]}}
---
name: second
method: grid
command: [/bin/sh, RUN]
parameters: {x: {values: [1, 2, 3, 4]}}
"""


def missing():
    if os.geteuid() != 0:
        return "SLURM's daemons are started as root"
    lacking = [name for name in PROGRAMS if shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None]
    return f"not installed: {', '.join(lacking)} (deploy/install-packages --test)" if lacking else None


pytestmark = pytest.mark.skipif(missing() is not None, reason=missing() or "")


class Slurm:
    """munged, slurmctld and a slurmd for each node, in a folder of their own."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="besom-slurm-")
        os.chmod(self.folder, 0o755)
        self.daemons = []
        host, ports = socket.gethostname().split(".")[0], free_ports(1 + len(NODES))
        nodes = "\n".join(f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=100 State=UNKNOWN"
                          for name, port in zip(NODES, ports[1:]))
        self.conf = os.path.join(self.folder, "slurm.conf")
        self.write("slurm.conf", CONF.format(host=host, ports=ports, folder=self.folder, nodes=nodes, names=",".join(NODES)))
        self.write("cgroup.conf", "CgroupPlugin=cgroup/v1\n")
        self.environment = {"SLURM_CONF": self.conf, "PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin:/sbin"}

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as file:
            file.write(text)
        return os.path.join(self.folder, name)

    def start(self, *command, **account):
        with open(os.path.join(self.folder, "daemons.log"), "ab") as log:
            self.daemons.append(subprocess.Popen(command, env=dict(os.environ, **self.environment), stdin=subprocess.DEVNULL,
                                                 stdout=log, stderr=log, start_new_session=True, **account))

    def ask(self, *command):
        return subprocess.run(command, env=dict(os.environ, **self.environment), text=True, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=60).stdout

    def logs(self):
        names = sorted(name for name in os.listdir(self.folder) if name.endswith(".log") or name == "trace")
        return "".join(f"--- {name}\n{read_bytes(os.path.join(self.folder, name))[-4000:].decode(errors='replace')}" for name in names)

    def __enter__(self):
        try:
            self.up()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def up(self):
        munge = os.path.join(self.folder, "munge")
        os.mkdir(munge)
        with open(os.path.join(munge, "key"), "wb") as key:
            key.write(os.urandom(1024))
        os.chmod(os.path.join(munge, "key"), 0o400)
        for path in (munge, os.path.join(munge, "key")):
            shutil.chown(path, "munge", "munge")
        for name in ("state", *(f"spool-{node}" for node in NODES)):
            os.mkdir(os.path.join(self.folder, name))
        self.start("munged", "--foreground", *(f"--{key}={munge}/{name}" for key, name in MUNGE_FILES), user="munge",
                   group="munge", extra_groups=[])
        wait_for(lambda: os.path.exists(f"{munge}/socket"), 30, "munged listens")
        self.start("slurmctld", "-D", "-f", self.conf)
        for node in NODES:
            self.start("slurmd", "-D", "-N", node, "-f", self.conf)
        wait_for(lambda: self.ask("sinfo", "-h", "-N", "-o", "%T").split() == ["idle"] * len(NODES), 60, "both nodes are idle")

    def close(self):
        self.ask("scancel", "-u", "root")
        deadline = time.monotonic() + 30
        while self.ask("squeue", "-h") and time.monotonic() < deadline:
            time.sleep(0.1)
        print(self.logs())  # shown when a test failed
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(30)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def stack():
    with LocalStack() as running:
        yield running


@pytest.fixture(scope="module")
def slurm(stack):  # its jobs end before the stack does
    with Slurm() as running:
        yield running


def template(slurm):
    """The script of docs/slurm.md, for nodes without GPUs."""
    script = next(block for block in re.findall(r"```sh\n(.*?)```", open(PAGE).read(), re.S) if "#SBATCH --signal" in block)
    script = re.sub(r"#SBATCH --(array|gpus)=.*\n", "", script).replace(" --gpus auto", "")
    return script.replace("#SBATCH --requeue\n", f"#SBATCH --requeue\n#SBATCH --output={slurm.folder}/job-%A_%a.log\n")


def lines(trace, verb):
    return [line.split()[1:] for line in read_bytes(trace).decode().splitlines() if line.startswith(verb + " ")]


def deploy(slurm, stack, *arguments, sweeps, script):
    """The sweeps as `besom deploy --submit` tells them."""
    stack.environment.update(slurm.environment, SHARED=slurm.folder)
    done = stack.json("deploy", slurm.write("sweeps.yaml", sweeps), "--slurm", slurm.write("base.sbatch", script), "--out",
                      slurm.folder, "--submit", *arguments)
    return done["sweeps"]


def test_requeued_job_runs_each_point_once(slurm, stack):
    trace, held = os.path.join(slurm.folder, "trace"), slurm.write("held", "nothing yet")
    run = slurm.write("run.sh", RUN.replace("TRACE", trace).replace("HELD", held))
    text = SWEEPS.replace("RUN", run)
    # the first sweep's point 2 is held from before its job can start
    text = text.replace("command:", "retry: {max: 5, on: [preempted]}\ncommand:", 1)
    slurm.ask("scontrol", "update", "PartitionName=all", "State=DOWN")
    made = deploy(slurm, stack, "--nodes", "2", sweeps=text, script=template(slurm))
    first, second = (sweep["sweep_id"] for sweep in made)
    slurm.write("held", first)
    slurm.ask("scontrol", "update", "PartitionName=all", "State=UP")
    started = wait_for(lambda: [line for line in lines(trace, "started") if line[:2] == [first, "2"]], 60, "the held run")[0]
    wait_for(lambda: stack.json("status", second)["state"] == "finished", 60, "the other sweep goes on")
    slurm.ask("scontrol", "requeue", started[3])
    wait_for(lambda: stack.json("status", first)["state"] == "finished", 60, "the sweep goes on after the requeue")
    wait_for(lambda: slurm.ask("squeue", "-h") == "", 120, "no job is left")
    ended = sorted((line[0], line[1]) for line in lines(trace, "ended"))
    assert ended == sorted([(first, str(x)) for x in range(1, 7)] + [(second, str(x)) for x in range(1, 5)])
    assert sorted(line[:3] for line in lines(trace, "started")) == sorted(
        [list(line) + ["1"] for line in ended] + [[first, "2", "2"]])
    assert [line[:3] for line in lines(trace, "stopped")] == [[first, "2", "1"]]
    assert {line[4] for line in lines(trace, "started")} == set(NODES)
    runs = stack.runs(first) + stack.runs(second)
    assert [run["state"] for run in runs] == ["finished"] * 10
    assert sorted(run["attempt"] for run in runs) == [1] * 9 + [2]
    log = read_bytes(os.path.join(slurm.folder, f"job-{started[3]}.log")).decode()
    assert log.count("Starting besom agent") == 2 and f"sweep {first} is finished" in log, log
    assert "not reported" not in log


def test_agent_leaves_before_the_limit(slurm, stack):
    """A job of one minute, runs that are said to take 50 s: after some ten seconds it takes no more."""
    log = os.path.join(slurm.folder, "limited.log")
    script = (f"#!/bin/sh\n#SBATCH --time=1\n#SBATCH --output={log}\n"
              "exec besom agent --time-left-from slurm --time-per-run 50s --run-dir $SHARED/runs SWEEP\n")
    text = f"method: grid\ncommand: [sleep, '0.2']\nparameters: {{x: {{values: {list(range(1000))}}}}}\n"
    made = deploy(slurm, stack, sweeps=text, script=script)[0]
    wait_for(lambda: b"agent done" in read_bytes(log), 55, "the agent leaves")
    wait_for(lambda: slurm.ask("squeue", "-h") == "", 30, "no job is left")
    assert re.search(r"agent done: \d+ s are left of its job and a run takes 50 s", read_bytes(log).decode())
    assert "JobState=COMPLETED" in slurm.ask("scontrol", "show", "job", made["job_id"])
    states = [run["state"] for run in stack.runs(made["sweep_id"])]
    assert "finished" in states and set(states) <= {"finished", "pending"}
