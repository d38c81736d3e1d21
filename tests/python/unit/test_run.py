# SPDX-License-Identifier: Apache-2.0
"""A run in an agent's environment: what goes over its socket, and what the program sees."""
import argparse
import json
import math
import multiprocessing
import os
import subprocess
import sys

import pytest

import besom
import besom._say
from besom._values import flattened
from waiting import wait_until


class Scalar:
    """As numpy's and torch's."""

    def __init__(self, value):
        self.value = value

    def item(self):
        return self.value


class Array:
    def __init__(self, values):
        self.size = len(values)
        self.values = values

    def item(self):
        raise ValueError("only one element")

    def tolist(self):
        return self.values


class Tensor:
    """As torch's: `size()` is the shape."""

    def __init__(self, values):
        self.values = values

    def size(self):
        return (len(self.values),)

    def numel(self):
        return len(self.values)

    def item(self):
        if len(self.values) != 1:
            raise RuntimeError("a Tensor with %d elements cannot be converted to Scalar" % len(self.values))
        return self.values[0]

    def tolist(self):
        return self.values


class Real:
    def __float__(self):
        return 2.5


def test_parameters_lie_over_the_defaults(shim):
    shim.answers["config"] = {"lr": 0.1, "net": {"layers": 3}}
    run = besom.init(config={"lr": 1.0, "epochs": 5, "net": {"layers": 1, "width": 8}})
    assert dict(run.config) == {"lr": 0.1, "epochs": 5, "net": {"layers": 3, "width": 8}}
    assert run.config.lr == 0.1 and run.config["epochs"] == 5 and run.config.net.layers == 3
    assert run.config.net["width"] == 8
    assert shim.wait_for(1) == [{"config": {"epochs": 5}}]


def test_locked_entries_keep_their_value(shim, capsys):
    shim.answers["config"] = {"lr": 0.1}
    run = besom.init()
    run.config.lr = 5
    run.config.update({"lr": 6, "epochs": 3}, allow_val_change=True)
    assert run.config.as_dict() == {"lr": 0.1, "epochs": 3}
    assert "Config item 'lr' was locked by 'sweep' (ignored update)." in capsys.readouterr().err
    assert shim.wait_for(1) == [{"config": {"epochs": 3}}]


def test_entries_of_the_program_change_only_on_request(shim):
    run = besom.init(config={"a": 1})
    with pytest.raises(besom.ConfigError, match='change value of key "a" from 1 to 2'):
        run.config.a = 2
    run.config.update({"a": 1})
    run.config.update({"a": 2}, allow_val_change=True)
    run.config["b"] = 3
    run.config.setdefaults({"b": 4, "c": 5})
    assert shim.wait_for(4) == [{"config": {"a": 1}}, {"config": {"a": 2}}, {"config": {"b": 3}}, {"config": {"c": 5}}]
    assert {**run.config} == {"a": 2, "b": 3, "c": 5} and "b" in run.config and len(run.config) == 3
    assert run.config.get("d", 7) == 7 and sorted(run.config) == ["a", "b", "c"]
    with pytest.raises(AttributeError):
        run.config.d


def test_configuration_from_arguments_and_files(shim, tmp_path):
    path = tmp_path / "defaults.json"
    path.write_text('{"b": {"c": 2}}')
    run = besom.init(config=argparse.Namespace(a=1, path=tmp_path))
    run.config.update(str(path))
    assert run.config.as_dict() == {"a": 1, "path": str(tmp_path), "b": {"c": 2}}
    with pytest.raises(besom.InvalidError):
        run.config.update(3)


def test_what_is_said_of_the_run(shim):
    run = besom.init(name="first try", notes="n", tags=["a", "b"], group="g", job_type="train")
    assert shim.wait_for(1) == [{"about": {"name": "first try", "notes": "n", "group": "g", "job_type": "train",
                                           "tags": ["a", "b"]}}]
    assert (run.id, run.sweep_id, run.project, run.attempt, run.resumed) == ("run00001", "sweep001", "digits", 1, False)
    assert (run.name, run.group, run.job_type, run.url, run.mode) == ("first try", "g", "train", None, "sweep")
    run.name = "second"
    run.tags += ("c",)
    run.notes = "m"
    assert shim.wait_for(4)[1:] == [{"about": {"name": "second"}}, {"about": {"tags": ["a", "b", "c"]}},
                                    {"about": {"notes": "m"}}]


def test_second_init_is_the_same_run(shim):
    run = besom.init()
    assert besom.init(project="other") is run and besom.run is run and besom.config is run.config
    run.finish()
    assert besom.run is None


