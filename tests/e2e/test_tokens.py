# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what: roles by every call of the contract, walls between projects, the lives of tokens, limits, the audit trail."""
import contextlib
import glob
import os
import re
import shutil
import subprocess
import threading
import time

import grpc
import pytest

from localstack import BIN, LocalStack, wait_for
from test_contract import SERVICES, Recorder, contract, endpoint, secret  # noqa: F401 (fixtures)
from test_security import Controller, arguments_of_controller

LIMIT_S = 5  # a token counts no longer than this after it was revoked
ADMIN, WRITER, AGENT, READER = 1, 2, 3, 4
NAMES = {ADMIN: "admin", WRITER: "writer", AGENT: "agent", READER: "reader"}
SWEEP = b"""
method: grid
metric: {name: loss, goal: minimize}
command: ["true"]
parameters: {x: {values: [1, 2, 3]}}
"""

# Said here again, by hand: what docs/tokens.md promises.
EVERYBODY, LOOK, CHANGE, RUN, ALONE = "AWGR", "AWR", "AW", "AWG", "A"
PUBLIC = {
    "CreateSweep": CHANGE, "OpenProject": RUN, "GetSweep": EVERYBODY, "ListSweeps": LOOK, "ChangeSweep": CHANGE,
    "UpdateSweep": CHANGE, "DeleteSweep": CHANGE, "WatchSweep": LOOK, "ListRuns": LOOK, "ListBands": LOOK, "ListAgents": LOOK,
    "GetImportance": LOOK, "Predict": LOOK, "GetRecommendation": LOOK,
    "RegisterAgent": RUN, "RetireAgent": RUN, "AcquireRun": RUN, "SubmitRun": RUN, "TrackRun": RUN, "FinishRun": RUN,
    "GetRun": LOOK, "StopRun": CHANGE, "DeleteRun": CHANGE, "EditRuns": CHANGE, "ReadMetrics": LOOK, "ReadLogs": LOOK,
    "ExplainRun": LOOK, "CreateToken": ALONE, "ListTokens": ALONE, "RevokeToken": ALONE, "ListEvents": CHANGE,
}
INTERNAL = {"Suggest", "ComputeImportance", "PredictSlice", "RecommendRun", "DecideStops"}
LETTERS = {"A": ADMIN, "W": WRITER, "G": AGENT, "R": READER}
REFUSED = ("PERMISSION_DENIED", "UNAUTHENTICATED")


@pytest.fixture(scope="module")
def stack():
    with LocalStack() as running:
        yield running


def bearer(text):
    return [("authorization", "Bearer " + text)]


class Caller:
    """Calls by name with one token."""

    def __init__(self, contract, channel, metadata):  # noqa: F811
        self.recorder = Recorder(contract)
        self.metadata = metadata
        for service in ("sweep_service", "run_service", "token_service"):
            self.recorder.connect(service, channel)
        self.service_of = {method.name: service for service in self.recorder.stubs
                           for one in contract[service + "_pb2"].DESCRIPTOR.services_by_name.values() for method in one.methods}

    def __call__(self, method, /, **fields):
        return self.recorder.call(self.service_of[method], method, self.metadata, **fields)

    def track(self, **ids):
        message = self.recorder.message
        first = message("run_service", "TrackRunRequest", open=message("run_service", "TrackOpen", started_us=1, **ids))
        return list(self.recorder.stubs["run_service"].TrackRun(iter([first]), metadata=self.metadata, timeout=10))

    def outcome(self, method, /, **fields):
        """(status, words) of a call, streams read to their first message."""
        try:
            if method == "TrackRun":
                self.track(**fields)
            else:
                answer = self(method, **fields)
                if isinstance(answer, grpc.Call) and hasattr(answer, "__next__"):
                    next(answer, None)
                    answer.cancel()
        except grpc.RpcError as error:
            return error.code().name, error.details()
        return "OK", ""


@pytest.fixture(scope="module")
def channel(stack):
    with grpc.insecure_channel(endpoint(stack)) as open_channel:
        yield open_channel


@pytest.fixture(scope="module")
def admin(stack, contract, channel):  # noqa: F811
    return Caller(contract, channel, secret(stack, "token"))


@pytest.fixture
def caller(contract, channel, admin):  # noqa: F811
    """A caller with a new token."""
    def make(role, **fields):
        made = admin("CreateToken", role=role, **fields)
        one = Caller(contract, channel, bearer(made.text))
        one.token_id, one.text = made.token.token_id, made.text
        return one
    return make


def rpcs(contract):  # noqa: F811
    """(service, rpc, path, whether the request is a stream, whether the response is one), of the whole contract."""
    for service in SERVICES:
        for one in contract[service + "_pb2"].DESCRIPTOR.services_by_name.values():
            for method in one.methods:
                yield service, method.name, f"/{one.full_name}/{method.name}", method.name == "TrackRun", method.name in (
                    "TrackRun", "WatchSweep", "ReadMetrics", "ReadLogs")


def try_empty(channel, rpc, metadata):
    """The status of a call with an empty message: who may call is decided before it is read."""
    _, _, path, streams_up, streams_down = rpc
    kind = {(False, False): "unary_unary", (False, True): "unary_stream", (True, True): "stream_stream"}[streams_up, streams_down]
    ask = getattr(channel, kind)(path)
    try:
        answer = ask(iter([b""]) if streams_up else b"", metadata=metadata, timeout=10)
        if streams_down:
            next(answer, None)
    except grpc.RpcError as error:
        return error.code().name
    return "OK"


@contextlib.contextmanager
def inner_channels(stack):
    folder = os.path.dirname(endpoint(stack)[len("unix:"):])
    with grpc.insecure_channel(f"unix:{folder}/suggestion.sock") as suggestion, \
            grpc.insecure_channel(f"unix:{folder}/scheduler.sock") as scheduler:
        yield {"suggestion_service": suggestion, "scheduler_service": scheduler}


