# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller on TCP: TLS, mutual TLS, and peers that behave badly while others are served."""
import os
import resource
import signal
import socket
import ssl
import subprocess
import time

import grpc
import pytest

import localstack
from localstack import BIN, LocalStack, free_ports, wait_for

LIST = "/besom.v1.SweepService/ListSweeps"
CREATE = "/besom.v1.SweepService/CreateSweep"


@pytest.fixture(scope="module")
def stack():
    with LocalStack() as running:
        yield running


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """ca, server, client and an expired client certificate, by openssl."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=ca")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name in ("server", "client", "expired"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name)
        # A certificate that is valid for minus one day ended before it began to be used.
        days = "-1" if name == "expired" else "2"
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", days,
                "-extfile", "names", "-out", name + ".pem")
        os.chmod(folder / (name + ".key"), 0o600)
    return folder


def arguments_of_controller(stack):
    """The running controller's own arguments, as pairs."""
    for pid in stack.pids("besom-controller"):
        return localstack.read_bytes(f"/proc/{pid}/cmdline").decode().split("\0")[1:-1]
    raise AssertionError("no controller")


class Controller:
    """A second replica on the stack's database, listening on TCP."""

    def __init__(self, stack, *options, without=()):
        given = arguments_of_controller(stack)
        kept = [word for flag, value in zip(given[::2], given[1::2]) if flag not in ("--listen", *without) for word in (flag, value)]
        self.port = free_ports(1)[0]
        self.log = os.path.join(stack.home, f"controller-{self.port}.log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [os.path.join(BIN, "besom-controller"), *kept, "--listen", f"127.0.0.1:{self.port}", *options],
                env=stack.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def __enter__(self):
        wait_for(self.answers, 15, "the controller listens: " + localstack.read_bytes(self.log).decode())
        return self

    def answers(self):
        assert self.process.poll() is None, localstack.read_bytes(self.log).decode()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0, localstack.read_bytes(self.log).decode()


def token(stack):
    with open(os.path.join(stack.environment["BESOM_HOME"], "token")) as file:
        return file.read().strip()


def call(channel, stack, method=LIST, payload=b"", with_token=True):
    metadata = [("authorization", "Bearer " + token(stack))] if with_token else []
    return channel.unary_unary(method)(payload, metadata=metadata, timeout=10)


def code_of(function, *arguments, **named):
    with pytest.raises(grpc.RpcError) as refused:
        function(*arguments, **named)
    return refused.value.code()


def secure(controller, certificates, name=None):
    read = lambda file: (certificates / file).read_bytes()  # noqa: E731
    credentials = grpc.ssl_channel_credentials(read("ca.pem"), *([read(name + ".key"), read(name + ".pem")] if name else []))
    return grpc.secure_channel(f"localhost:{controller.port}", credentials)


def tls_options(certificates, *more):
    return ("--tls-cert-file", str(certificates / "server.pem"), "--tls-key-file", str(certificates / "server.key"), *more)


def test_tls(stack, certificates):
    with Controller(stack, *tls_options(certificates)) as controller:
        with secure(controller, certificates) as channel:
            call(channel, stack)
            assert code_of(call, channel, stack, with_token=False) == grpc.StatusCode.UNAUTHENTICATED
        with grpc.insecure_channel(f"127.0.0.1:{controller.port}") as channel:
            assert code_of(call, channel, stack) == grpc.StatusCode.UNAVAILABLE
        address = ("--address", f"localhost:{controller.port}")
        listed = subprocess.run([os.path.join(BIN, "besom"), "ls", *address], text=True, capture_output=True,
                                env=dict(stack.environment, BESOM_TOKEN=token(stack),
                                         BESOM_CA_FILE=str(certificates / "ca.pem")))
        assert listed.returncode == 0, listed.stderr


def test_a_renewed_certificate_is_shown_without_a_restart(stack, certificates, tmp_path):
    def install(name):
        for ending in (".key", ".pem"):
            (tmp_path / "new").write_bytes((certificates / (name + ending)).read_bytes())
            (tmp_path / "new").chmod(0o600)
            (tmp_path / "new").replace(tmp_path / ("live" + ending))

    def shown():
        return ssl.get_server_certificate(("127.0.0.1", controller.port)) == (certificates / (name + ".pem")).read_text()

    install("expired")
    with Controller(stack, "--tls-cert-file", str(tmp_path / "live.pem"), "--tls-key-file", str(tmp_path / "live.key")) as controller:
        for name in ("expired", "server"):
            install(name)
            wait_for(shown, 5, name)
        with secure(controller, certificates) as channel:
            call(channel, stack)
        assert "certificate_renewed" in localstack.read_bytes(controller.log).decode()


def test_mutual_tls(stack, certificates):
    options = tls_options(certificates, "--tls-client-ca-file", str(certificates / "ca.pem"))
    with Controller(stack, *options) as controller:
        with secure(controller, certificates, "client") as channel:
            call(channel, stack)
        for name in (None, "expired"):
            with secure(controller, certificates, name) as channel:
                assert code_of(call, channel, stack) == grpc.StatusCode.UNAVAILABLE


class Service:
    """besom-suggestion or besom-scheduler on the stack's database, on TCP."""

    def __init__(self, stack, name, *options):
        given = arguments_of_controller(stack)
        pairs = dict(zip(given[::2], given[1::2]))
        self.port = free_ports(1)[0]
        self.log = os.path.join(stack.home, f"{name}-{self.port}.log")
        self.command = [os.path.join(BIN, "besom-" + name), "--listen", f"127.0.0.1:{self.port}", *options,
                        *[word for flag in ("--database-url", "--service-token-file") for word in (flag, pairs[flag])]]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def __enter__(self):
        wait_for(lambda: self.healthcheck().returncode == 0, 15, "the service serves: " + localstack.read_bytes(self.log).decode())
        return self

    def healthcheck(self):
        return subprocess.run([*self.command, "--healthcheck"], capture_output=True, text=True)

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0, localstack.read_bytes(self.log).decode()


def test_services_show_each_other_certificates(stack, certificates):
    """What besom-suggestion says comes through for a controller with a certificate of the authority, and for no other."""
    sweep = stack.create("method: random\nmetric: {name: loss}\ncommand: ['true']\nparameters: {x: {min: 0.0, max: 1.0}}\nrun_cap: 1\n")
    request = b"\x0a\x08" + sweep.encode()
    demanding = tls_options(certificates, "--tls-client-ca-file", str(certificates / "ca.pem"))
    with Service(stack, "suggestion", *demanding) as suggestion, Service(stack, "scheduler", *demanding) as scheduler:
        peers = ("--insecure", "--suggestion-address", f"localhost:{suggestion.port}", "--scheduler-address",
                 f"localhost:{scheduler.port}", "--peer-ca-file", str(certificates / "ca.pem"))

        def asked(*options):
            with Controller(stack, *peers, *options, without=("--suggestion-address", "--scheduler-address")) as controller, \
                    grpc.insecure_channel(f"127.0.0.1:{controller.port}") as channel:
                return code_of(call, channel, stack, "/besom.v1.SweepService/GetImportance", request).name

        def certificate(name):
            return "--peer-cert-file", str(certificates / (name + ".pem")), "--peer-key-file", str(certificates / (name + ".key"))

        assert asked(*certificate("client")) == "FAILED_PRECONDITION"  # there are too few runs to say
        assert asked() == "UNAVAILABLE"
        assert asked(*certificate("expired")) == "UNAVAILABLE"
        # a certificate is no token: who has one alone may not call
        with secure(suggestion, certificates, "client") as channel:
            assert code_of(call, channel, stack, "/besom.v1.SuggestionService/Suggest", b"", with_token=False).name == "UNAUTHENTICATED"
            assert code_of(call, channel, stack, "/besom.v1.SuggestionService/Suggest").name == "UNAUTHENTICATED"
    one = ["--peer-cert-file", str(certificates / "client.pem"), "--peer-ca-file", str(certificates / "ca.pem")]
    for options in (one, [*certificate("client")]):
        refused = subprocess.run([os.path.join(BIN, "besom-controller"), *arguments_of_controller(stack)[2:], *options,
                                  "--listen", f"unix:{stack.home}/s", ], capture_output=True, text=True)
        assert refused.returncode == 2 and "--peer-cert-file" in refused.stderr


def test_a_refused_controller_is_no_fault_of_the_callers(stack, tmp_path):
    """besom-suggestion does not know the controller's token: that is told as what it is, and what an operator has to do."""
    sweep = stack.create("method: bayes\nmetric: {name: loss}\ncommand: ['true']\nparameters: {x: {min: 0.0, max: 1.0}}\n")
    (tmp_path / "other").write_text("another-token-of-the-services")
    (tmp_path / "other").chmod(0o600)
    with Controller(stack, "--insecure", "--service-token-file", str(tmp_path / "other"), without=["--service-token-file"]) as controller, \
            grpc.insecure_channel(f"127.0.0.1:{controller.port}") as channel:
        for method in ("GetImportance", "Predict", "GetRecommendation"):
            with pytest.raises(grpc.RpcError) as refused:
                call(channel, stack, "/besom.v1.SweepService/" + method, b"\x0a\x08" + sweep.encode())
            assert refused.value.code() == grpc.StatusCode.INTERNAL, method
            words = refused.value.details()
            assert "suggestion service does not accept the controller" in words and "--service-token-file" in words, words
        asked = subprocess.run([os.path.join(BIN, "besom"), "importance", "--insecure", "--address", f"127.0.0.1:{controller.port}", sweep],
                               text=True, capture_output=True, env=dict(stack.environment, BESOM_TOKEN=token(stack)))
        assert asked.returncode == 1 and "suggestion service" in asked.stderr, asked.stderr
        logged = localstack.read_bytes(controller.log).decode()
        assert "call_failed" in logged and "give besom-controller and besom-suggestion the same --service-token-file" in logged


def test_a_token_never_goes_over_plain_tcp_by_itself(stack):
    with Controller(stack, "--insecure") as controller:
        address = ("--address", f"127.0.0.1:{controller.port}")
        environment = dict(stack.environment, BESOM_TOKEN=token(stack))
        refused = subprocess.run([os.path.join(BIN, "besom"), "ls", *address], text=True, capture_output=True, env=environment)
        assert refused.returncode == 5 and "insecure" in refused.stderr
        said = subprocess.run([os.path.join(BIN, "besom"), "ls", "--insecure", *address], text=True, capture_output=True,
                              env=environment)
        assert said.returncode == 0, said.stderr
        wrong = subprocess.run([os.path.join(BIN, "besom"), "ls", "--insecure", *address], text=True, capture_output=True,
                               env=dict(environment, BESOM_TOKEN="f" * 64))
        assert wrong.returncode == 5 and len(wrong.stderr.strip().splitlines()) == 1


def test_bad_peers_do_not_stop_service(stack):
    with Controller(stack, "--insecure") as controller, grpc.insecure_channel(
            f"127.0.0.1:{controller.port}", options=[("grpc.max_send_message_length", -1)]) as channel:
        call(channel, stack)
        assert code_of(call, channel, stack, CREATE, b"\x0a" + b"\xff\xff\xff\x7f" + b"x") == grpc.StatusCode.INVALID_ARGUMENT
        assert code_of(call, channel, stack, CREATE, b"\0" * (64 << 20)) == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert code_of(call, channel, stack, "/besom.v1.SweepService/Nothing") == grpc.StatusCode.UNIMPLEMENTED
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + os.urandom(512), os.urandom(4096)):
            with socket.create_connection(("127.0.0.1", controller.port)) as peer:
                peer.sendall(garbage)
                call(channel, stack)
        silent_connections(controller, lambda: call(channel, stack))


def silent_connections(controller, serve):
    """As many as both sides may open, up to 10,000, while others are served."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(10000, hard - 500)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    quiet = []
    try:
        for _ in range(wanted):
            peer = socket.socket()
            quiet.append(peer)
            peer.connect(("127.0.0.1", controller.port))
            if len(quiet) % 1000 == 0:
                serve()
        begin = time.monotonic()
        serve()
        assert time.monotonic() - begin < 20
        with grpc.insecure_channel(f"127.0.0.1:{controller.port}", options=[("grpc.use_local_subchannel_pool", 1)]) as new:
            grpc.channel_ready_future(new).result(timeout=20)
    finally:
        for peer in quiet:
            peer.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    print(f"{len(quiet)} silent connections")