def test_rows(shim):
    run = besom.init()
    run.log({"loss": 0.5, "n": 3, "ok": True})
    run.log({"loss": 0.25}, step=7)
    besom.log({"acc": 1.0}, commit=False)
    besom.log({"acc": 2.0}, step=9, commit=False)
    besom.log({"acc": 2.0}, step=9, commit=True)
    assert shim.wait_for(5) == [
        {"log": {"loss": 0.5, "n": 3, "ok": True}}, {"log": {"loss": 0.25}, "step": 7}, {"log": {"acc": 1.0}, "commit": False},
        {"log": {"acc": 2.0}, "step": 9, "commit": False}, {"log": {"acc": 2.0}, "step": 9}]
    assert run.summary.as_dict() == {"loss": 0.25, "n": 3, "ok": True, "acc": 2.0}


def test_values_of_other_libraries(shim, capsys):
    besom._say._said.clear()
    run = besom.init()
    run.log({"scalar": Scalar(0.5), "real": Real(), "array": Array([1, Scalar(2)]), "loss": Tensor([0.25]),
             "weights": Tensor([1.5, 2.5]), "text": "done", "none": None,
             "nested": {"a": Scalar(1), "b": {"c": 2}}, "thing": argparse.Namespace(a=1), "list": (1, 2)})
    assert flattened(shim.wait_for(1)[0]["log"]) == {
        "scalar": 0.5, "real": 2.5, "array": [1, 2], "loss": 0.25, "weights": [1.5, 2.5], "text": "done", "none": None,
        "nested.a": 1, "nested.b.c": 2, "thing": "Namespace(a=1)", "list": [1, 2]}
    assert run.summary["nested.b.c"] == 2
    run.log({"thing": argparse.Namespace(a=1)})
    assert capsys.readouterr().err.count("argparse.Namespace is kept as its text") == 1


def test_numpy(shim):
    numpy = pytest.importorskip("numpy")
    run = besom.init(config={"lr": numpy.float32(0.5), "sizes": numpy.array([1, 2])})
    run.log({"f32": numpy.float32(0.5), "f64": numpy.float64(0.1), "i": numpy.int64(3), "b": numpy.bool_(True),
             "zero": numpy.array(1.5), "one": numpy.array([2.5]), "many": numpy.arange(3), "nan": numpy.float32("nan")})
    config, row = shim.wait_for(2)
    assert config == {"config": {"lr": 0.5, "sizes": [1, 2]}}
    assert math.isnan(row["log"].pop("nan"))
    assert row == {"log": {"f32": 0.5, "f64": 0.1, "i": 3, "b": True, "zero": 1.5, "one": 2.5, "many": [0, 1, 2]}}
    run.log({"big": numpy.zeros(100000)})
    assert isinstance(shim.wait_for(3)[2]["log"]["big"], str)


def test_odd_numbers(shim):
    besom.init().log({"a": math.nan, "b": math.inf, "c": -math.inf, "d": 10 ** 30})
    row = shim.wait_for(1)[0]["log"]
    assert math.isnan(row["a"]) and row["b"] == math.inf and row["c"] == -math.inf and row["d"] == 10 ** 30


def test_whole_numbers_beyond_doubles(shim):
    run = besom.init(config={"big": 10 ** 400})
    run.log({"a": 10 ** 400, "b": -10 ** 5000, "c": 1})
    run.log({"a": 10 ** 400, "text": "x"}, step=7)
    run.summary["best"] = -10 ** 400
    assert shim.wait_for(4) == [
        {"config": {"big": math.inf}}, {"log": {"a": math.inf, "b": -math.inf, "c": 1}},
        {"log": {"a": math.inf, "text": "x"}, "step": 7}, {"summary": {"best": -math.inf}}]
    assert run.summary["a"] == math.inf


def test_wrong_rows(shim):
    run = besom.init()
    with pytest.raises(TypeError):
        run.log([1, 2])
    with pytest.raises(TypeError):
        run.log({1: 2})


def test_entries_that_are_too_large_are_left_out(shim, capsys):
    besom.init().log({"loss": 1.0, "text": "x" * 70000})
    assert shim.wait_for(1) == [{"log": {"loss": 1.0}}]
    assert "'text' has more than 65536 bytes" in capsys.readouterr().err


def test_summary(shim):
    run = besom.init()
    run.log({"loss": 3})
    run.summary["best_epoch"] = Scalar(7)
    run.summary.note = "ok"
    run.summary.update({"loss": 1}, table=[1, 2])
    assert shim.wait_for(4)[1:] == [{"summary": {"best_epoch": 7}}, {"summary": {"note": "ok"}},
                                    {"summary": {"loss": 1, "table": [1, 2]}}]
    assert run.summary.loss == 1 and besom.summary.get("x", 5) == 5 and "note" in run.summary
    run.log({"loss": 2})
    assert run.summary["loss"] == 2