def test_each_role_by_each_rpc(stack, contract, channel, caller):  # noqa: F811
    service_token = secret(stack, "service-token")
    tried = 0
    known = {name for _, name, *_ in rpcs(contract)}
    assert known == set(PUBLIC) | INTERNAL, "say here who may call the new rpc"
    callers = {role: caller(role) for role in NAMES}
    with inner_channels(stack) as inner:
        for rpc in rpcs(contract):
            service, name = rpc[:2]
            if name in INTERNAL:
                assert try_empty(inner[service], rpc, service_token) not in REFUSED, name
                for role in NAMES:
                    assert try_empty(inner[service], rpc, callers[role].metadata) == "UNAUTHENTICATED", (name, NAMES[role])
                assert try_empty(inner[service], rpc, secret(stack, "token")) == "UNAUTHENTICATED", name
                tried += 6
                continue
            may = {LETTERS[letter] for letter in PUBLIC[name]}
            for role in NAMES:
                status = try_empty(channel, rpc, callers[role].metadata)
                assert (status != "PERMISSION_DENIED") == (role in may) and status != "UNAUTHENTICATED", (name, NAMES[role], status)
            assert try_empty(channel, rpc, service_token) == "PERMISSION_DENIED", name
            tried += 5
    print(f"{tried} cells")


def test_texts_that_are_no_token(contract, channel, caller, admin):  # noqa: F811
    good = caller(ADMIN)
    expired = caller(ADMIN, expires_in_ms=1)
    revoked = caller(ADMIN)
    admin("RevokeToken", token_id=revoked.token_id)
    head, digits = good.text[:15], good.text[15:]
    flipped = ("1" if digits[0] == "0" else "0") + digits[1:]
    other = caller(READER).text
    wrong = [None, "", "besom_", "x", "0" * 64, "besom_" + "z" * 8, head, head + flipped, head + "0" * 64, head + digits[:-1],
             good.text + "0", good.text.upper(), "besom_abcd1234_" + digits, other[:15] + digits, head + other[15:],
             expired.text, revoked.text, "a" * 5000]
    for text in wrong:
        for rpc in rpcs(contract):
            if rpc[1] in PUBLIC and (rpc[1] in ("ListTokens", "WatchSweep", "TrackRun") or text == revoked.text):
                status = try_empty(channel, rpc, bearer(text) if text is not None else [])
                assert status == "UNAUTHENTICATED", (rpc[1], text)
    for metadata in ([("authorization", good.text)], [("authorization", "Basic " + good.text)], [("token", good.text)]):
        assert try_empty(channel, next(one for one in rpcs(contract) if one[1] == "ListTokens"), metadata) == "UNAUTHENTICATED"
    assert good.outcome("ListTokens")[0] == "OK"


# ---- walls ----

def a_run(admin, project, tag):
    """A sweep of the project with one run that has begun."""
    sweep = admin("CreateSweep", source=SWEEP, project=project, request_id="req-" + project).sweep.sweep_id
    agent = tag * 16
    admin("RegisterAgent", agent_id=agent, sweep_id=sweep, host="h", pid=1, slots=2, protocol_min=1, protocol_max=1)
    run = admin("AcquireRun", sweep_id=sweep, agent_id=agent, slot=0, counter=1, wait_ms=8000).run.run_id
    admin.track(sweep_id=sweep, run_id=run, attempt=1, agent_id=agent)
    return sweep, run, agent


def probes(sweep, run, agent):
    """Every call that names something, of this sweep."""
    ids = dict(sweep_id=sweep, run_id=run)
    attempt = dict(ids, attempt=1, agent_id=agent)
    return [
        ("GetSweep", dict(sweep_id=sweep)), ("ChangeSweep", dict(sweep_id=sweep, action=1)),
        ("UpdateSweep", dict(sweep_id=sweep, source=SWEEP)), ("WatchSweep", dict(sweep_id=sweep)),
        ("ListRuns", dict(sweep_id=sweep)), ("ListBands", dict(sweep_id=sweep)), ("ListAgents", dict(sweep_id=sweep)),
        ("GetImportance", dict(sweep_id=sweep)), ("Predict", dict(sweep_id=sweep)), ("GetRecommendation", dict(sweep_id=sweep)),
        ("RegisterAgent", dict(agent_id=agent, sweep_id=sweep, slots=1, protocol_min=1, protocol_max=1)),
        ("RetireAgent", dict(agent_id=agent, sweep_id=sweep)),
        ("AcquireRun", dict(sweep_id=sweep, agent_id=agent, slot=1, counter=1, wait_ms=100)),
        ("AcquireRun", dict(sweep_id=sweep, agent_id=agent, slot=0, counter=1, wait_ms=100)),
        ("SubmitRun", dict(sweep_id=sweep, agent_id=agent, counter=5, params_json="{}")),
        ("TrackRun", attempt), ("FinishRun", dict(attempt, end_class=1)), ("GetRun", ids), ("GetRun", dict(run_id=run)),
        ("StopRun", ids), ("DeleteRun", ids), ("EditRuns", dict(sweep_id=sweep, run_ids=[run], name="n")),
        ("ReadMetrics", ids), ("ReadLogs", ids), ("ExplainRun", ids),
        ("CreateToken", dict(role=READER, sweep_id=sweep)), ("DeleteSweep", dict(sweep_id=sweep, force=True)),
    ]


NAMES_NOTHING = {"CreateSweep", "OpenProject", "ListSweeps", "ListTokens", "RevokeToken", "ListEvents"}  # tried below


