# SPDX-License-Identifier: GPL-3.0-or-later
"""What scanners that are no part of Besom say of TLS: each service on TCP, with and without client certificates.

sslyze, pinned by sslyze.txt beside this file, is installed into build/tools once. testssl.sh 3.2 or newer gives a grade as well, in
minutes for each port: BESOM_TESTSSL=/path/to/testssl.sh python3 -m pytest -s tests/e2e/test_tls.py -k testssl
"""
import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys

import pytest

from localstack import LocalStack
from test_security import Controller, Service

HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = os.path.join(os.path.dirname(os.path.dirname(HERE)), "build", "tools")
REQUIREMENTS = os.path.join(HERE, "sslyze.txt")
SERVICES = ("controller", "suggestion", "scheduler")
CIPHERS = {"TLS 1.2": {"TLS_ECDHE_{}_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_{}_WITH_AES_256_GCM_SHA384"},
           "TLS 1.3": {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}}
SIGNER = {"rsa": "RSA", "ecdsa": "ECDSA"}
EXTENSIONS = """
[any]
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid:always
[root]
subjectKeyIdentifier=hash
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
[issuer]
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
basicConstraints=critical,CA:TRUE,pathlen:0
keyUsage=critical,keyCertSign,cRLSign
[server]
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth,clientAuth
subjectAltName=DNS:localhost,IP:127.0.0.1
[client]
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=clientAuth
subjectAltName=DNS:agent.test
"""


@pytest.fixture(scope="module")
def stack():
    with LocalStack() as running:
        yield running


