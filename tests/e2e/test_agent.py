# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent as a process: adoption after kill -9, stops, signals, refusals, outages, and what it leaves behind."""
import glob
import os
import shutil
import signal
import subprocess

import pytest

from localstack import BIN, LocalStack, processes, read_bytes, wait_for

# Each start and end of the command is a line of the trace; it ends by itself when the gate's file appears.
TRACED = """
method: grid
metric: {{name: loss, goal: minimize}}
command: [/bin/sh, -c, "echo START $BESOM_RUN_ID $BESOM_ATTEMPT >> {trace}; echo ready; \
while [ ! -e {gate} ]; do sleep 0.02; done; echo END $BESOM_RUN_ID $BESOM_ATTEMPT >> {trace}"]
parameters:
  x: {{values: [1, 2, 3]}}
"""
PLAIN = """
method: grid
command: [/bin/sh, -c, "{script}"]
parameters:
  x: {{values: [1, 2, 3, 4, 5]}}
"""


@pytest.fixture(scope="module")
def stack():
    with LocalStack() as running:
        yield running


@pytest.fixture
def traced(stack, request):
    """A sweep of TRACED with its files: (sweep id, trace, function that opens the gate)."""
    trace = os.path.join(stack.home, request.node.name + ".trace")
    gate = os.path.join(stack.home, request.node.name + ".gate")
    return stack.create(TRACED.format(trace=trace, gate=gate)), trace, lambda: open(gate, "w").close()


def lines(trace, word):
    return [line for line in read_bytes(trace).decode().splitlines() if line.startswith(word)]


def states(stack, sweep):
    return [run["state"] for run in stack.runs(sweep)]


def shims(stack, number):
    folder = os.path.join(stack.home, f"agent-{number}").encode()
    return [pid for pid, (_, name) in processes().items()
            if name == "besom-shim" and folder in read_bytes(f"/proc/{pid}/cmdline")]


def state_files(stack, number):
    return glob.glob(os.path.join(stack.home, f"agent-{number}", "**", "*"), recursive=True)


def start_with(stack, number, *arguments):
    """An agent with exactly these arguments."""
    return stack.start_agent(arguments[-1], number, *arguments[:-1])


def ended_with(agent, code, seconds=20):
    assert agent.wait(seconds) == code


def test_grid_leaves_nothing_behind(stack, traced):
    sweep, trace, open_gate = traced
    open_gate()
    ended_with(stack.start_agent(sweep, sweep, "-j", "2"), 0)
    assert sorted(states(stack, sweep)) == ["finished"] * 3
    assert len(lines(trace, "END")) == 3
    assert f"agent done: sweep {sweep} is finished" in stack.agent_text(sweep)
    assert state_files(stack, sweep) == []
    assert shims(stack, sweep) == []


def test_killed_agent_adopts_its_runs(stack, traced):
    sweep, trace, open_gate = traced
    agent = stack.start_agent(sweep, sweep, "-j", "2")
    wait_for(lambda: len(lines(trace, "START")) == 2, 10, "two commands have started")
    for _ in range(3):
        agent.kill()
        agent.wait()
        assert len(shims(stack, sweep)) == 2
        agent = stack.start_agent(sweep, sweep, "-j", "2")
    open_gate()
    ended_with(agent, 0)
    assert sorted(states(stack, sweep)) == ["finished"] * 3
    assert len(set(lines(trace, "START"))) == len(lines(trace, "START")) == 3
    assert [run["attempt"] for run in stack.runs(sweep)] == [1, 1, 1]


def test_ended_run_is_reported_by_the_next_agent(stack, traced):
    sweep, trace, open_gate = traced
    agent = stack.start_agent(sweep, sweep)
    wait_for(lambda: lines(trace, "START"), 10, "a command has started")
    agent.kill()
    agent.wait()
    open_gate()
    wait_for(lambda: not shims(stack, sweep), 10, "the shim has ended by itself")
    ended_with(stack.start_agent(sweep, sweep), 0)
    assert sorted(states(stack, sweep)) == ["finished"] * 3
    assert len(lines(trace, "START")) == 3