def picture(admin, sweep):
    """What others might have changed."""
    shown = admin("GetSweep", sweep_id=sweep).sweep
    runs = admin("ListRuns", sweep_id=sweep).runs
    agents = admin("ListAgents", sweep_id=sweep).agents
    return (shown.state, shown.spec_version, [(run.run_id, run.state, run.name, run.attempt) for run in runs],
            [(agent.agent_id, agent.state) for agent in agents])


def test_projects_are_walls(contract, admin, caller):  # noqa: F811
    sweep, run, agent = a_run(admin, "theirs", "t")
    mine, my_run, _ = a_run(admin, "mine", "m")
    token = caller(READER, project="theirs").token_id
    before = picture(admin, sweep)
    assert {method for method, _ in probes(sweep, run, agent)} | NAMES_NOTHING == set(PUBLIC)
    bound = {"project": caller(ADMIN, project="mine"), "sweep": caller(WRITER, sweep_id=mine)}
    nothing, no_run = "nosuch00", "nosuch11"
    for kind, one in bound.items():
        for (method, theirs), (_, absent) in zip(probes(sweep, run, agent), probes(nothing, no_run, agent)):
            if kind == "sweep" and method == "CreateToken":
                continue
            status, words = one.outcome(method, **theirs)
            assert status == "NOT_FOUND", (kind, method, status, words)
            plain = one.outcome(method, **absent)
            assert (status, words.replace(sweep, nothing).replace(run, no_run)) == plain, (kind, method)
        assert one.outcome("GetRun", run_id=my_run)[0] == "OK", kind
        assert [found.sweep_id for found in one("ListSweeps").sweeps] == [mine]
        assert not one("ListSweeps", project="theirs").sweeps
        assert [found.sweep_id for found in one("ListAgents").agents] == [mine]
        status, words = one.outcome("CreateSweep", source=SWEEP, project="theirs")
        assert status == "NOT_FOUND" and words == one.outcome("CreateSweep", source=SWEEP, project="absent")[1].replace("absent", "theirs")
        assert one.outcome("OpenProject", project="theirs")[0] == one.outcome("OpenProject", project="absent")[0] == "NOT_FOUND"
        assert {event.project for event in one("ListEvents", page_size=1000).events} == {"mine"}
        assert not one("ListEvents", about=sweep).events and not one("ListEvents", project="theirs").events
    boss = bound["project"]
    assert boss.outcome("RevokeToken", token_id=token) == ("NOT_FOUND", f"there is no token {token}")
    assert boss.outcome("RevokeToken", token_id=nothing) == ("NOT_FOUND", f"there is no token {nothing}")
    assert {found.project for found in boss("ListTokens").tokens} == {"mine"}
    assert boss.outcome("CreateToken", role=ADMIN, project="theirs")[0] == "NOT_FOUND"
    assert boss("CreateToken", role=ADMIN).token.project == "mine", "an admin of a project makes tokens of it alone"
    assert boss.outcome("CreateSweep", source=SWEEP, project="mine", prior_runs=[run])[0] == "NOT_FOUND"
    assert boss.outcome("CreateSweep", source=SWEEP, project="mine", request_id="req-theirs")[0] == "ALREADY_EXISTS"
    assert bound["sweep"].outcome("OpenProject", project=mine)[0] == "NOT_FOUND", "a sweep's id is no project's name"
    assert picture(admin, sweep) == before


def test_ids_of_others_lead_nowhere_from_ones_own_sweep(contract, admin, caller):  # noqa: F811
    """The sweep is one's own, and what it is asked about is another project's: answered as what exists nowhere, and nothing changes."""
    sweep, run, agent = a_run(admin, "walled", "w")
    mine, my_run, _ = a_run(admin, "own", "o")
    before = picture(admin, sweep), picture(admin, mine)
    no_run, no_agent = "nosuch11", "nosuchnosuchnosu"

    def mixed(run, agent):
        named = [(method, fields) for method, fields in probes(mine, run, agent) if fields.get("sweep_id") == mine
                 and {"run_id", "run_ids", "agent_id"} & set(fields) and method != "RegisterAgent"]
        own = dict(sweep_id=mine, run_id=my_run, attempt=1, agent_id=agent)
        return named + [("EditRuns", dict(sweep_id=mine, run_ids=[my_run, run], name="taken", add_tags=["taken"])),
                        ("TrackRun", own), ("FinishRun", dict(own, end_class=1)), ("Predict", dict(sweep_id=mine, base_run_id=run))]

    for one in (caller(ADMIN, project="own"), caller(WRITER, sweep_id=mine)):
        tried = 0
        for (method, theirs), (_, absent) in zip(mixed(run, agent), mixed(no_run, no_agent)):
            status, words = one.outcome(method, **theirs)
            assert (status, words.replace(run, no_run).replace(agent, no_agent)) == one.outcome(method, **absent), method
            assert status != "OK" or method == "FinishRun", (method, "a run that is nobody's any more is told so")
            tried += 1
        assert tried > 12
    assert (picture(admin, sweep), picture(admin, mine)) == before
    one("RegisterAgent", agent_id=agent, sweep_id=mine, host="h", pid=1, slots=1, protocol_min=1, protocol_max=1)
    one("RetireAgent", agent_id=agent, sweep_id=mine, quarantine=True)
    assert picture(admin, sweep) == before[0], "the same id elsewhere is another agent"


# ---- lives ----

class Stream(threading.Thread):
    """Reads a stream, or waits for a call, until it ends; when and how."""

    def __init__(self, one, method, **fields):
        super().__init__(daemon=True)
        self.one, self.method, self.fields, self.status, self.ended = one, method, fields, None, None
        self.start()

    def run(self):
        service = self.one.service_of[self.method]
        request = self.one.recorder.message(service, self.method + "Request", **self.fields)
        try:
            answer = getattr(self.one.recorder.stubs[service], self.method)(request, metadata=self.one.metadata, timeout=60)
            for _ in answer if hasattr(answer, "__next__") else [answer]:
                pass
            self.status = "OK"
        except grpc.RpcError as error:
            self.status = error.code().name
        self.ended = time.monotonic()


