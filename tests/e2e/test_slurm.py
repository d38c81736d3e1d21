# SPDX-License-Identifier: GPL-3.0-or-later
"""The batch script of docs/slurm.md, run without SLURM: scontrol is a stand-in that writes down what it is asked."""
import os
import re
import signal
import subprocess
import time

import pytest

from localstack import BIN, LocalStack, read_bytes, wait_for

PAGE = os.path.join(os.path.dirname(__file__), "../../docs/slurm.md")
SWEEP = """
method: grid
stop_grace: 20s
command: [/bin/sh, -c, "trap 'sleep 1; echo saved > $BESOM_RUN_DIR/checkpoint; exit 1' TERM; \
echo ready >> {trace}; [ $BESOM_ATTEMPT = 2 ] && exit 0; while :; do sleep 0.02; done"]
parameters:
  x: {{values: [1]}}
"""


@pytest.fixture(scope="module")
def stack():
    with LocalStack() as running:
        yield running


def batch_script():
    return next(block for block in re.findall(r"```sh\n(.*?)```", open(PAGE).read(), re.S) if "#SBATCH" in block)


def job_log(stack):
    return os.path.join(stack.home, "job.log")


def start_job(stack, sweep):
    os.makedirs(os.path.join(stack.home, "bin"), exist_ok=True)
    asked = os.path.join(stack.home, "asked")
    os.chmod(stack.write("bin/scontrol", f'#!/bin/sh\necho "$@" >> {asked}\n'), 0o755)
    environment = dict(stack.environment, SWEEP=sweep, SHARED=stack.home, SLURM_ARRAY_JOB_ID="123", SLURM_ARRAY_TASK_ID="4",
                       CUDA_VISIBLE_DEVICES="0,1", PATH=f"{stack.home}/bin:{BIN}:{os.environ['PATH']}")
    log = open(job_log(stack), "ab")
    return asked, subprocess.Popen(["/bin/bash", stack.write("job.sh", batch_script())], env=environment, stdout=log,
                                   stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)


def test_job_gives_its_runs_back_and_queues_itself(stack):
    trace = os.path.join(stack.home, "trace")
    sweep = stack.create(SWEEP.format(trace=trace))
    asked, job = start_job(stack, sweep)
    wait_for(lambda: read_bytes(trace).count(b"ready") == 1, 20, "the run has started")
    job.send_signal(signal.SIGUSR1)  # the time limit is near
    wait_for(lambda: b"taken away" in read_bytes(job_log(stack)), 10, "the agent was warned")
    job.send_signal(signal.SIGTERM)  # and reached
    assert job.wait(30) == 0
    assert read_bytes(asked) == b"requeue 123_4\n"
    run = stack.runs(sweep)[0]
    assert run["state"] == "pending"
    assert read_bytes(f"{stack.home}/runs/{run['run_id']}/checkpoint") == b"saved\n"
    asked, job = start_job(stack, sweep)  # as SLURM does, when it has room
    assert job.wait(30) == 0
    assert read_bytes(asked) == b"requeue 123_4\n"
    run = stack.runs(sweep)[0]
    assert (run["state"], run["attempt"]) == ("finished", 2)
    assert b"on GPU 0 with config" in read_bytes(job_log(stack))


def agent_in_job(stack, sweep, *arguments, squeue="exit 1", **variables):
    """Of an agent in a job, with a stand-in for squeue, its exit code and what it said."""
    os.makedirs(os.path.join(stack.home, "bin"), exist_ok=True)
    os.chmod(stack.write("bin/squeue", f"#!/bin/sh\n{squeue}\n"), 0o755)
    environment = dict(stack.environment, PATH=f"{stack.home}/bin:{os.environ['PATH']}", **variables)
    done = subprocess.run([os.path.join(BIN, "besom"), "agent", "--time-left-from", "slurm", *arguments, sweep], env=environment,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def short_runs(stack, count):
    return stack.create(f"method: grid\ncommand: [sleep, '0.3']\nparameters: {{x: {{values: {list(range(count))}}}}}\n")


def test_agent_leaves_before_the_time_is_up(stack):
    sweep = short_runs(stack, 1000)
    end = int(time.time()) + 15
    code, text = agent_in_job(stack, sweep, SLURM_JOB_ID="7", SLURM_JOB_END_TIME=str(end))
    assert time.time() < end and code == 0
    assert re.search(r"agent done: \d+ s are left of its job and a run takes \d+ s \(--time-left-from slurm\)\n", text), text
    states = [run["state"] for run in stack.runs(sweep)]
    assert "finished" in states and set(states) <= {"finished", "pending"}
    assert {run["attempt"] for run in stack.runs(sweep) if run["state"] == "finished"} == {1}


def test_agent_takes_no_run_that_would_not_end(stack):
    sweep = short_runs(stack, 3)
    asks = f'echo "$@" > {stack.home}/squeue-asked; echo 0:40'
    code, text = agent_in_job(stack, sweep, "--time-per-run", "90s", squeue=asks, SLURM_JOB_ID="7")
    assert code == 0 and re.search(r"agent done: [34]\d s are left of its job and a run takes 1 min 30 s", text), text
    assert read_bytes(f"{stack.home}/squeue-asked") == b"-h -j 7 -o %L\n"
    assert all(run["state"] == "pending" for run in stack.runs(sweep))
    code, text = agent_in_job(stack, sweep, "--time-per-run", "90s", squeue="echo UNLIMITED", SLURM_JOB_ID="7")
    assert code == 0 and "is finished" in text


@pytest.mark.parametrize("arguments, squeue, variables, code, said", [
    ([], "echo 1:00", {}, 1, "SLURM_JOB_ID is not set"),
    ([], "exit 1", {"SLURM_JOB_ID": "7"}, 1, "squeue does not tell the time left of job 7"),
    ([], "echo INVALID", {"SLURM_JOB_ID": "7"}, 2, "'INVALID' is no time"),
    (["--time-left-from", "pbs"], "exit 1", {}, 2, "'pbs' is not known"),
])
def test_agent_says_why_it_knows_no_time(stack, arguments, squeue, variables, code, said):
    answer, text = agent_in_job(stack, "k3v9x2aa", *arguments, squeue=squeue, **variables)
    assert answer == code and said in text, text