def test_deletion_that_was_cut_off_is_completed(stack):
    sweep = stack.create(PLAIN.format(script="exit 0"))
    agent = stack.start_agent(sweep, sweep, "--count", "1")
    wait_for(lambda: [path for path in state_files(stack, sweep) if path.endswith("slot-0")], 10, "the agent has its folder")
    agent.kill()
    agent.wait()
    wait_for(lambda: not shims(stack, sweep), 10, "no shim is left")
    folder, = [os.path.dirname(path) for path in state_files(stack, sweep) if path.endswith("agent_id")]
    os.mkdir(os.path.join(folder, "gone0000.1"))
    open(os.path.join(folder, "gone0000.1", "started"), "w").close()
    ended_with(stack.start_agent(sweep, sweep), 0)
    assert state_files(stack, sweep) == []


def test_what_the_disk_has_lost_is_told_and_given_up(stack):
    """Batches in the middle of what a run left are damaged: those before arrive, and the run ends."""
    gate = os.path.join(stack.home, "damage.gate")
    log = "besom log loss={}; sleep 0.2; head -c 100000 /dev/zero | tr '\\\\0' x; sleep 0.2; "
    sweep = stack.create("method: grid\nparameters: {x: {value: 1}}\ncommand: [/bin/sh, -c, \"" +
                         f"while [ ! -e {gate} ]; do sleep 0.02; done; {log.format(1)}{log.format(2)}{log.format(3)}\"]\n")
    agent = stack.start_agent(sweep, sweep, "--spool-limit", "1M")
    wait_for(lambda: shims(stack, sweep), 10, "a shim is there")
    agent.kill()
    agent.wait()
    open(gate, "w").close()
    wait_for(lambda: not shims(stack, sweep), 20, "the shim has ended by itself")
    segments = sorted(path for path in state_files(stack, sweep) if os.path.basename(os.path.dirname(path)) == "spool")
    assert len(segments) >= 3, segments
    with open(segments[1], "r+b") as segment:
        segment.seek(30)
        segment.write(b"damaged")
    ended_with(stack.start_agent(sweep, sweep), 0)
    run, = stack.runs(sweep)
    assert (run["state"], run["attempt"]) == ("finished", 1)
    assert [series["values"] for series in stack.json("metrics", run["run_id"])["series"]] == [[1]]
    assert "the disk does not have it any more" in stack.agent_text(sweep)
    assert state_files(stack, sweep) == []


def test_killed_shim_is_a_lost_attempt(stack, traced):
    sweep, trace, open_gate = traced
    agent = stack.start_agent(sweep, sweep)
    wait_for(lambda: lines(trace, "START"), 10, "a command has started")
    os.kill(shims(stack, sweep)[0], signal.SIGKILL)
    wait_for(lambda: len(lines(trace, "START")) == 2, 10, "the lost run, or the next, has started")
    open_gate()
    ended_with(agent, 0)
    assert sorted(states(stack, sweep)) == ["finished"] * 3
    assert len(set(lines(trace, "START"))) == len(lines(trace, "START")) == 4
    assert sum(run["attempt"] == 2 for run in stack.runs(sweep)) == 1


def test_stop_ends_the_whole_tree(stack):
    sweep = stack.create(PLAIN.format(script="(setsid sleep 600 &); sleep 600 & wait"))
    agent = stack.start_agent(sweep, sweep, "--count", "1")
    run = wait_for(lambda: [r for r in stack.runs(sweep) if r["state"] == "running"], 10, "a run is running")[0]
    stack.command("stop", run["run_id"])
    ended_with(agent, 0)
    assert [r["state"] for r in stack.runs(sweep) if r["run_id"] == run["run_id"]] == ["killed"]
    wait_for(lambda: "sleep" not in stack.left_behind().values(), 5, "no sleep is left")