class Track(Stream):
    """A TrackRun stream that stays open."""

    def run(self):
        message = self.one.recorder.message
        over = threading.Event()

        def say():
            yield message("run_service", "TrackRunRequest", open=message("run_service", "TrackOpen", started_us=1, **self.fields))
            over.wait(60)

        try:
            for _ in self.one.recorder.stubs["run_service"].TrackRun(say(), metadata=self.one.metadata, timeout=60):
                pass
            self.status = "OK"
        except grpc.RpcError as error:
            self.status = error.code().name
        self.ended = time.monotonic()
        over.set()


def open_streams(admin, one, project):
    sweep, run, agent = a_run(admin, project, project[-1])
    for counter in (2, 3):
        admin("AcquireRun", sweep_id=sweep, agent_id=agent, slot=0, counter=counter, wait_ms=8000)
    return [Stream(one, "WatchSweep", sweep_id=sweep), Stream(one, "ReadLogs", sweep_id=sweep, run_id=run, follow=True),
            Track(one, "TrackRun", sweep_id=sweep, run_id=run, attempt=1, agent_id=agent),
            Stream(one, "AcquireRun", sweep_id=sweep, agent_id=agent, slot=1, counter=9, wait_ms=50000)]


def test_a_revoked_token_ends_within_the_limit(stack, contract, admin, caller):  # noqa: F811
    one = caller(WRITER)
    streams = open_streams(admin, one, "revokedr")
    with Controller(stack, "--insecure") as second, grpc.insecure_channel(f"127.0.0.1:{second.port}") as other:
        elsewhere = Caller(contract, other, one.metadata)
        streams.append(Stream(elsewhere, "WatchSweep", sweep_id=streams[0].fields["sweep_id"]))
        assert elsewhere.outcome("ListSweeps")[0] == "OK"
        time.sleep(0.5)  # the streams are open: none has ended by itself
        assert all(stream.is_alive() for stream in streams)
        began = time.monotonic()
        assert stack.json("token", "revoke", one.token_id)["state"] == "revoked"
        assert one.outcome("ListSweeps")[0] == "UNAUTHENTICATED", "where it was revoked it holds at once"
        wait_for(lambda: elsewhere.outcome("ListSweeps")[0] == "UNAUTHENTICATED", LIMIT_S, "the other replica knows")
        refused = time.monotonic() - began
        for stream in streams:
            stream.join(LIMIT_S)
            assert stream.status == "UNAUTHENTICATED" and stream.ended - began < LIMIT_S
    print(f"the other replica refused after {refused:.1f} s, the last stream ended after "
          f"{max(stream.ended for stream in streams) - began:.1f} s")


def test_a_token_expires_with_its_streams(admin, caller):
    asked = time.monotonic()
    one = caller(WRITER, expires_in_ms=3000)
    made = time.monotonic()
    streams = open_streams(admin, one, "expiresx")
    wait_for(lambda: one.outcome("ListSweeps") == ("UNAUTHENTICATED", f"the token {one.token_id} has expired (ask for another)"), 5,
             "it has expired")
    assert time.monotonic() - asked > 2.9
    for stream in streams:
        stream.join(3 + LIMIT_S)
        assert stream.status == "UNAUTHENTICATED" and stream.ended - asked > 2.9 and stream.ended - made < 3 + LIMIT_S
    assert {token.token_id: token.state for token in admin("ListTokens").tokens}[one.token_id] == "expired"


def test_tokens_that_cannot_be(admin):
    for fields in (dict(), dict(role=9), dict(role=READER, name="x" * 41), dict(role=READER, name="a/b"), dict(role=READER, name="a\nb"),
                   dict(role=READER, expires_in_ms=-1), dict(role=READER, expires_in_ms=1 << 60), dict(role=READER, project="p" * 256),
                   dict(role=READER, sweep_id="x")):
        assert admin.outcome("CreateToken", **fields)[0] == "INVALID_ARGUMENT", fields
    sweep = admin("CreateSweep", source=SWEEP, project="some").sweep.sweep_id
    assert admin.outcome("CreateToken", role=ADMIN, sweep_id=sweep)[0] == "INVALID_ARGUMENT"
    assert admin.outcome("CreateToken", role=WRITER, sweep_id=sweep, project="other")[0] == "INVALID_ARGUMENT"
    assert admin.outcome("CreateToken", role=WRITER, sweep_id="nosuch00")[0] == "NOT_FOUND"
    assert admin.outcome("RevokeToken", token_id="file-1")[0] == "INVALID_ARGUMENT"
    assert admin("CreateToken", role=WRITER, sweep_id=sweep).token.project == "some"


def test_pages(admin, caller):
    for _ in range(3):
        caller(READER, project="pages")
    seen, page = [], ""
    while True:
        answer = admin("ListTokens", project="pages", page_size=2, page_token=page)
        seen += [token.token_id for token in answer.tokens]
        page = answer.next_page_token
        if not page:
            break
    assert len(seen) == len(set(seen)) == 3
    for page in ("x", "1:2", "-1", "9" * 30 + "x"):
        assert admin.outcome("ListTokens", page_token=page)[0] == "INVALID_ARGUMENT"
        assert admin.outcome("ListEvents", page_token=page)[0] == "INVALID_ARGUMENT"
    for size in (-1, 1001):
        assert admin.outcome("ListTokens", page_size=size)[0] == "INVALID_ARGUMENT"
        assert admin.outcome("ListEvents", page_size=size)[0] == "INVALID_ARGUMENT"


