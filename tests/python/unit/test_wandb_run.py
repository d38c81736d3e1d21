# SPDX-License-Identifier: Apache-2.0
"""The run of the stand-in for wandb: rows of forked processes, the summary's nested entries, its last step."""
import os

import pytest

import besom.wandb as wandb
from besom.wandb._summary import Entries


@pytest.fixture
def run(shim):
    begun = wandb.init()
    yield begun
    begun.finish()


@pytest.mark.parametrize("step", [None, 50])
def test_an_open_row_is_not_a_forked_childs(shim, run, step):
    run.log({"a": 1}, step=step, commit=False)
    shim.wait_for(1)
    shim.answers["step"] = 99
    child = os.fork()
    if child == 0:
        run.log({"a": 2})
        run.log({"a": 3})
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    run.log({"b": 4})
    shim.wait_for(4)
    rows = [message for message in shim.messages if "log" in message]
    first = step or 0
    assert {"log": {"a": 1}, "step": first, "commit": False} in rows and {"log": {"b": 4}, "step": first} in rows
    assert {"log": {"a": 2}} in rows and {"log": {"a": 3}} in rows


def test_names_that_every_row_has_are_no_metrics(shim, run):
    run.log({"a": 1, "_step": 99, "_runtime": 5, "_timestamp": 3.5})
    run.log({"a": "text", "_step": 99})
    assert shim.wait_for(2) == [{"log": {"a": 1}}, {"log": {"a": "text"}}]


def test_nested_entries_of_the_summary(run):
    run.log({"val": {"loss": 0.5, "acc": {"top1": 1}}, "plain": 2})
    assert run.summary["val"] == {"loss": 0.5, "acc": {"top1": 1}} and run.summary["val.loss"] == 0.5
    assert run.summary.val["acc"]["top1"] == 1 and wandb.summary["val"]["loss"] == 0.5
    assert "val" in run.summary and "va" not in run.summary and run.summary.get("va", 7) == 7
    with pytest.raises(KeyError):
        run.summary["va"]
    with pytest.raises(AttributeError):
        run.summary.va


def test_nested_entries_of_a_summary_that_was_read():
    read = Entries({"val.loss": 0.5, "val.acc.top1": 1, "plain": 2})
    assert read["val"] == {"loss": 0.5, "acc": {"top1": 1}} and read.get("val.loss") == 0.5
    assert "val" in read and "x" not in read and read.get("x") is None and len(read) == 3
    with pytest.raises(KeyError):
        read["x"]


def test_the_last_step_may_be_another_processs(shim):
    run = wandb.init()
    run.log({"a": 1})
    shim.answers["step"] = 70
    run.finish()
    shim.wait_for(2)
    assert shim.of("summary")[-1]["_step"] == 69