def test_definitions(shim):
    run = besom.init()
    run.define_metric("val/*", summary="min,mean", step_metric="epoch")
    run.define_metric("val/acc", summary=["best"], goal="maximize", hidden=True)
    run.define_metric("quiet", summary="none")
    for value in (3, 1, 2):
        run.log({"val/loss": value, "val/acc": value, "quiet": 1, "other": value})
    assert shim.wait_for(3) == [
        {"define_metric": {"name": "val/*", "summary": "min,mean", "step_metric": "epoch"}},
        {"define_metric": {"name": "val/acc", "summary": "best", "goal": "maximize", "hidden": True}},
        {"define_metric": {"name": "quiet", "summary": "none"}}]
    assert run.summary.as_dict() == {"val/loss": {"min": 1.0, "mean": 2.0}, "val/acc": {"best": 3.0}, "other": 2}
    with pytest.raises(besom.InvalidError):
        run.define_metric("x", summary="median")


def test_step_is_the_agents(shim):
    run = besom.init()
    shim.answers["step"] = 41
    assert run.step == 41
    del shim.answers["step"]
    run.log({"a": 1}, step=9)
    assert run.step == 10  # an agent that does not know the question


def test_a_complaint_is_no_answer(shim):
    run = besom.init()
    run.log({"bad": 1})
    shim.answers["step"] = 3
    assert run.step == 3


def test_stop(shim):
    run = besom.init()
    assert not run.stop_requested and run.stop_reason is None
    shim.tell({"stop": "early_stop"})
    wait_until(lambda: run.stop_requested, "the stop is seen")
    assert run.stop_reason == "early_stop"


def test_stop_before_the_connection_ends(shim):
    run = besom.init()
    shim.tell({"stop": "canceled"})
    shim.hang_up()
    wait_until(lambda: run.stop_requested, "the stop is seen")
    assert run.stop_reason == "canceled"


def test_preempting(shim):
    besom.init()
    besom.mark_preempting()
    assert shim.wait_for(1) == [{"preempting": True}]


def test_finished_run_takes_nothing(shim):
    with besom.init() as run:
        run.log({"a": 1})
    run.finish()
    with pytest.raises(besom.FinishedError):
        run.log({"a": 2})
    with pytest.raises(besom.NotStartedError):
        besom.log({"a": 2})
    with pytest.raises(AttributeError):
        besom.config
    besom.finish()
    assert shim.wait_for(1) == [{"log": {"a": 1}}]


@pytest.mark.parametrize("exit_code, told", [(1, 1), (True, 1), (-1, 255), (256, 1), (300, 44)])
def test_a_bad_end_is_told(shim, exit_code, told):
    besom.init().finish(exit_code)
    assert shim.wait_for(1) == [{"exit_code": told, "text": f"finish(exit_code={exit_code})"}]


@pytest.mark.parametrize("exit_code", [None, 0, False])
def test_a_good_end_needs_no_word(shim, exit_code):
    run = besom.init()
    run.log({"a": 1})
    run.finish(exit_code)
    besom.init().log({"b": 2})  # what came before has been heard by then
    assert shim.wait_for(2) == [{"log": {"a": 1}}, {"log": {"b": 2}}]


def test_an_exception_that_is_caught_outside_is_told(shim):
    for _ in range(2):  # the run is begun anew, and ends well
        try:
            with besom.init():
                if not shim.messages:
                    raise ArithmeticError("é" * 9000)
        except ArithmeticError:
            shim.wait_for(1)
    failed, good = shim.wait_for(2)
    assert failed["exit_code"] == 1 and failed["text"] == "é" * 4000 and good == {"exit_code": 0}


def test_a_workers_end_is_its_parents_to_tell(shim):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(end_badly) == "run00001"
    besom.init().log({"a": 1})
    assert shim.wait_for(1) == [{"log": {"a": 1}}]


def end_badly():
    run = besom.init()
    run.finish(3)
    return run.id


def test_log_alone_begins_the_run_of_an_agent(shim):
    shim.answers["config"] = {"lr": 0.5}
    besom.log({"a": 1})
    besom.log({"a": 2}, step=5)
    besom.summary["best"] = 1
    assert besom.run.id == "run00001" and besom.config.lr == 0.5
    assert shim.wait_for(3) == [{"log": {"a": 1}}, {"log": {"a": 2}, "step": 5}, {"summary": {"best": 1}}]


def test_log_alone_without_an_agent(clean):
    with pytest.raises(besom.NotStartedError, match="no agent started this program"):
        besom.log({"a": 1})
    with pytest.raises(AttributeError):
        besom.summary
    assert besom.run is None