# ---- what is left of them ----

def test_a_dump_holds_no_token(stack, admin, caller, tmp_path):
    texts = [caller(role).text for role in NAMES] + [value[len("Bearer "):] for name in ("token", "service-token")
                                                     for _, value in secret(stack, name)]
    assert admin.outcome("ListTokens")[0] == "OK"
    arguments = arguments_of_controller(stack)
    url = arguments[arguments.index("--database-url") + 1]
    tool = shutil.which("pg_dump") or sorted(glob.glob("/usr/lib/postgresql/*/bin/pg_dump"))[-1]
    dump = subprocess.run([tool, "--dbname", url, "--inserts"], capture_output=True, check=True, text=True).stdout
    assert "INSERT INTO besom.tokens" in dump
    assert not re.findall(r"besom_[0-9a-z]{8}_[0-9a-f]{64}", dump)
    for text in texts:
        secret_part = text[15:] if text.startswith("besom_") else text
        assert secret_part not in dump and secret_part.encode().hex() not in dump
    # nor does a controller with another key take one for its own, whatever the rows say
    (tmp_path / "token").write_text("f" * 64)
    (tmp_path / "token").chmod(0o600)
    with Controller(stack, "--insecure", "--token-file", str(tmp_path / "token"), without=["--token-file"]) as other, \
            grpc.insecure_channel(f"127.0.0.1:{other.port}") as foreign:
        with pytest.raises(grpc.RpcError) as refused:
            foreign.unary_unary("/besom.v1.SweepService/ListSweeps")(b"", metadata=bearer(texts[0]), timeout=10)
        assert refused.value.code().name == "UNAUTHENTICATED"
    for log in glob.glob(os.path.join(stack.environment["BESOM_HOME"], "log", "*")):
        with open(log, errors="replace") as file:
            written = file.read()
        assert not any(text in written for text in texts), log


def test_key_files_replace_one_another(stack, contract, admin, tmp_path):  # noqa: F811
    for name in ("old", "new"):
        (tmp_path / name).write_text(name * 20)
        (tmp_path / name).chmod(0o600)

    def replica(*names):
        return Controller(stack, "--insecure", *[word for name in names for word in ("--token-key-file", str(tmp_path / name))])

    def state(controller, metadata, token_id):
        with grpc.insecure_channel(f"127.0.0.1:{controller.port}") as open_channel:
            outcome = Caller(contract, open_channel, metadata).outcome("ListSweeps")[0]
            listed = Caller(contract, open_channel, secret(stack, "token"))("ListTokens", page_size=1000).tokens
            return outcome, next(token.state for token in listed if token.token_id == token_id)

    with replica("old") as controller, grpc.insecure_channel(f"127.0.0.1:{controller.port}") as open_channel:
        made = Caller(contract, open_channel, secret(stack, "token"))("CreateToken", role=READER)
        assert state(controller, bearer(made.text), made.token.token_id) == ("OK", "valid")
    with replica("new", "old") as controller:
        assert state(controller, bearer(made.text), made.token.token_id) == ("OK", "valid")
    with replica("new") as controller:
        assert state(controller, bearer(made.text), made.token.token_id) == ("UNAUTHENTICATED", "key lost")


# ---- where programs have theirs from ----