def test_stop_is_heard_while_nobody_reads_a_flood_of_output(stack):
    sweep = stack.create(PLAIN.format(script="exec yes"))
    folder = os.path.join(stack.home, f"agent-{sweep}")
    agent = stack.agents[sweep] = subprocess.Popen(
        [os.path.join(BIN, "besom-agent"), "--state-dir", folder, "--count", "1", sweep], env=stack.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def batches():
        return max((int(os.path.basename(path)) for path in glob.glob(f"{folder}/*/*/*/*.1/spool/*")), default=0)

    wait_for(lambda: batches() > 100, 20, "some 25 MB were printed")
    stack.command("stop", stack.runs(sweep)[0]["run_id"])
    wait_for(lambda: "yes" not in stack.left_behind().values(), 8, "the command was stopped")
    agent.kill()
    agent.wait()
    agent.stdout.close()


def test_terminated_agent_gives_its_runs_back(stack, traced):
    sweep, trace, open_gate = traced
    agent = stack.start_agent(sweep, sweep, "-j", "2")
    wait_for(lambda: len(lines(trace, "START")) == 2, 10, "two commands have started")
    agent.terminate()
    ended_with(agent, 0)
    assert shims(stack, sweep) == [] and state_files(stack, sweep) == []
    assert states(stack, sweep).count("pending") == 2
    open_gate()
    ended_with(stack.start_agent(sweep, sweep), 0)
    assert sorted(states(stack, sweep)) == ["finished"] * 3


def test_interrupts_wait_then_stop(stack, traced):
    sweep, trace, open_gate = traced
    agent = stack.start_agent(sweep, sweep)
    wait_for(lambda: lines(trace, "START"), 10, "a command has started")
    agent.send_signal(signal.SIGINT)
    wait_for(lambda: "Waiting for runs to end" in stack.agent_text(sweep), 5, "the first interrupt was heard")
    assert agent.poll() is None and states(stack, sweep).count("running") == 1
    agent.send_signal(signal.SIGINT)
    ended_with(agent, 0)
    assert states(stack, sweep).count("killed") == 1
    assert len(lines(trace, "START")) == 1


def test_failures_end_the_agent_with_a_reason(stack):
    sweep = stack.create(PLAIN.format(script="echo broken >&2; exit 3"))
    ended_with(stack.start_agent(sweep, sweep), 1)
    assert "3 runs failed in the first 60 seconds" in stack.agent_text(sweep)
    assert states(stack, sweep).count("failed") == 3


def test_count_bounds_the_runs(stack):
    sweep = stack.create(PLAIN.format(script="exit 0"))
    ended_with(stack.start_agent(sweep, sweep, "--count", "3", "-j", "2"), 0)
    assert states(stack, sweep).count("finished") == 3
    assert "--count" in stack.agent_text(sweep)


def test_flags_of_wandb_agent_are_taken(stack):
    sweep = stack.create(PLAIN.format(script="exit 0"))
    ended_with(stack.start_agent(f"team/any/{sweep}", sweep, "-p", "any", "-e", "team", "--count", "1"), 0)
    assert states(stack, sweep) == ["finished"]


def test_own_command_takes_the_place_of_the_sweeps(stack):
    sweep = stack.create(PLAIN.format(script="exit 7"))
    seen = os.path.join(stack.home, "own.txt")
    write = f'echo "$@" >> {seen}'
    ended_with(start_with(stack, sweep, "--count", "2", sweep, "--", "/bin/sh", "-c", write, "-", "--fixed", "${args}"), 0)
    assert states(stack, sweep).count("finished") == 2 and "failed" not in states(stack, sweep)
    assert sorted(read_bytes(seen).decode().splitlines()) == ["--fixed --x=1", "--fixed --x=2"]


def test_own_command_needs_an_allowed_program(stack):
    sweep = stack.create(PLAIN.format(script="exit 0"))
    ended_with(start_with(stack, sweep, sweep, "--allow-program", "/bin/sh", "--count", "1", "--", "/bin/true"), 0)
    assert "refuses to start '/bin/true'" in stack.agent_text(sweep)
    assert states(stack, sweep) == ["failed"]


def test_runs_find_the_python_package(stack):
    sweep = stack.create(PLAIN.format(script="exit 7"))
    for options, module, folder in (([], "besom", "python/besom/"), (["--wandb"], "wandb", "python/besom/wandb/")):
        script = f"import {module}; print('FOUND', {module}.__file__)"
        agent = start_with(stack, f"{sweep}-{module}", "--count", "1", *options, sweep, "--", "/usr/bin/python3", "-c", script)
        ended_with(agent, 0)
        found = [line for line in stack.agent_text(f"{sweep}-{module}").splitlines() if line.startswith("FOUND ")]
        assert len(found) == 1 and folder in found[0]


def test_programs_can_be_refused(stack):
    sweep = stack.create(PLAIN.format(script="exit 0"))
    ended_with(stack.start_agent(sweep, sweep, "--allow-program", "*.py"), 1)
    assert "refuses to start '/bin/sh'" in stack.agent_text(sweep)
    assert states(stack, sweep).count("failed") == 3


def test_deleted_state_folder_ends_run_and_agent(stack, traced):
    sweep, trace, _ = traced
    agent = stack.start_agent(sweep, sweep)
    wait_for(lambda: lines(trace, "START"), 10, "a command has started")
    folder = os.path.join(stack.home, f"agent-{sweep}")
    wait_for(lambda: shutil.rmtree(folder, ignore_errors=True) or not os.path.exists(folder), 10, "its folder is gone")
    for shim in shims(stack, sweep):  # unless it has found out by itself
        os.kill(shim, signal.SIGTERM)
    ended_with(agent, 1)
    assert set(states(stack, sweep)) == {"pending"}
    wait_for(lambda: not shims(stack, sweep), 10, "the shim has ended")


def test_machine_without_its_folder_takes_no_runs(stack):
    sweep = stack.create(PLAIN.format(script="exit 0"))
    folder = os.path.join(stack.home, sweep)
    os.mkdir(folder)
    stack.command("sweep", "--pause", sweep)
    agent = stack.start_agent(sweep, sweep, "--workdir", folder)
    wait_for(lambda: "Waiting" in stack.agent_text(sweep), 10, "the agent waits")
    os.rmdir(folder)
    stack.command("sweep", "--resume", sweep)
    ended_with(agent, 1)
    assert "no run can be started here" in stack.agent_text(sweep)
    assert not {"failed", "crashed"} & set(states(stack, sweep))
    ended_with(stack.start_agent(sweep, f"{sweep}-b"), 0)
    assert states(stack, sweep) == ["finished"] * 5


def test_unknown_sweep_is_not_found(stack):
    ended_with(stack.start_agent("zzzzzzzz", "unknown"), 3)
    assert state_files(stack, "unknown") == []


def test_secrets_stay_with_the_agent(stack):
    sweep = stack.create(PLAIN.format(script="env > {}/env".format(stack.home)))
    stack.environment.update(BESOM_TOKEN=read_bytes(os.path.join(stack.environment["BESOM_HOME"], "token")).decode().strip(),
                             BESOM_DATABASE_URL="postgresql:///secret")
    try:
        ended_with(stack.start_agent(sweep, sweep, "--count", "1"), 0)
    finally:
        del stack.environment["BESOM_TOKEN"], stack.environment["BESOM_DATABASE_URL"]
    seen = read_bytes(stack.home + "/env").decode()
    assert "BESOM_RUN_ID=" in seen and "WANDB_SWEEP_PARAM_PATH=" in seen
    assert "BESOM_TOKEN" not in seen and "BESOM_DATABASE_URL" not in seen


@pytest.fixture(scope="module")
def short_lease():
    with LocalStack(BESOM_LEASE_TIME="2s", BESOM_RENEW_TIME="200ms", BESOM_LOST_AFTER="30s") as running:
        yield running


# Never logs, so that signs of life alone keep its lease.
LEASED = """
method: grid
on_disconnect: stop
command: [/bin/sh, -c, "while [ ! -e {gate} ]; do sleep 0.02; done"]
parameters:
  x: {{values: [1]}}
"""


def pids_named(stack, name):
    return [pid for pid, other in stack.left_behind().items() if other == name[:15]]


def test_run_with_a_lease_lives_while_connected_and_stops_without(short_lease):
    stack, gate = short_lease, short_lease.home + "/gate"
    log = os.path.join(stack.home, "events.log")
    sweep = stack.create(LEASED.format(gate=gate))
    agent = stack.start_agent(sweep, sweep, "--log-file", log, "--log-level", "debug")
    # 20 answered signs of life are two leases
    wait_for(lambda: read_bytes(log).count(b" acknowledged ") >= 20, 20, "signs of life are answered")
    assert states(stack, sweep) == ["running"] and len(shims(stack, sweep)) == 1
    controllers = pids_named(stack, "besom-controller")
    for pid in controllers:
        os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: not shims(stack, sweep), 10, "the command is stopped when its lease has run out")
    finally:
        for pid in controllers:
            os.kill(pid, signal.SIGCONT)
    open(gate, "w").close()
    ended_with(agent, 0, 40)
    assert [(run["state"], run["attempt"]) for run in stack.runs(sweep)] == [("finished", 2)]