def test_agent_that_is_gone(shim, capsys):
    besom._say._said.clear()
    run = besom.init()
    shim.close()
    os.unlink(shim.path)
    for _ in range(3):
        run.log({"a": 1})
    assert capsys.readouterr().err.count("what is logged is lost") == 1
    assert run.step == 3


def test_agent_that_comes_back(shim):
    run = besom.init()
    run.log({"a": 1})
    shim.wait_for(1)
    shim.hang_up()

    def arrives():
        run.log({"a": 2})
        return {"log": {"a": 2}} in shim.messages

    wait_until(arrives, "a new connection is made")


def test_init_without_its_agent(tmp_path, monkeypatch, clean):
    monkeypatch.setenv("BESOM_RUN_SOCKET", str(tmp_path / "none"))
    with pytest.raises(besom.UnavailableError, match="cannot be reached"):
        besom.init()


def test_parameters_from_the_file(shim, tmp_path, monkeypatch):
    (tmp_path / "params.json").write_text('{"lr": 0.5}')
    monkeypatch.setenv("BESOM_PARAMS_FILE", str(tmp_path / "params.json"))
    del shim.answers["config"]
    assert besom.init().config.lr == 0.5


def test_unknown_argument(shim, capsys):
    besom.init(entity="me", reinit=True)
    assert "init() takes no 'entity': ignored" in capsys.readouterr().err


def test_disabled(shim, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    run = besom.init(config={"a": 1})
    run.log({"loss": 1})
    run.name = "x"
    assert run.disabled and run.config.a == 1 and run.summary["loss"] == 1 and not run.stop_requested and run.name == "x"
    assert shim.connections == []


def test_wrong_mode(clean):
    with pytest.raises(besom.InvalidError, match="mode 'of'"):
        besom.init(mode="of")


def test_offline(tmp_path, monkeypatch, clean, capsys):
    monkeypatch.setenv("BESOM_MODE", "offline")
    with besom.init(project="p", config={"a": 1}, dir=str(tmp_path), tags=["t"]) as run:
        run.log({"loss": 1})
        run.summary["x"] = 2
        run.config.b = 3
    assert run.offline and run.sweep_id is None
    lines = [json.loads(line) for line in open(tmp_path / "besom-offline" / (run.id + ".jsonl"))]
    assert lines[0]["run"]["run_id"] == run.id and lines[0]["run"]["project"] == "p"
    assert lines[1:] == [{"config": {"a": 1}}, {"about": {"tags": ["t"]}}, {"log": {"loss": 1}}, {"summary": {"x": 2}},
                         {"config": {"b": 3}}]
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("besom: offline (as it was asked for)")
    assert "nothing sends it to a controller later" in said


def test_offline_when_there_is_no_controller(tmp_path, monkeypatch, clean, capsys):
    monkeypatch.setenv("BESOM_HOME", str(tmp_path))
    monkeypatch.delenv("BESOM_ADDRESS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BESOM_BIN", raising=False)
    assert besom.init(dir=str(tmp_path)).offline
    assert "besom-agent is neither in BESOM_BIN nor on PATH" in capsys.readouterr().err


def test_exit_of_the_program(shim):
    """sys.exit's code, and the traceback of what nobody caught, are as without the package."""
    for statement, code in (("import sys; sys.exit(3)", 3), ("1 / 0", 1), ("pass", 0)):
        done = subprocess.run([sys.executable, "-c", f"import besom\nbesom.init().log({{'a': 1}})\n{statement}"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        assert done.returncode == code, done.stderr
        assert ("ZeroDivisionError" in done.stderr) == (code == 1)
    assert len(shim.wait_for(3)) == 3


def test_what_the_agent_would_not_take_is_left_out(shim, capsys):
    """One bad name or value costs itself alone, and what is too long for a line comes in several."""
    besom._say._said.clear()
    run = besom.init()
    run.log({"a": 1, "": 2, "n" * 300: 3, "é" * 200: 4, "half\ud800": 5, "nul\0": "x\0y", "text": "\udcff", "big": "x" * 70000})
    assert shim.wait_for(1) == [{"log": {"a": 1, "nul?": "x?y", "half?": 5, "text": "?"}}]
    run.config.update({f"k{number}": "y" * 60000 for number in range(40)})
    run.log({f"metric-{number:0200}": number for number in range(10000)}, step=3)
    assert capsys.readouterr().err.count("left out") == 4
    run.log({"a": 2})
    wait_until(lambda: {"a": 2} in shim.of("log"), "the last row has come")
    assert {name for part in shim.of("config") for name in part} == {f"k{number}" for number in range(40)}
    rows = [message for message in shim.messages if message.get("step") == 3]
    assert len(rows) > 1 and [row.get("commit") for row in rows] == [False] * (len(rows) - 1) + [None]
    assert sum(len(row["log"]) for row in rows) == 10000
