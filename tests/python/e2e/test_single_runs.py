# SPDX-License-Identifier: Apache-2.0
"""Runs that no sweep made: a program begins its own, and the controller knows it."""
import glob
import os
import signal

import pytest

import besom
from localstack import LocalStack
from waiting import wait_until

PROGRAM = """
import besom, os, sys, time
run = besom.init(project="alone", name="mine", config={"lr": 0.5}, tags=["t"])
print(run.id, run.mode, flush=True)
run.config.epochs = 3
for epoch in range(3):
    run.log({"loss": 1 / (epoch + 1)})
run.summary["note"] = "ok"
"""


def ended(run_id, seconds=30):
    """The run once it has ended."""
    return wait_until(lambda: next((run for run in [besom.Api().run(run_id)] if run.ended_at), None), "the run has ended",
                      seconds)


@pytest.mark.parametrize("statement, code, state", [("", 0, "finished"), ("sys.exit(3)", 3, "failed"), ("1 / 0", 1, "failed"),
                                                    ("os._exit(0)", 0, "failed"), ("os.kill(os.getpid(), 9)", -9, "failed")])
def test_ends(here, program, statement, code, state):
    process = program(PROGRAM + statement)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    run_id, mode = said.split()
    assert mode == "single", errors
    run = ended(run_id)
    assert run.state == state and run.params == {"lr": 0.5}
    assert [row["loss"] for row in run.scan_history(["loss"])] == [1, pytest.approx(1 / 2), pytest.approx(1 / 3)]
    if statement == "1 / 0":
        assert "ZeroDivisionError" in run.record["error"] and "ZeroDivisionError" in errors
    wait_until(lambda: not [name for name in here.left_behind().values() if name in ("besom-agent", "besom-shim")],
               "its agent has left")
    assert glob.glob(os.path.join(here.home, "besom-*")) == []


def test_what_it_says_of_itself(here, program):
    said, errors = program(PROGRAM).communicate(timeout=60)
    run = ended(said.split()[0])
    assert run.name == "mine", errors
    assert run.config == {"lr": 0.5, "epochs": 3} and run.tags == ["t"] and run.summary["note"] == "ok"


def test_in_this_process(here):
    with besom.init(project="alone", config={"a": 1}) as run:
        run.log({"loss": 0.5})
        assert run.mode == "single" and run.project == "alone" and run.sweep_id is None and run.config.a == 1
        assert os.path.isdir(run.dir)
    assert besom.Api().run(run.id).state == "finished"
    with besom.init(project="alone") as other:
        assert other.id != run.id
    assert "BESOM_RUN_ID" not in os.environ


def test_its_agent_is_killed(here, program, tmp_path):
    """What is logged afterwards is kept, and the run ends as its program does."""
    process = program(PROGRAM + "while not os.path.exists('go'):\n    time.sleep(0.02)\n"
                      "for i in range(50):\n    run.log({'late': i})\nsys.exit(3)\n")
    run_id = process.stdout.readline().split()[0]
    for pid in here.left_behind():
        with open(f"/proc/{pid}/cmdline") as file:
            words = file.read().split("\0")
        if "--submit" in words:
            os.kill(pid, signal.SIGKILL)
    (tmp_path / "go").touch()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 3 and "lost" not in errors, errors
    run = ended(run_id)
    assert (run.state, run.exit_code) == ("failed", 3), errors
    assert [row["late"] for row in run.scan_history(["late"])] == list(range(50))


def test_stopped_by_its_user(here, program):
    process = program(PROGRAM + "time.sleep(60)")
    run_id = process.stdout.readline().split()[0]
    here.command("stop", run_id)
    _, errors = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in errors and process.returncode == -signal.SIGINT
    assert ended(run_id).state == "killed"


def test_ctrl_c_reaches_the_program_alone(here, program):
    process = program(PROGRAM + "time.sleep(60)")
    run_id = process.stdout.readline().split()[0]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in errors and "is not reported yet" not in errors
    run = ended(run_id)
    assert run.state == "failed" and run.exit_code == 130


def test_a_controller_that_is_away(here, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BESOM_ADDRESS", "unix:" + str(tmp_path / "nobody"))
    monkeypatch.setattr("besom._single.START_WITHIN_S", 5.0)
    run = besom.init(dir=str(tmp_path))
    assert run.offline
    run.finish()
    assert "offline (" in capsys.readouterr().err


def test_a_controller_that_goes_away(client_of, monkeypatch, capsys):
    """The program does not wait for it; the end is reported once it is back."""
    with LocalStack() as stack:
        client_of(stack)
        monkeypatch.setattr("besom._single.REPORT_WITHIN_S", 1.0)
        run = besom.init()
        run.log({"loss": 1})
        stack.command("down")
        run.log({"loss": 2})
        run.finish(3)
        assert f"run {run.id}: its end is not reported yet" in capsys.readouterr().err
        stack.up()
        assert ended(run.id).state == "failed"
        assert [row["loss"] for row in besom.Api().run(run.id).scan_history(["loss"])] == [1, 2]
        wait_until(lambda: "besom-agent" not in stack.left_behind().values(), "the agent has left")
