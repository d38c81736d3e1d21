# SPDX-License-Identifier: GPL-3.0-or-later
"""Single runs of a project, what users say of runs, and quarantined hosts, by a client that knows nothing of libbesom."""
import concurrent.futures
import contextlib
import json

import grpc
import pytest

from test_contract import Recorder, contract, endpoint, secret, stack, track  # noqa: F401 (fixtures)

SWEEP = b"""
method: grid
command: ["true"]
parameters: {x: {values: [1, 2, 3, 4, 5, 6]}}
"""
PAUSE, RESUME, STOP, CANCEL = 1, 2, 3, 4
EXITED, SIGNALED, PREEMPTED, LOST = 1, 2, 5, 7
FINISHED, CRASHED = 6, 10


class Client:
    def __init__(self, stack, contract, channel):
        self.recorder = Recorder(contract)
        self.token = secret(stack, "token")
        self.recorder.connect("sweep_service", channel)
        self.recorder.connect("run_service", channel)

    def sweeps(self, method, **fields):
        return self.recorder.call("sweep_service", method, self.token, **fields)

    def runs(self, method, **fields):
        return self.recorder.call("run_service", method, self.token, **fields)

    def register(self, agent, sweep, host="h", **fields):
        return self.runs("RegisterAgent", agent_id=agent, sweep_id=sweep, host=host, pid=1, slots=4, protocol_min=1, protocol_max=1,
                         **fields)

    def say(self, run, *facts):
        """The facts (kind, name, value) in one batch of the run's attempt."""
        service, types = (self.recorder.contract[name + "_pb2"] for name in ("run_service", "types"))
        batch = service.TrackBatch(sequence=1, facts=[types.Fact(kind=kind, name=name, value_json=json.dumps(value))
                                                      for kind, name, value in facts])
        return list(track(self.recorder, self.token, run, [service.TrackRunRequest(batch=batch)]))


@pytest.fixture
def client(stack, contract):  # noqa: F811
    with grpc.insecure_channel(endpoint(stack)) as channel:
        yield Client(stack, contract, channel)


@contextlib.contextmanager
def refused(code, words=""):
    with pytest.raises(grpc.RpcError) as caught:
        yield
    assert caught.value.code().name == code, caught.value
    assert words in caught.value.details(), caught.value.details()


def submit(client, sweep, agent, counter, params='{"lr": 0.10}', **fields):
    return client.runs("SubmitRun", sweep_id=sweep, agent_id=agent, slot=0, counter=counter, params_json=params, **fields)


def test_a_project_has_one_sweep_of_single_runs(client):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        opened = [one.result().sweep for one in [pool.submit(client.sweeps, "OpenProject", project="p") for _ in range(8)]]
    assert len({one.sweep_id for one in opened}) == 1
    sweep = opened[0]
    assert (sweep.method, sweep.project, sweep.state, sweep.expected_runs) == ("none", "p", 2, 0)
    assert client.sweeps("OpenProject").sweep.project == "uncategorized"
    assert sweep.sweep_id in [one.sweep_id for one in client.sweeps("ListSweeps", project="p").sweeps]
    for action in (PAUSE, STOP, CANCEL):
        with refused("FAILED_PRECONDITION", "single runs"):
            client.sweeps("ChangeSweep", sweep_id=sweep.sweep_id, action=action)
    assert client.sweeps("ChangeSweep", sweep_id=sweep.sweep_id, action=RESUME).sweep.state == 2
    with refused("FAILED_PRECONDITION", "single runs"):
        client.sweeps("UpdateSweep", sweep_id=sweep.sweep_id, source=SWEEP)
    client.sweeps("DeleteSweep", sweep_id=sweep.sweep_id)
    assert client.sweeps("OpenProject", project="p").sweep.sweep_id != sweep.sweep_id


def test_a_run_is_submitted_once(client):
    sweep, agent = client.sweeps("OpenProject", project="single").sweep.sweep_id, "single0000000000"
    with refused("NOT_FOUND", "register it first"):
        submit(client, sweep, agent, 1)
    client.register(agent, sweep)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(submit, client, sweep, agent, 1, name="first") for _ in range(8)]
        given = [call.result().run for call in calls]
    assert len({one.run_id for one in given}) == 1
    first = given[0]
    assert (first.attempt, first.ordinal, first.params_json, first.project) == (1, 0, '{"lr": 0.10}', "single")
    second = submit(client, sweep, agent, 2).run
    assert second.ordinal == 1 and second.run_id != first.run_id and second.run_seed != first.run_seed
    for params in ("[]", "{", "", '{"x": "' + "x" * (1 << 20) + '"}'):
        with refused("INVALID_ARGUMENT", "params_json"):
            submit(client, sweep, agent, 3, params)
    with refused("FAILED_PRECONDITION", "single runs"):
        client.runs("AcquireRun", sweep_id=sweep, agent_id=agent, slot=1, counter=1, wait_ms=1000)
    shown = client.runs("GetRun", run_id=first.run_id).run
    assert (shown.name, shown.state, shown.agent_id) == ("first", 2, agent)
    assert json.loads(client.runs("ExplainRun", sweep_id=sweep, run_id=first.run_id).suggestion_json) == {"method": "none"}

    ids = dict(sweep_id=sweep, attempt=1, agent_id=agent)
    done = client.runs("FinishRun", run_id=first.run_id, end_class=PREEMPTED, **ids).done
    assert (done.state, done.end_reason, done.requeued) == (CRASHED, "preempted", False)
    done = client.runs("FinishRun", run_id=second.run_id, end_class=LOST, **ids).done
    assert (done.state, done.end_reason, done.requeued) == (CRASHED, "lost", False)
    assert submit(client, sweep, agent, 1).ended.run_id == first.run_id
    third = submit(client, sweep, agent, 3, "{}").run
    assert third.ordinal == 2
    assert client.runs("FinishRun", run_id=third.run_id, end_class=EXITED, **ids).done.state == FINISHED
    assert client.sweeps("GetSweep", sweep_id=sweep).sweep.state == 2

    other = client.sweeps("CreateSweep", source=SWEEP).sweep.sweep_id
    client.register(agent, other)
    with refused("FAILED_PRECONDITION", "hands out its own runs"):
        submit(client, other, agent, 1)


