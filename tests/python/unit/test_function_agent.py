# SPDX-License-Identifier: Apache-2.0
"""Functions as runs, and runs of the program's own, with an agent of a few lines (fake_agent.py)."""
import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import besom
from waiting import wait_until

HERE = os.path.dirname(os.path.abspath(__file__))


@pytest.fixture
def agent(shim, tmp_path, monkeypatch):
    """A function that starts `besom.agent` with a plan and returns what the agent recorded."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "besom-agent"
    program.write_text('#!/bin/sh\nexec "%s" "%s" "$@"\n' % (sys.executable, os.path.join(HERE, "fake_agent.py")))
    program.chmod(0o755)
    for name in ("BESOM_RUN_SOCKET", "BESOM_RUN_ID", "BESOM_SWEEP_ID", "BESOM_ATTEMPT", "BESOM_PROJECT"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("BESOM_BIN", str(folder))
    monkeypatch.setenv("BESOM_ADDRESS", "unix:/nowhere")
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "record"))
    monkeypatch.setenv("FAKE_SOCKET", shim.path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def record():
        return json.loads((tmp_path / "record").read_text())

    def start(function, *plans, **options):
        monkeypatch.setenv("FAKE_RUNS", json.dumps(plans or [{}]))
        besom.agent("sweep001", function, **options)
        return record()

    start.record = record
    start.shim = shim
    start.plan = lambda *plans: monkeypatch.setenv("FAKE_RUNS", json.dumps(plans or [{}]))
    return start


def test_function_is_called_once_a_run(agent):
    seen = []
    agent.shim.answers["config"] = {"lr": 0.1}

    def train():
        run = besom.init(config={"epochs": 2})
        seen.append((run.id, run.config.as_dict(), run.mode, threading.current_thread() is threading.main_thread()))
        besom.log({"loss": 1})

    record = agent(train, {}, {}, count=2)
    assert seen == [("run0000%d" % i, {"lr": 0.1, "epochs": 2}, "sweep", True) for i in range(2)]
    assert [run["code"] for run in record["runs"]] == [0, 0]
    assert record["options"] == ["--quiet", "-j", "1", "--count", "2", "sweep001"]
    assert record["session"] != os.getsid(0)
    assert len(agent.shim.of("log")) == 2
    assert besom.run is None and "BESOM_RUN_ID" not in os.environ


def test_what_functions_print(agent, capsys):
    """Each run has its own, and the terminal has all."""
    handler = logging.StreamHandler(sys.stderr)  # holds the stream from before
    names = ["first", "second"]

    def train():
        name = names.pop(0)
        print(name, "line", 1)
        print("50%\rdone ", end="")
        handler.handle(logging.makeLogRecord({"msg": name + " log"}))
        print(json.dumps({"err": name}), "é", file=sys.stderr)
        print("without its end", end="")

    print("before")
    record = agent(train, {}, {})
    print("after")
    for run, name in zip(record["runs"], ("first", "second")):
        assert run["output"] == f"{name} line 1\n50%\rdone without its end"
        assert run["text"] == f'{name} log\n{{"err": "{name}"}} é\n'
    said = capsys.readouterr()
    assert said.out == "before\n" + "".join(run["output"] for run in record["runs"]) + "after\n"
    assert said.err.count(" log\n") == 2
    assert "write" not in vars(sys.stdout) and "write" not in vars(sys.stderr)


def test_prints_of_others_stay_with_them(agent, monkeypatch):
    """Of a forked child, and where nobody wants them in the run."""

    def train():
        child = os.fork()
        print("child" if child == 0 else "parent")
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)

    assert agent(train)["runs"][0]["output"] == "parent\n"
    monkeypatch.setenv("WANDB_CONSOLE", "off")
    assert agent(train)["runs"][0]["output"] == ""


def test_prints_of_many_threads(agent):
    def speak(number):
        for line in range(50):
            print(f"{number} {line} {'x' * 50}\n", end="")

    def train():
        threads = [threading.Thread(target=speak, args=(number,)) for number in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    lines = agent(train)["runs"][0]["output"].splitlines()
    assert sorted(lines) == sorted(f"{number} {line} {'x' * 50}" for number in range(10) for line in range(50))


def test_line_that_was_cut_off(agent, monkeypatch):
    """An exception may come while a line is sent: the next is whole."""
    end = besom._host.Link.end

    def after_half_a_line(link, code, text=""):
        link._connection.sendall(b'{"out": "cut')
        link.show("out", "whole")
        end(link, code, text)

    monkeypatch.setattr(besom._host.Link, "end", after_half_a_line)
    assert agent(lambda: None)["runs"][0] == {"code": 0, "text": "", "output": "whole"}


def test_ends_of_functions(agent, capfd):
    ways = [lambda: 1 / 0, lambda: sys.exit(3), lambda: sys.exit("no data"), lambda: sys.exit(), lambda: None]
    record = agent(lambda: ways.pop(0)(), *[{}] * 5)
    assert [run["code"] for run in record["runs"]] == [1, 3, 1, 0, 0]
    assert record["runs"][0]["text"].count("Traceback") == record["runs"][0]["text"].count("ZeroDivisionError:") == 1
    assert "no data" in record["runs"][2]["text"]
    assert capfd.readouterr().err.count("ZeroDivisionError") == 1


@pytest.mark.parametrize("in_main_thread", [True, False])
@pytest.mark.parametrize("plan", [{"stop_after": 0.3}, {"kill_after": 0.3}])
def test_stop(agent, in_main_thread, plan):
    """A function that sleeps, or computes, hears of it; the next run is not disturbed."""
    ends = []

    def train():
        ends.append("begun")
        try:
            for _ in range(1500):
                time.sleep(30 if in_main_thread else 0.01)
        except Exception:
            ends.append("swallowed")
        except BaseException as error:
            ends.append(type(error).__name__)
            raise

    calls = [train, lambda: ends.append("next")]
    result = []
    if in_main_thread:
        result.append(agent(lambda: calls.pop(0)(), plan, {}))
    else:
        thread = threading.Thread(target=lambda: result.append(agent(lambda: calls.pop(0)(), plan, {})))
        thread.start()
        thread.join(60)
    assert ends == ["begun", "RunStopped", "next"]
    assert [run["code"] for run in result[0]["runs"]] == [143 if "stop_after" in plan else -9, 0]


def test_one_at_a_time(agent):
    record = agent(lambda: besom.agent("sweep001", print))
    assert record["runs"][0]["code"] == 1 and "in this process already" in record["runs"][0]["text"]


def test_stop_that_the_function_sees_itself(agent):
    def train():
        run = besom.init()
        agent.shim.tell({"stop": "early_stop"})
        wait_until(lambda: run.stop_requested, "the stop is seen")

    assert agent(train)["runs"][0]["code"] == 0


def test_ctrl_c(agent):
    def train():
        besom.init().log({"a": 1})
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(30)

    with pytest.raises(KeyboardInterrupt):
        agent(train, {}, {})
    record = agent.record()
    assert [run["code"] for run in record["runs"]] == [130]
    assert "KeyboardInterrupt" in record["runs"][0]["text"]


def test_ctrl_c_between_runs(agent, monkeypatch):
    agent.plan()
    monkeypatch.setenv("FAKE_RUNS", "[]")
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    program = os.path.join(os.environ["BESOM_BIN"], "besom-agent")
    with open(program, "w") as file:
        file.write("#!/bin/sh\ntrap 'exit 0' INT\nwhile :; do sleep 0.05; done\n")
    with pytest.raises(KeyboardInterrupt):
        besom.agent("sweep001", print)


def test_agents_exit_code(agent, monkeypatch):
    for code, kind in ((3, besom.NotFoundError), (4, besom.UnavailableError), (5, besom.NotPermittedError), (1, besom.Error)):
        monkeypatch.setenv("FAKE_EXIT", str(code))
        with pytest.raises(kind):
            agent(lambda: None)


def test_wrong_arguments(agent):
    with pytest.raises(besom.InvalidError):
        besom.agent("")
    with pytest.raises(besom.InvalidError):
        besom.agent("sweep001", function=3)


def run_program(text, **more):
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(text)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, universal_newlines=True, **more)


def test_program_that_dies_in_its_function(agent):
    """Its run fails, and the agent does not outlive it."""
    agent.plan({}, {}, {})
    program = run_program("""
        import besom, os
        def train():
            besom.init().log({"a": 1})
            os._exit(7)
        besom.agent("sweep001", train)
        """)
    program.communicate()
    assert program.returncode == 7
    record = wait_until(lambda: os.path.exists(os.environ["FAKE_LOG"]) and agent.record(), "the run is recorded", 5)
    assert record["runs"][0]["code"] == 1
    wait_until(lambda: not os.path.exists("/proc/%d" % record["pid"]), "the agent ends", 5)
    assert len(agent.record()["runs"]) == 1


def test_a_run_of_its_own(agent, capsys):
    agent.plan()
    agent.shim.answers["config"] = {"lr": 0.5}
    with besom.init(project="p", name="n", config={"lr": 0.5, "epochs": 1}) as run:
        assert run.mode == "single" and run.sweep_id is None and run.id == "run00000" and run.project == "digits"
        assert os.environ["BESOM_RUN_ID"] == "run00000"
        run.config.update({"lr": 0.7}, allow_val_change=True)
        run.log({"loss": 1})
    record = agent.record()
    assert record["runs"][0]["code"] == 0
    assert record["runs"][0]["text"].startswith("besom: run run00000 in project digits\n")
    submit = record["options"][record["options"].index("--submit") + 1]
    assert record["options"] == ["--quiet", "--submit", submit, "--project", "p", "--name", "n"]
    assert not os.path.exists(submit) and "BESOM_RUN_ID" not in os.environ
    assert "run run00000 in project digits" in capsys.readouterr().err


def test_functions_of_a_program_with_a_run_of_its_own(agent):
    agent.plan()
    outer = besom.init()
    seen = []
    agent(lambda: seen.append((besom.run, besom.init().mode)))
    assert seen == [(None, "sweep")] and besom.run is outer and os.environ["BESOM_RUN_MODE"] == "single"


def test_a_run_of_its_own_that_fails(agent):
    agent.plan()
    with pytest.raises(ZeroDivisionError):
        with besom.init():
            1 / 0
    assert agent.record()["runs"][0]["code"] == 1
    assert "ZeroDivisionError" in agent.record()["runs"][0]["text"]


@pytest.mark.parametrize("statement, code, recorded", [("pass", 0, 0), ("sys.exit(3)", 3, 3), ("1 / 0", 1, 1),
                                                       ("os._exit(4)", 4, 1), ("run.finish(5)", 0, 5),
                                                       ("os.kill(os.getpid(), 9)", -9, 1)])
def test_ends_of_programs(agent, statement, code, recorded):
    agent.plan()
    program = run_program("import besom, os, sys\nrun = besom.init()\nrun.log({'a': 1})\n" + statement)
    _, said = program.communicate()
    assert program.returncode == code, said
    record = wait_until(lambda: os.path.exists(os.environ["FAKE_LOG"]) and agent.record(), "the run is recorded")
    assert record["runs"][0]["code"] == recorded
    assert record["runs"][0]["text"].count("Traceback") == (1 if statement == "1 / 0" else 0)


def test_a_run_of_its_own_is_stopped(agent):
    agent.plan({"stop_after": 0.5})
    program = run_program("import besom, time\nbesom.init()\ntime.sleep(30)\n")
    _, said = program.communicate()
    assert "KeyboardInterrupt" in said
    assert agent.record()["runs"][0]["code"] == 130


def test_forked_children_do_not_hold_the_run(agent, tmp_path):
    agent.plan()
    note = tmp_path / "child"
    program = run_program(f"""
        import besom, os, time
        run = besom.init()
        child = os.fork()
        if child == 0:
            os.close(1), os.close(2)
            time.sleep(60)
            os._exit(0)
        open({str(note)!r}, "w").write(str(child))
        os.kill(os.getpid(), 9)
        """)
    program.communicate()
    wait_until(lambda: os.path.exists(os.environ["FAKE_LOG"]), "the run is recorded", 10)
    os.kill(int(note.read_text()), signal.SIGKILL)  # it was alive all the time


def test_agent_that_does_not_start(agent, tmp_path, capsys):
    with open(os.path.join(os.environ["BESOM_BIN"], "besom-agent"), "w") as file:
        file.write("#!/bin/sh\necho 'besom: cannot reach the controller: refused' >&2\nexit 4\n")
    run = besom.init(dir=str(tmp_path))
    assert run.offline
    assert "offline (cannot reach the controller: refused)" in capsys.readouterr().err