def test_programs_take_a_token_file(stack, caller, tmp_path):
    """Agent and command alike, by option and environment; a file that others may read is refused, as ssh refuses a key."""
    file = tmp_path / "token"
    sweep = stack.create(SWEEP.decode())
    file.write_text(caller(WRITER).text + "\n")
    clean = {name: value for name, value in stack.environment.items() if name not in ("BESOM_TOKEN", "BESOM_HOME")}

    def run(program, *arguments, **more):
        return subprocess.run([os.path.join(BIN, program), *arguments], env=dict(clean, HOME=str(tmp_path), **more), cwd=tmp_path,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    with Controller(stack, "--insecure") as controller:
        where = ("--insecure", "--address", f"127.0.0.1:{controller.port}")
        agent = ("besom-agent", "--count", "1", "--state-dir", str(tmp_path / "state"), *where)
        for command in (("besom", "status", *where, sweep), (*agent, sweep)):
            for options, variables in ((("--token-file", str(file)), {}), ((), {"BESOM_TOKEN_FILE": str(file)})):
                for mode in (0o604, 0o622):
                    file.chmod(mode)
                    refused = run(command[0], *command[1:], *options, **variables)
                    assert refused.returncode == 5 and f"its mode is 0{mode:o} (chmod 600 it)" in refused.stderr, refused.stderr
                    assert len(refused.stderr.strip().splitlines()) == 1
                file.chmod(0o600)
                done = run(command[0], *command[1:], *options, **variables)
                assert done.returncode == 0, done.stderr
        (tmp_path / "sweep.yaml").write_text(SWEEP.decode())
        for command in (("besom", "ls"), ("besom", "agent", sweep), ("besom-agent", sweep), ("besom", "run", "sweep.yaml")):
            for wrong, text in (("none", None), ("empty", " \n"), ("two", "one-word-of-it and another")):
                if text is not None:
                    (tmp_path / wrong).write_text(text)
                    (tmp_path / wrong).chmod(0o600)
                refused = run(*command, *where, "--token-file", wrong)
                assert refused.returncode == 2 and "--token-file" in refused.stderr, (command, wrong, refused.stderr)
        # a file stands above BESOM_TOKEN, and an agent that a command starts gets it by its name
        assert run("besom", "ls", *where, "--token-file", "token", BESOM_TOKEN="x" * 20).returncode == 0
        unseen = ("--", "sh", "-c", "test -z \"$BESOM_TOKEN$BESOM_TOKEN_FILE\"")
        done = run("besom", "submit", *where, "--token-file", "token", "--workdir", "/", "--run-dir", str(tmp_path / "runs"), *unseen)
        assert done.returncode == 0, done.stderr


def test_every_command_that_calls_takes_the_same_options():
    def words(*arguments):
        return subprocess.run([os.path.join(BIN, arguments[0]), *arguments[1:], "--help"], capture_output=True, text=True, check=True).stdout

    commands = re.findall(r"^  ([a-z]+)  +[A-Z]", words("besom"), re.MULTILINE)
    assert len(commands) > 25
    calling = [text for text in [words("besom", name) for name in commands] + [words("besom-agent")] if "--address" in text]
    assert len(calling) > 20
    for text in calling:
        for option in ("--token-file FILE", "--ca-file FILE", "--cert-file FILE", "--key-file FILE", "--server-name NAME", "--[no-]tls",
                       "--[no-]insecure"):
            assert option in text, (option, text)


# ---- limits ----

def test_too_many_calls_are_told_when_to_come_again(stack, contract, caller):  # noqa: F811
    greedy, modest = caller(READER), caller(READER)
    with Controller(stack, "--insecure", "--rate-limit", "2", "--rate-burst", "3") as controller, \
            grpc.insecure_channel(f"127.0.0.1:{controller.port}") as limited:
        ask = limited.unary_unary("/besom.v1.SweepService/ListSweeps")
        refused = None
        for _ in range(10):
            try:
                ask(b"", metadata=greedy.metadata, timeout=10)
            except grpc.RpcError as error:
                refused = error
                break
        assert refused.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and "2 calls a second" in refused.details()
        hint = int(dict(refused.trailing_metadata())["grpc-retry-pushback-ms"])
        assert 0 < hint <= 501
        ask(b"", metadata=modest.metadata, timeout=10)  # another token has its own
        time.sleep(hint / 1000)
        ask(b"", metadata=greedy.metadata, timeout=10)
        # the client of the command waits as it was told, and needs no more tries
        for _ in range(4):
            listed = subprocess.run([os.path.join(BIN, "besom"), "ls", "--insecure", "--address", f"127.0.0.1:{controller.port}"],
                                    env=dict(stack.environment, BESOM_TOKEN=greedy.text), capture_output=True, text=True)
            assert listed.returncode == 0, listed.stderr


def count_open(calls, wanted, what):
    """How many of them are open, once `wanted` have ended."""
    wait_for(lambda: sum(not call.is_active() for call in calls) >= wanted, 20, what)
    return [call for call in calls if call.is_active()]


def test_one_token_cannot_take_every_place(stack, contract, admin, caller):  # noqa: F811
    """Of 400 places one token gets 360: others get through, and can revoke it."""
    sweep = admin("CreateSweep", source=SWEEP).sweep.sweep_id
    greedy, modest = caller(READER), caller(READER)
    with Controller(stack, "--insecure", "--max-calls", "400") as controller, \
            grpc.insecure_channel(f"127.0.0.1:{controller.port}") as crowded:
        watch = crowded.unary_stream("/besom.v1.SweepService/WatchSweep")
        ask = crowded.unary_unary("/besom.v1.SweepService/ListSweeps")
        streams = [watch(b"\x0a\x08" + sweep.encode(), metadata=greedy.metadata, timeout=60) for _ in range(370)]
        left = count_open(streams, 10, "the others are refused")
        assert len(left) == 360
        refused = next(stream for stream in streams if not stream.is_active())
        assert refused.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and "360 calls and streams open" in refused.details()
        with pytest.raises(grpc.RpcError) as also:
            ask(b"", metadata=greedy.metadata, timeout=10)
        assert "grpc-retry-pushback-ms" in dict(also.value.trailing_metadata())
        ask(b"", metadata=modest.metadata, timeout=10)
        left.pop().cancel()
        wait_for(lambda: try_empty(crowded, ("", "", "/besom.v1.SweepService/ListSweeps", False, False), greedy.metadata) == "OK", 10,
                 "a place that was left is free")
        crowded.unary_unary("/besom.v1.TokenService/RevokeToken")(b"\x0a\x08" + greedy.token_id.encode(), metadata=secret(stack, "token"),
                                                                 timeout=10)
        began = time.monotonic()
        for stream in left:
            with pytest.raises(grpc.RpcError) as ended:
                for _ in stream:
                    pass
            assert ended.value.code() == grpc.StatusCode.UNAUTHENTICATED
        assert time.monotonic() - began < LIMIT_S
    with Controller(stack, "--insecure", "--token-calls", "2") as controller, \
            grpc.insecure_channel(f"127.0.0.1:{controller.port}") as crowded:
        watch = crowded.unary_stream("/besom.v1.SweepService/WatchSweep")
        streams = [watch(b"\x0a\x08" + sweep.encode(), metadata=modest.metadata, timeout=60) for _ in range(5)]
        assert len(count_open(streams, 3, "the others are refused")) == 2
        for stream in streams:
            stream.cancel()


def test_who_has_no_token_takes_no_ones_place(stack, caller):
    one = caller(READER)
    with Controller(stack, "--insecure", "--max-calls", "1000") as controller, \
            grpc.insecure_channel(f"127.0.0.1:{controller.port}") as channel:  # noqa: F811
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")
        streams = [watch(b"", timeout=60) for _ in range(40)]
        assert len(count_open(streams, 30, "the others are refused")) == 10
        refused = next(stream for stream in streams if not stream.is_active())
        assert refused.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and "without a token" in refused.details()
        silent = threading.Event()
        reflect = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
        more = reflect((b"" for _ in range(1) if silent.wait(30)), timeout=30)
        assert not count_open([more], 1, "reflection is refused too") and more.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        silent.set()
        channel.unary_unary("/besom.v1.SweepService/ListSweeps")(b"", metadata=one.metadata, timeout=10)
        channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=10)
        for stream in streams:
            stream.cancel()
        wait_for(lambda: watch(b"", timeout=1) is not None and next(watch(b"", timeout=5)) is not None, 10, "places are given back")


