# SPDX-License-Identifier: GPL-3.0-or-later
"""The batch script of docs/slurm.md, run without SLURM: scontrol is a stand-in that writes down what it is asked."""
import os
import re
import signal
import subprocess

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