def install_sslyze(folder):
    """The program in a virtual environment of its own; why it cannot be there otherwise."""
    program = os.path.join(folder, "bin", "sslyze")
    mark = os.path.join(folder, "done")
    if not os.path.exists(mark):
        for command in ([sys.executable, "-m", "venv", "--clear", folder],
                        [os.path.join(folder, "bin", "pip"), "install", "-q", "--disable-pip-version-check", "-r", REQUIREMENTS]):
            done = subprocess.run(command, text=True, capture_output=True)
            if done.returncode != 0:
                pytest.skip(f"sslyze cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
        with open(mark, "w"):
            pass
    return program


@pytest.fixture(scope="module")
def sslyze():
    return os.environ.get("BESOM_SSLYZE") or install_sslyze(os.path.join(TOOLS, "sslyze"))


class Authority:
    """A root, one below it that signs, and certificates of servers and clients with the chain that they show."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "extensions").write_text(EXTENSIONS)
        self.make_key("root", "ecdsa")
        self.openssl("req", "-x509", "-new", "-key", "root.key", "-days", "365", "-subj", "/CN=besom test root", "-out", "root.pem",
                     "-config", self.path("extensions"), "-extensions", "root")
        self.sign("issuer", "ecdsa", "issuer", "root")
        for kind in SIGNER:
            self.sign(kind, kind, "server", "issuer")
        self.sign("client", "rsa", "client", "root")  # sslyze tries SSL 2 with an OpenSSL that cannot show a chain

    def path(self, name):
        return str(self.folder / name)

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def make_key(self, name, kind):
        how = ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"] if kind == "rsa" else ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        self.openssl("genpkey", "-algorithm", *how, "-out", name + ".key")
        os.chmod(self.path(name + ".key"), 0o600)

    def sign(self, name, kind, section, signer):
        self.make_key(name, kind)
        self.openssl("req", "-new", "-key", name + ".key", "-subj", f"/CN={name}", "-out", name + ".csr")
        self.openssl("x509", "-req", "-in", name + ".csr", "-CA", signer + ".pem", "-CAkey", signer + ".key", "-CAcreateserial",
                     "-days", "90", "-sha256", "-extfile", "extensions", "-extensions", section, "-out", name + ".pem")
        if signer != "root":
            (self.folder / (name + ".chain")).write_bytes((self.folder / (name + ".pem")).read_bytes()
                                                          + (self.folder / (signer + ".pem")).read_bytes())

    def options(self, kind, mutual):
        demand = ("--tls-client-ca-file", self.path("root.pem")) if mutual else ()
        return ("--tls-cert-file", self.path(kind + ".chain"), "--tls-key-file", self.path(kind + ".key"), *demand)

    def shown_by_clients(self):
        return self.path("client.pem"), self.path("client.key")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@contextlib.contextmanager
def services(stack, options):
    """Ports by name."""
    with Controller(stack, *options) as controller, Service(stack, "suggestion", *options) as suggestion, \
            Service(stack, "scheduler", *options) as scheduler:
        yield dict(zip(SERVICES, (controller.port, suggestion.port, scheduler.port)))


# ---- sslyze ----

def scan(sslyze, authority, ports, folder, *options):
    """What sslyze found by service; None where it got no connection. And whether it calls all of them compliant."""
    report = folder / "scan.json"
    report.unlink(missing_ok=True)
    done = subprocess.run([sslyze, "--json_out", str(report), "--certinfo_ca_file", authority.path("root.pem"), "--mozilla_config",
                           "intermediate", *options, *[f"localhost:{port}" for port in ports.values()]],
                          text=True, capture_output=True, timeout=300)
    read = json.loads(report.read_text())
    names = {port: name for name, port in ports.items()}
    found = {names[one["server_location"]["port"]]: one["scan_result"] for one in read["server_scan_results"]}
    assert set(found) == set(ports), done.stdout
    print(f"sslyze {read['sslyze_version']}")
    return found, done


def result_of(found, part):
    assert found[part]["status"] == "COMPLETED", (part, found[part])
    return found[part]["result"]


def names_of(suites):
    return {suite["cipher_suite"]["name"] for suite in suites}


def check_protocols(found, kind):
    for old in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"):
        assert not result_of(found, old + "_cipher_suites")["accepted_cipher_suites"], old
    for version, expected in CIPHERS.items():
        part = version.lower().replace(" ", "_").replace(".", "_") + "_cipher_suites"
        accepted = names_of(result_of(found, part)["accepted_cipher_suites"])
        assert accepted == {name.format(SIGNER[kind]) for name in expected}, version
    assert not result_of(found, "tls_compression")["supports_compression"]
    assert result_of(found, "tls_extended_master_secret")["supports_ems_extension"]


def check_attacks(found):
    again = result_of(found, "session_renegotiation")
    assert again["supports_secure_renegotiation"] and again["client_renegotiations_success_count"] == 0
    assert not again["is_vulnerable_to_client_renegotiation_dos"]
    assert not result_of(found, "heartbleed")["is_vulnerable_to_heartbleed"]
    assert not result_of(found, "openssl_ccs_injection")["is_vulnerable_to_ccs_injection"]
    assert result_of(found, "robot")["robot_result"].startswith("NOT_VULNERABLE")


def check_chain(found):
    for deployment in result_of(found, "certificate_info")["certificate_deployments"]:
        assert deployment["received_chain_has_valid_order"] and not deployment["received_chain_contains_anchor_certificate"]
        assert deployment["leaf_certificate_has_must_staple_extension"] is False
        own, = [one for one in deployment["path_validation_results"] if one["trust_store"]["name"].startswith("Supplied")]
        assert own["was_validation_successful"], own
        assert not deployment["verified_chain_has_sha1_signature"]


@pytest.mark.parametrize("mutual", [False, True], ids=["tls", "mtls"])
@pytest.mark.parametrize("kind", list(SIGNER))
def test_sslyze_finds_mozillas_intermediate_configuration(stack, sslyze, authority, tmp_path, kind, mutual):
    with services(stack, authority.options(kind, mutual)) as ports:
        shown = ()
        if mutual:
            strangers, _ = scan(sslyze, authority, ports, tmp_path)
            assert strangers == dict.fromkeys(SERVICES), "without a certificate there is nothing to scan"
            certificate, key = authority.shown_by_clients()
            shown = ("--cert", certificate, "--key", key)
        found, done = scan(sslyze, authority, ports, tmp_path, *shown)
        for name in SERVICES:
            check_protocols(found[name], kind)
            check_attacks(found[name])
            check_chain(found[name])
            assert f"localhost:{ports[name]}: OK - Compliant" in done.stdout, (name, done.stdout[-1500:])
            print(f"{name}, {kind}, {'mTLS' if mutual else 'TLS'}: compliant with Mozilla's intermediate configuration")


# ---- what is agreed on beyond TLS itself ----

SETTINGS = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"


def speak(authority, port, protocols, shown=None, most=None):
    """(TLS version, protocol, first bytes of the answer) of one connection."""
    context = ssl.create_default_context(cafile=authority.path("root.pem"))
    if protocols:
        context.set_alpn_protocols(protocols)
    if shown:
        context.load_cert_chain(*shown)
    if most:
        context.minimum_version = context.maximum_version = most
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain, context.wrap_socket(plain, server_hostname="localhost") as peer:
        assert peer.compression() is None
        version, chosen = peer.version(), peer.selected_alpn_protocol()
        peer.sendall(SETTINGS)
        return version, chosen, peer.recv(9)


@pytest.mark.parametrize("mutual", [False, True], ids=["tls", "mtls"])
def test_http2_alone_is_spoken(stack, authority, mutual):
    shown = authority.shown_by_clients() if mutual else None
    with services(stack, authority.options("ecdsa", mutual)) as ports:
        for name, port in ports.items():
            for most, version in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (None, "TLSv1.3")):
                said = speak(authority, port, ["http/1.1", "h2"], shown, most)
                assert said[:2] == (version, "h2") and said[2][3] == 4, (name, said)  # a frame of settings
            for protocols in (["http/1.1"], None):
                try:
                    said = speak(authority, port, protocols, shown)[1:]
                except OSError:
                    said = (None, b"")
                assert said == (None, b""), (name, protocols, "another protocol is agreed on, and nothing is served")


# ---- testssl.sh ----

HARMLESS = {"cert_revocation"}  # the certificates, which the test made, name no place of revocations


@pytest.mark.skipif("BESOM_TESTSSL" not in os.environ, reason="set BESOM_TESTSSL to a testssl.sh of 3.2 or newer; it takes minutes")
@pytest.mark.parametrize("kind", list(SIGNER))
def test_testssl_gives_an_a(stack, authority, tmp_path, kind):
    with services(stack, authority.options(kind, False)) as ports:
        for name, port in ports.items():
            report = tmp_path / f"{name}.json"
            done = subprocess.run([os.environ["BESOM_TESTSSL"], "--quiet", "--color", "0", "--warnings", "off", "--ip", "one", "--add-ca",
                                   authority.path("root.pem"), "--jsonfile", str(report), f"localhost:{port}"],
                                  text=True, capture_output=True, timeout=1500, stdin=subprocess.DEVNULL)
            found = {one["id"]: one for one in json.loads(report.read_text())}
            weighty = {key: (one["severity"], one["finding"]) for key, one in found.items()
                       if one["severity"] in ("MEDIUM", "HIGH", "CRITICAL") and key.split(" ")[0] not in HARMLESS}
            assert not weighty, (name, weighty)
            assert found["overall_grade"]["finding"] in ("A", "A+"), (name, done.stdout[-3000:])
            print(f"{name}, {kind}: grade {found['overall_grade']['finding']}, score {found['final_score']['finding']}")