def test_huge_metadata_is_refused_and_others_are_served(stack, caller):
    one = caller(READER)
    with Controller(stack, "--insecure") as controller, grpc.insecure_channel(f"127.0.0.1:{controller.port}") as good:
        for size, count in ((7000, 1), (1 << 20, 1), (100, 5000)):
            with grpc.insecure_channel(f"127.0.0.1:{controller.port}", options=[("grpc.use_local_subchannel_pool", 1)]) as bad:
                metadata = one.metadata + [(f"x-{number}", "a" * size) for number in range(count)]
                status = try_empty(bad, ("", "", "/besom.v1.SweepService/ListSweeps", False, False), metadata)
                assert status == ("OK" if size == 7000 else status) and (size == 7000 or status != "OK"), (size, count, status)
            good.unary_unary("/besom.v1.SweepService/ListSweeps")(b"", metadata=one.metadata, timeout=10)
        for text in ("Bearer " + "a" * 7000, "Bearer " + one.text + " " * 100, "Bearer", "Bearer  " + one.text):
            assert try_empty(good, ("", "", "/besom.v1.SweepService/ListSweeps", False, False), [("authorization", text)]) == "UNAUTHENTICATED"


LOGGER = """
import json, os, socket
with socket.socket(socket.AF_UNIX) as run:
    run.connect(os.environ["BESOM_RUN_SOCKET"])
    for step in range(50):
        run.sendall(json.dumps({"log": {"loss": step}, "step": step}).encode() + b"\\n")
assert "BESOM_TOKEN" not in os.environ and "BESOM_TOKEN_FILE" not in os.environ
"""


def test_agents_lose_nothing_to_a_limit(stack, admin, caller):
    """An agent with an agent's token for one sweep, and far fewer calls than it would make."""
    text = f"""
method: grid
metric: {{name: loss, goal: minimize}}
command: [/usr/bin/python3, {stack.write("logger.py", LOGGER)}]
parameters: {{x: {{values: {list(range(12))}}}}}
"""
    sweep = stack.create(text)
    one = caller(AGENT, sweep_id=sweep)
    with Controller(stack, "--insecure", "--rate-limit", "4", "--rate-burst", "2") as controller:
        environment = dict(stack.environment, BESOM_TOKEN=one.text, BESOM_ADDRESS=f"127.0.0.1:{controller.port}", BESOM_INSECURE="1")
        done = subprocess.run([os.path.join(BIN, "besom-agent"), "-j", "4", "--state-dir", os.path.join(stack.home, "limited"), sweep],
                              env=environment, capture_output=True, text=True, timeout=120, cwd=stack.home)
        assert done.returncode == 0, done.stdout + done.stderr
    runs = stack.runs(sweep)
    assert [run["state"] for run in runs] == ["finished"] * 12, done.stderr
    assert {run["attempt"] for run in runs} == {1}
    for run in runs:
        pieces = list(admin("ReadMetrics", sweep_id=sweep, run_id=run["run_id"]))
        assert [value for piece in pieces for value in piece.series.values] == list(range(50))
    assert len({run["params"]["x"] for run in runs}) == 12


# ---- the trail ----

def test_every_change_is_in_the_trail(stack, admin, caller):
    one = caller(WRITER, project="trail", name="ann")
    actor = f"{one.token_id}/ann"
    sweep = one("CreateSweep", source=SWEEP, project="trail").sweep.sweep_id
    agent = "u" * 16
    one("RegisterAgent", agent_id=agent, sweep_id=sweep, host="h", pid=1, slots=1, protocol_min=1, protocol_max=1)
    run = one("AcquireRun", sweep_id=sweep, agent_id=agent, slot=0, counter=1, wait_ms=8000).run.run_id
    other = one("AcquireRun", sweep_id=sweep, agent_id=agent, slot=0, counter=2, wait_ms=8000).run.run_id
    one("EditRuns", sweep_id=sweep, run_ids=[run], name="n")
    one("StopRun", sweep_id=sweep, run_id=run)
    one("FinishRun", sweep_id=sweep, run_id=other, attempt=1, agent_id=agent, end_class=1)
    one("DeleteRun", sweep_id=sweep, run_id=other)
    for action in (1, 2):
        one("ChangeSweep", sweep_id=sweep, action=action)
    one("UpdateSweep", sweep_id=sweep, source=SWEEP.replace(b"[1, 2, 3]", b"[1, 2, 3, 4]"))
    one("ChangeSweep", sweep_id=sweep, action=4)
    one("DeleteSweep", sweep_id=sweep, force=True)
    single = one("OpenProject", project="trail").sweep.sweep_id
    one("RegisterAgent", agent_id=agent, sweep_id=single, host="h", pid=1, slots=1, protocol_min=1, protocol_max=1)
    own_run = one("SubmitRun", sweep_id=single, agent_id=agent, counter=1, params_json="{}", name="mine").run.run_id
    for _ in range(2):
        one("SubmitRun", sweep_id=single, agent_id=agent, counter=1, params_json="{}", name="mine")  # the same one again
    other_token = caller(AGENT, project="trail", name="bob")
    other_token("FinishRun", sweep_id=single, run_id=own_run, attempt=1, agent_id=agent, end_class=1, exit_code=3)
    ended, submitted = admin("ListEvents", about=own_run).events
    assert (submitted.kind, submitted.actor, submitted.detail) == ("run_submitted", actor, "mine")
    assert (ended.kind, ended.actor) == ("run_ended", agent), "told of the agent, with the token that said so"
    assert ended.detail.endswith(f", told with token {other_token.token_id}/bob"), ended.detail
    trail = stack.json("audit", one.token_id, "-n", "0")["events"]
    assert [event["kind"] for event in reversed(trail)] == [
        "token_created", "sweep_created", "agent_registered", "runs_edited", "run_stop_ordered", "run_deleted", "sweep_changed",
        "sweep_changed", "sweep_updated", "sweep_changed", "sweep_deleted", "sweep_created", "agent_registered",
        "run_submitted"]
    assert {event["actor"] for event in trail[:-1]} == {actor} and trail[-1]["actor"].startswith("file:")
    assert {event["project"] for event in trail} == {"trail"}
    assert {event["subject"] for event in trail if event["kind"].startswith("run")} == {run, other, own_run}
    own = one("ListEvents", page_size=1000).events
    assert own and not [event for event in own if event.kind.startswith("token_")], "tokens are the admins' business"
    admin("RevokeToken", token_id=one.token_id)
    admin("RevokeToken", token_id=one.token_id)
    assert [event.kind for event in admin("ListEvents", about=one.token_id, page_size=2).events] == ["token_revoked", "run_submitted"]
    assert not stack.json("audit", "--since", "1ms")["events"]
    table = stack.command("audit", sweep, "--project", "trail").stdout
    assert "sweep_deleted" in table and actor in table
    refused = stack.command("token", "revoke", "nosuch00", check=False)
    assert refused.returncode == 3 and "there is no token nosuch00" in refused.stderr