def test_users_name_and_tag_runs(client):
    sweep, agent = client.sweeps("OpenProject", project="edited").sweep.sweep_id, "edited0000000000"
    client.register(agent, sweep)
    ids = [submit(client, sweep, agent, counter).run.run_id for counter in (1, 2, 3)]
    client.say(dict(sweep_id=sweep, run_id=ids[0], attempt=1, agent_id=agent), (4, "name", "its own"), (4, "tags", ["own", "odd,one"]),
               (1, "best", {"epoch": 3}), (3, "layers", 2))

    def edit(runs=ids, **fields):
        return client.runs("EditRuns", sweep_id=sweep, run_ids=runs, **fields).runs

    for _ in range(2):  # the same again changes nothing
        edited = edit(list(reversed(ids)), add_tags=["b", "a"], notes="look at these")
        assert [one.run_id for one in edited] == list(reversed(ids))
        assert [list(one.tags) for one in edited] == [["a", "b"], ["a", "b"], ["a", "b", "odd,one", "own"]]
        assert {one.notes for one in edited} == {"look at these"}
    assert edited[2].name == "its own" and json.loads(edited[2].summary_json) == {"best": {"epoch": 3}}
    assert json.loads(edited[2].config_json) == {"lr": 0.1, "layers": 2}
    assert list(edit([ids[0]], remove_tags=["own", "odd,one", "a"], name="mine")[0].tags) == ["b"]
    assert client.runs("GetRun", run_id=ids[0]).run.name == "mine"
    assert list(edit([ids[0]], add_tags=["own"], name="")[0].tags) == ["b", "own"]
    assert edit([ids[0]], notes="")[0].name == "its own"
    assert client.runs("GetRun", run_id=ids[0]).run.notes == ""

    with refused("NOT_FOUND", "nosuch00"):
        edit([ids[0], "nosuch00"], name="never")
    assert client.runs("GetRun", run_id=ids[0]).run.name == "its own"
    with refused("FAILED_PRECONDITION", "101 tags"):
        edit([ids[2]], add_tags=[str(n) for n in range(99)])
    for fields in (dict(add_tags=["a,b"]), dict(add_tags=[""]), dict(add_tags=["x" * 65]), dict(name="x" * 257), dict(runs=[]),
                   dict(notes="x" * (16385)), dict(add_tags=["a"], remove_tags=["a"]), dict(runs=["x"])):
        with refused("INVALID_ARGUMENT"):
            edit(**fields)


def test_a_broken_host_stays_away_while_others_finish(client):
    sweep = client.sweeps("CreateSweep", source=SWEEP).sweep.sweep_id
    broken, good, again = (letter * 16 for letter in "bgc")
    client.register(broken, sweep, host="broken")
    client.runs("RetireAgent", agent_id=broken, sweep_id=sweep, reason="3 runs failed at once", quarantine=True)
    client.register(again, sweep, host="broken")  # nobody else has finished a run: the sweep may be at fault
    client.register(good, sweep, host="good")
    run = client.runs("AcquireRun", sweep_id=sweep, agent_id=good, slot=0, counter=1, wait_ms=5000).run
    assert client.runs("FinishRun", sweep_id=sweep, run_id=run.run_id, attempt=1, agent_id=good, end_class=EXITED).done.state == FINISHED
    with refused("FAILED_PRECONDITION", f"host broken is quarantined for sweep {sweep}: 3 runs failed at once"):
        client.register(again, sweep, host="broken")
    with refused("FAILED_PRECONDITION", "--ignore-quarantine"):
        client.register(broken, sweep, host="broken")
    shown = {one.agent_id: one for one in client.sweeps("ListAgents", sweep_id=sweep).agents}
    assert (shown[broken].state, shown[broken].reason) == ("quarantined", "3 runs failed at once")
    assert shown[good].state == "active"
    client.register(again, sweep, host="broken", ignore_quarantine=True)
    client.register("d" * 16, sweep, host="broken")
