# SPDX-License-Identifier: Apache-2.0
"""lib/rpc seen by a client that nobody here wrote: grpcio against rpc_echo_server, and raw sockets against both."""
import importlib
import os
import resource
import signal
import socket
import struct
import subprocess
import threading
import time

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from stubs import generate

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BIN = os.environ.get("BESOM_BIN", os.path.abspath("build/dev/bin"))
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
TIMEOUT_S = 10


class Server:
    """A running rpc_echo_server; leaving the block drains it and checks that nothing was left open."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([os.path.join(BIN, "rpc_echo_server"), *arguments], stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline().split()
        assert ready and ready[0] == "ready", "the server did not start"
        self.port = int(ready[1])
        self.address = f"127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.process.send_signal(signal.SIGTERM)
        try:
            last = self.process.communicate(timeout=30)[0]
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        if kind is None:
            assert self.process.returncode == 0 and "open 0" in last

    def memory_kb(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


@pytest.fixture(scope="module")
def stubs(tmp_path_factory):
    out = str(tmp_path_factory.mktemp("stubs"))
    for root, files in (("tests/unit/proto", ["echo.proto"]),
                        ("lib/rpc/proto", ["grpc/health/v1/health.proto", "grpc/reflection/v1alpha/reflection.proto",
                                           "grpc/reflection/v1/reflection.proto", "besom/rpc/status.proto"])):
        generate(out, root, *files)
    # The package "grpc" is grpcio's own, so these stubs are loaded from beside it.
    grpc.__path__.append(os.path.join(out, "grpc"))

    class Stubs:
        echo = importlib.import_module("echo_pb2")
        echo_grpc = importlib.import_module("echo_pb2_grpc")
        health = importlib.import_module("grpc.health.v1.health_pb2")
        health_grpc = importlib.import_module("grpc.health.v1.health_pb2_grpc")
        reflection = importlib.import_module("grpc.reflection.v1alpha.reflection_pb2")
        reflection_grpc = importlib.import_module("grpc.reflection.v1alpha.reflection_pb2_grpc")
        reflection_v1_grpc = importlib.import_module("grpc.reflection.v1.reflection_pb2_grpc")
        reflection_v1 = importlib.import_module("grpc.reflection.v1.reflection_pb2")
        status = importlib.import_module("besom.rpc.status_pb2")

    return Stubs


@pytest.fixture(scope="module")
def server():
    with Server("--handshake-ms", "3000") as running:
        yield running


@pytest.fixture
def channel(server):
    with grpc.insecure_channel(server.address) as opened:
        yield opened


@pytest.fixture
def echo(stubs, channel):
    return stubs.echo_grpc.EchoStub(channel)


def failure(call):
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


def wait_until(condition, timeout_s=TIMEOUT_S):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "condition was not met in time"
        time.sleep(0.02)


# ---- every kind of method ----

def test_unary(stubs, echo):
    answer = echo.Unary(stubs.echo.EchoRequest(text="héllo \U0001f9f9", blob=b"\0\xff", count=7), timeout=TIMEOUT_S)
    assert (answer.text, answer.blob, answer.count) == ("héllo \U0001f9f9", b"\0\xff", 7)


def test_client_stream(stubs, echo):
    answer = echo.Collect((stubs.echo.EchoRequest(text=str(i % 10)) for i in range(1000)), timeout=TIMEOUT_S)
    assert answer.count == 1000 and answer.text == "0123456789" * 100


def test_server_stream(stubs, echo):
    counts = [answer.count for answer in echo.Spread(stubs.echo.EchoRequest(count=3000), timeout=TIMEOUT_S)]
    assert counts == list(range(3000))


def test_bidirectional_stream(stubs, echo):
    turn = threading.Semaphore(1)

    def questions():
        for i in range(100):
            turn.acquire()
            yield stubs.echo.EchoRequest(text=f"q{i}")

    for i, answer in enumerate(echo.Chat(questions(), timeout=TIMEOUT_S)):
        assert answer.text == f"q{i}" and answer.count == i + 1
        turn.release()
    assert i == 99


# ---- refusals ----

def test_status_details(stubs, echo):
    error = failure(lambda: echo.Unary(stubs.echo.EchoRequest(text="bad: café 100% \n line", mode="MODE_FAIL"), timeout=TIMEOUT_S))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and error.details() == "bad: café 100% \n line"
    packed = dict(error.trailing_metadata())["grpc-status-details-bin"]
    details = stubs.status.Status.FromString(packed)
    assert details.code == 3 and details.message == "bad: café 100% \n line"


def test_oversized_message(stubs, server):
    huge = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(server.address, huge) as opened:
        echo = stubs.echo_grpc.EchoStub(opened)
        too_much = stubs.echo.EchoRequest(blob=bytes(5 << 20))
        assert failure(lambda: echo.Unary(too_much, timeout=TIMEOUT_S)).code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert failure(lambda: echo.Collect(iter([too_much]), timeout=TIMEOUT_S)).code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        error = failure(lambda: echo.Unary(stubs.echo.EchoRequest(count=5 << 20, mode="MODE_BIG"), timeout=TIMEOUT_S))
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert len(echo.Unary(stubs.echo.EchoRequest(count=4000000, mode="MODE_BIG"), timeout=TIMEOUT_S).blob) == 4000000


def test_compressed_messages(stubs, server):
    """Refused, so that 64 MiB that travel as 64 KiB never unfold."""
    before = server.memory_kb()
    with grpc.insecure_channel(server.address, [("grpc.max_send_message_length", -1)]) as opened:
        echo = stubs.echo_grpc.EchoStub(opened)
        for size in (10000, 64 << 20):
            request = stubs.echo.EchoRequest(blob=bytes(size))
            error = failure(lambda: echo.Unary(request, compression=grpc.Compression.Gzip, timeout=30))
            assert error.code() == grpc.StatusCode.UNIMPLEMENTED
            error = failure(lambda: echo.Collect(iter([request]), compression=grpc.Compression.Gzip, timeout=30))
            assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    assert server.memory_kb() - before < 16 * 1024


@pytest.mark.parametrize("kind", ["Unary", "Spread"])
@pytest.mark.parametrize("payload", [b"\xff\xff\xff", b"\x0a\x05ab", b"\x0a\x02\xc3\x28", b"\x32\x00" * 3 + b"\x32\x7f"])
def test_garbage_payload(channel, kind, payload):
    raw = {"Unary": channel.unary_unary, "Spread": channel.unary_stream}[kind]
    call = raw(f"/besom.test.v1.Echo/{kind}", request_serializer=lambda x: x, response_deserializer=lambda x: x)
    error = failure(lambda: list(call(payload, timeout=TIMEOUT_S)))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_garbage_in_a_stream(channel):
    chat = channel.stream_stream("/besom.test.v1.Echo/Chat", request_serializer=lambda x: x, response_deserializer=lambda x: x)
    error = failure(lambda: list(chat(iter([b"\x0a\x01a", b"\xff\xff"]), timeout=TIMEOUT_S)))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_unary_without_a_message(channel):
    call = channel.stream_unary("/besom.test.v1.Echo/Unary", request_serializer=lambda x: x, response_deserializer=lambda x: x)
    assert failure(lambda: call(iter([]), timeout=TIMEOUT_S)).code() == grpc.StatusCode.INVALID_ARGUMENT


def test_unknown_method(channel):
    for path in ("/besom.test.v1.Echo/Nothing", "/no.such.Service/Method"):
        call = channel.unary_unary(path, request_serializer=lambda x: x, response_deserializer=lambda x: x)
        for _ in range(3):
            assert failure(lambda: call(b"", timeout=TIMEOUT_S)).code() == grpc.StatusCode.UNIMPLEMENTED


def test_large_metadata(stubs, server, echo):
    with grpc.insecure_channel(server.address) as opened:
        greedy = stubs.echo_grpc.EchoStub(opened)
        error = failure(lambda: greedy.Unary(stubs.echo.EchoRequest(), metadata=[("x-big", "y" * 20000)], timeout=TIMEOUT_S))
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    echo.Unary(stubs.echo.EchoRequest(), timeout=TIMEOUT_S)


def test_deadline_and_cancellation(stubs, echo):
    error = failure(lambda: echo.Unary(stubs.echo.EchoRequest(mode="MODE_PARK"), timeout=0.3))
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    future = echo.Unary.future(stubs.echo.EchoRequest(mode="MODE_PARK"), timeout=60)
    assert future.cancel()
    answers = echo.Spread(stubs.echo.EchoRequest(count=1000000), timeout=60)
    next(answers)
    answers.cancel()


def test_token(stubs):
    with Server("--token", "secret") as guarded, grpc.insecure_channel(guarded.address) as opened:
        echo = stubs.echo_grpc.EchoStub(opened)
        for metadata in ([], [("authorization", "Bearer wrong")], [("authorization", "secret")], [("authorization", "Bearer " + "s" * 6000)]):
            error = failure(lambda: echo.Unary(stubs.echo.EchoRequest(), metadata=metadata, timeout=TIMEOUT_S))
            assert error.code() == grpc.StatusCode.UNAUTHENTICATED
            error = failure(lambda: list(echo.Spread(stubs.echo.EchoRequest(count=3), metadata=metadata, timeout=TIMEOUT_S)))
            assert error.code() == grpc.StatusCode.UNAUTHENTICATED
        right = [("authorization", "Bearer secret")]
        assert echo.Unary(stubs.echo.EchoRequest(), metadata=right, timeout=TIMEOUT_S).subject == "token"
        health = stubs.health_grpc.HealthStub(opened)
        assert health.Check(stubs.health.HealthCheckRequest(), timeout=TIMEOUT_S).status == 1


def test_too_many_calls(stubs):
    with Server("--max-calls", "10") as small, grpc.insecure_channel(small.address) as opened:
        echo = stubs.echo_grpc.EchoStub(opened)
        health = stubs.health_grpc.HealthStub(opened)
        parked = [echo.Unary.future(stubs.echo.EchoRequest(mode="MODE_PARK"), timeout=60) for _ in range(25)]

        def refused():
            try:
                echo.Unary(stubs.echo.EchoRequest(), timeout=TIMEOUT_S)
            except grpc.RpcError as error:
                return error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            return False

        wait_until(lambda: sum(call.done() for call in parked) == 15)
        assert {call.code() for call in parked if call.done()} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert refused()
        assert health.Check(stubs.health.HealthCheckRequest(), timeout=TIMEOUT_S).status == 1
        for call in parked:
            call.cancel()
        wait_until(lambda: not refused())


def test_mutual_tls(stubs, tmp_path):
    subprocess.run([os.path.join(ROOT, "tests/unit/rpc_certificates.sh"), str(tmp_path)], check=True)
    pem = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
    with Server("--tls", str(tmp_path / "server.crt"), str(tmp_path / "server.key"), "--ca", str(tmp_path / "ca.crt"), "--token", "t") as tls:
        def subject(key, certificate):
            credentials = grpc.ssl_channel_credentials(pem["ca.crt"], key, certificate)
            with grpc.secure_channel(f"localhost:{tls.port}", credentials) as opened:
                return stubs.echo_grpc.EchoStub(opened).Unary(stubs.echo.EchoRequest(), timeout=TIMEOUT_S).subject

        assert subject(pem["client.key"], pem["client.crt"]) == "agent-7"
        assert failure(lambda: subject(pem["foreign.key"], pem["foreign.crt"])).code() == grpc.StatusCode.UNAVAILABLE
        assert failure(lambda: subject(None, None)).code() == grpc.StatusCode.UNAVAILABLE
    with Server("--tls", str(tmp_path / "expired.crt"), str(tmp_path / "expired.key")) as expired:
        with grpc.secure_channel(f"localhost:{expired.port}", grpc.ssl_channel_credentials(pem["ca.crt"])) as opened:
            error = failure(lambda: stubs.echo_grpc.EchoStub(opened).Unary(stubs.echo.EchoRequest(), timeout=TIMEOUT_S))
            assert error.code() == grpc.StatusCode.UNAVAILABLE


# ---- health and reflection ----

def test_health(stubs):
    request = stubs.health.HealthCheckRequest
    with Server() as own:
        with grpc.insecure_channel(own.address) as opened:
            health = stubs.health_grpc.HealthStub(opened)
            assert health.Check(request(), timeout=TIMEOUT_S).status == 1
            assert health.Check(request(service="besom.test.v1.Echo"), timeout=TIMEOUT_S).status == 1
            assert failure(lambda: health.Check(request(service="none"), timeout=TIMEOUT_S)).code() == grpc.StatusCode.NOT_FOUND
            unknown = health.Watch(request(service="none"), timeout=TIMEOUT_S)
            assert next(unknown).status == 3
            watch = health.Watch(request(), timeout=TIMEOUT_S)
            assert next(watch).status == 1
            own.process.send_signal(signal.SIGTERM)
            assert next(watch).status == 2
            assert list(watch) == []  # and then a clean end


def ask(stub, module, **question):
    [answer] = stub.ServerReflectionInfo(iter([module.ServerReflectionRequest(**question)]), timeout=TIMEOUT_S)
    return answer


@pytest.mark.parametrize("version", ["", "_v1"])
def test_reflection(stubs, channel, version):
    module = getattr(stubs, "reflection" + version)
    stub = getattr(stubs, "reflection" + version + "_grpc").ServerReflectionStub(channel)
    services = [row.name for row in ask(stub, module, list_services="*").list_services_response.service]
    assert {"besom.test.v1.Echo", "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"} <= set(services)

    # A client that has no .proto at all calls a method by what reflection says.
    pool = descriptor_pool.DescriptorPool()
    for service in services:
        for packed in ask(stub, module, file_containing_symbol=service).file_descriptor_response.file_descriptor_proto:
            pool.Add(descriptor_pb2.FileDescriptorProto.FromString(packed))
        assert pool.FindServiceByName(service).methods
    method = pool.FindServiceByName("besom.test.v1.Echo").FindMethodByName("Unary")
    factory = message_factory.MessageFactory(pool)
    request, response = factory.GetPrototype(method.input_type), factory.GetPrototype(method.output_type)
    call = channel.unary_unary("/besom.test.v1.Echo/Unary", request_serializer=request.SerializeToString,
                               response_deserializer=response.FromString)
    assert call(request(text="by reflection"), timeout=TIMEOUT_S).text == "by reflection"

    by_name = ask(stub, module, file_by_filename="echo.proto").file_descriptor_response
    assert len(by_name.file_descriptor_proto) == 1
    for symbol in ("besom.test.v1.EchoRequest.text", "besom.test.v1.Echo.Chat", "besom.test.v1.MODE_PARK"):
        assert ask(stub, module, file_containing_symbol=symbol).HasField("file_descriptor_response")
    for question in ({"file_by_filename": "none.proto"}, {"file_containing_symbol": "no.such.Thing"}):
        assert ask(stub, module, **question).error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


# ---- bad peers ----

def frame(kind, flags, stream, payload=b"", length=None):
    return struct.pack(">I", len(payload) if length is None else length)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


GARBAGE = {
    "noise": bytes(range(256)) * 64,
    "http1": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,
    "huge frame": PREFACE + frame(4, 0, 0) + frame(0, 0, 1, b"", 0xffffff),
    "bad header block": PREFACE + frame(4, 0, 0) + frame(1, 4, 1, b"\xff" * 200),
    "data on no stream": PREFACE + frame(4, 0, 0) + frame(0, 1, 0, b"abc"),
    "even stream": PREFACE + frame(4, 0, 0) + frame(1, 5, 2, b"\x82\x86\x84"),
    "window overflow": PREFACE + frame(4, 0, 0) + frame(8, 0, 0, b"\x7f\xff\xff\xff") * 3,
    "bad settings": PREFACE + frame(4, 0, 0, b"\0\x04\xff\xff\xff\xff"),
    "pings": PREFACE + frame(4, 0, 0) + frame(6, 0, 0, b"12345678") * 5000,
    "resets": PREFACE + frame(4, 0, 0) + b"".join(frame(3, 0, 2 * i + 1, b"\0\0\0\x08") for i in range(2000)),
    "endless headers": PREFACE + frame(4, 0, 0) + frame(1, 0, 1, b"\x82") + frame(9, 0, 1, b"\x40\x01a\x01b" * 3000) * 20,
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_frames(stubs, echo, server, name):
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S) as peer:
        try:
            peer.sendall(GARBAGE[name])
        except OSError:
            pass  # cut off while it spoke
        echo.Unary(stubs.echo.EchoRequest(), timeout=TIMEOUT_S)
    echo.Unary(stubs.echo.EchoRequest(), timeout=TIMEOUT_S)
    assert server.process.poll() is None


def test_silent_connections(stubs, echo, server):
    """Ten thousand (or what the limit of open files permits) say nothing; others are served; then they are closed."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    silent = []
    worst = 0.0
    try:
        for i in range(min(10000, hard - 500)):
            silent.append(socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S))
            if i % 500 == 0:
                start = time.monotonic()
                echo.Unary(stubs.echo.EchoRequest(), timeout=TIMEOUT_S)
                worst = max(worst, time.monotonic() - start)
        assert len(silent) >= 1000 and worst < 10.0
        with grpc.insecure_channel(server.address) as fresh:
            stubs.echo_grpc.EchoStub(fresh).Unary(stubs.echo.EchoRequest(), timeout=TIMEOUT_S)
        for peer in silent:
            peer.settimeout(15)
            while peer.recv(4096):
                pass
    finally:
        for peer in silent:
            peer.close()


def test_frequent_pings_are_permitted(stubs, server):
    options = [("grpc.keepalive_time_ms", 1000), ("grpc.keepalive_permit_without_calls", 1), ("grpc.http2.max_pings_without_data", 0)]
    with grpc.insecure_channel(server.address, options) as opened:
        echo = stubs.echo_grpc.EchoStub(opened)
        error = failure(lambda: echo.Unary(stubs.echo.EchoRequest(mode="MODE_PARK"), timeout=5))
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED  # not UNAVAILABLE, "too many pings"