def test_refusals_are_logged_without_the_secret(stack, channel, caller):
    one = caller(READER)
    bad = one.text[:15] + "0" * 64
    for text in (bad, "hunter2-hunter2-hunter2"):
        with pytest.raises(grpc.RpcError):
            channel.unary_unary("/besom.v1.SweepService/ListSweeps")(b"", metadata=bearer(text), timeout=10)
    with open(os.path.join(stack.environment["BESOM_HOME"], "log", "controller.log")) as file:
        lines = [line for line in file if "caller_refused" in line]
    assert lines and "hunter2" not in "".join(lines) and "refused=" in lines[-1]


def test_words_of_the_command(stack):
    made = stack.command("token", "create", "--role", "agent", "--project", "words", "--expires", "30d", "--name", "cluster")
    assert re.fullmatch(r"besom_[0-9a-z]{8}_[0-9a-f]{64}\n", made.stdout), "stdout is the token alone"
    assert "shown only now" in made.stderr
    assert made.stdout.strip() not in made.stderr
    listed = [one for one in stack.json("token", "list", "--project", "words")["tokens"]]
    assert [(one["name"], one["role"], one["state"]) for one in listed] == [("cluster", "agent", "valid")]
    assert listed[0]["expires_us"] - listed[0]["created_us"] == 30 * 86400 * 10**6
    assert "cluster" in stack.command("token", "list").stdout
    for wrong in (["create"], ["create", "--role", "king"], ["revoke"], ["revoke", "x"], ["forge"], ["list", "x"]):
        refused = stack.command("token", *wrong, check=False)
        assert refused.returncode == 2 and len(refused.stderr.strip().splitlines()) == 1, wrong


WAITER = """
import json, os, socket, sys, time
with socket.socket(socket.AF_UNIX) as run:
    run.connect(os.environ["BESOM_RUN_SOCKET"])
    for step in range(10**9):
        if os.path.exists(sys.argv[1]):
            break
        run.sendall(json.dumps({"log": {"loss": step}, "step": step}).encode() + b"\\n")
        with open(sys.argv[1] + ".steps", "w") as file:
            file.write(str(step + 1))
        time.sleep(0.05)
"""


def test_a_run_outlives_its_agents_token(stack, admin, caller):
    """The run goes on when the token is revoked; the agent, started again with another one, adopts it and brings everything."""
    mark = os.path.join(stack.home, "mark")
    sweep = stack.create(f"""
method: grid
metric: {{name: loss, goal: minimize}}
command: [/usr/bin/python3, {stack.write("waiter.py", WAITER)}, {mark}]
parameters: {{x: {{values: [1]}}}}
""")
    before, after = caller(AGENT, sweep_id=sweep), caller(AGENT, sweep_id=sweep)
    home = os.path.join(stack.home, "rotating")

    def start(one):
        with open(home + ".log", "ab") as log:
            return subprocess.Popen([os.path.join(BIN, "besom-agent"), "--state-dir", home, sweep], stdout=log, stderr=log,
                                    env=dict(stack.environment, BESOM_TOKEN=one.text), cwd=stack.home)

    def stored():
        return sum(len(piece.series.values) for piece in admin("ReadMetrics", sweep_id=sweep, run_id=stack.runs(sweep)[0]["run_id"]))

    def steps():
        with open(mark + ".steps") as file:
            return int(file.read() or "0")

    first = start(before)
    try:
        wait_for(lambda: os.path.exists(mark + ".steps") and stored() > 0, 20, "the run logs")
        stack.command("token", "revoke", before.token_id)
        wait_for(lambda: before.outcome("GetSweep", sweep_id=sweep)[0] == "UNAUTHENTICATED", LIMIT_S, "the token is refused")
        seen = steps()
        wait_for(lambda: steps() > seen + 20, 20, "the run goes on")
        first.kill()
        first.wait()
        first = start(after)
        wait_for(lambda: stored() > seen + 20, 30, "another token brings what was kept")
        with open(mark, "w"):
            pass
        assert first.wait(40) == 0, open(home + ".log").read()
    finally:
        first.kill()
        first.wait()
    run, = stack.runs(sweep)
    assert (run["state"], run["attempt"]) == ("finished", 1)
    assert stored() == steps()
