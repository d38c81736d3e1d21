# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages and systemd units: shut in by their own account, installed on a bare system, booted, and broken."""
import json
import os
import re
import shutil
import subprocess

import pytest

from conftest import ROOT, run

HERE = os.path.dirname(os.path.abspath(__file__))
UNITS = os.path.join(ROOT, "deploy", "systemd")
SERVICES = ("controller", "suggestion", "scheduler")
SWEEP = """\
method: grid
metric: {name: loss, goal: minimize}
parameters:
  x: {values: [1, 2, 3, 4, 5, 6]}
command: [sh, -c, 'for i in 1 2 3 4; do echo "loss=$i"; sleep 0.5; done', sh, '${args}']
metrics_from: stdout
"""
CHECK_UNIT = """\
[Unit]
After=multi-user.target
[Service]
ExecStart=/opt/check/boot_check.sh
"""
TLS_DROP_IN = """\
[Service]
LoadCredential=tls.crt:/etc/besom/tls/tls.crt
LoadCredential=tls.key:/etc/besom/tls/tls.key
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a system is made and booted as root")


@pytest.mark.parametrize("unit", [f"besom-{name}.service" for name in (*SERVICES, "migrate", "agent@")])
def test_unit_is_shut_in(unit):
    text = run("systemd-analyze", "security", "--offline=yes", "--no-pager", os.path.join(UNITS, unit))
    score = float(re.search(r"Overall exposure level for .*: ([0-9.]+)", text).group(1))
    assert score <= 3, text


def test_units_are_valid(packages, tmp_path):
    """systemd-analyze only warns of a key that it does not know, so what it prints counts."""
    for name in ("besom-server", "besom-agent"):
        run("dpkg-deb", "-x", packages[name], tmp_path)
    names = [f"besom-{name}.service" for name in (*SERVICES, "migrate", "agent@")] + ["besom.target"]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", f"--root={tmp_path}", *names], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    ours = [line for line in done.stdout.splitlines() if "besom" in line and "not found" not in line]
    assert not ours, done.stdout


def test_packages_hold_no_secret(packages, tmp_path):
    for path in packages.values():
        run("dpkg-deb", "-x", path, tmp_path)
    held = [os.path.join(folder, name) for folder, _, names in os.walk(tmp_path) for name in names]
    assert not [path for path in held if "token" in os.path.basename(path) and not path.endswith(".h")]
    assert os.stat(tmp_path / "etc/besom/besom.env").st_mode & 0o077 == 0


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


def install(system, packages):
    """As docs/systemd.md says, on a system that has nothing of ours."""
    os.mkdir(os.path.join(system, "opt/check"))
    for name in ("besom-agent", "besom-server", "besom"):
        shutil.copy(packages[name], os.path.join(system, "opt/check"))
    shutil.copy("/etc/resolv.conf", os.path.join(system, "etc/resolv.conf"))
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C.UTF-8")
    inside = ["chroot", system, "sh", "-ec"]
    run(*inside, "apt-get update -q", env=environment)
    run(*inside, "apt-get install -y -q --no-install-recommends /opt/check/besom-agent_*.deb", env=environment)
    run(*inside, "besom-agent --version", env=environment)
    run(*inside, "apt-get install -y -q --no-install-recommends /opt/check/besom*.deb", env=environment)


def prepare(system):
    """TCP with TLS by credentials, the sweep, and what checks from inside."""
    etc = os.path.join(system, "etc")
    os.makedirs(f"{etc}/besom/tls")
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
        "subjectAltName=DNS:localhost", "-keyout", f"{etc}/besom/tls/tls.key", "-out", f"{etc}/besom/tls/tls.crt")
    os.chmod(f"{etc}/besom/tls/tls.key", 0o600)
    write(f"{etc}/systemd/system/besom-controller.service.d/tls.conf", TLS_DROP_IN)
    with open(f"{etc}/besom/controller.conf") as file:
        settings = file.read()
    settings = settings.replace("#listen = 0.0.0.0:7070", "listen = localhost:7070").replace("#tls-", "tls-")
    write(f"{etc}/besom/controller.conf", settings)
    write(f"{etc}/systemd/system/check.service", CHECK_UNIT)
    wants = f"{etc}/systemd/system/multi-user.target.wants"
    os.makedirs(wants, exist_ok=True)
    os.symlink("../check.service", f"{wants}/check.service")
    write(os.path.join(system, "opt/check/sweep.yaml"), SWEEP)
    shutil.copy(os.path.join(HERE, "boot_check.sh"), os.path.join(system, "opt/check"))


def boot(system):
    """Until it powers off by itself."""
    run("systemd-nspawn", "-q", "--register=no", "--keep-unit", "--private-network", "-b", "-D", system,
        stdin=subprocess.DEVNULL, timeout=300, env=dict(os.environ, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY="1"))
    with open(os.path.join(system, "opt/check/report")) as file:
        return dict(line.rstrip("\n").split("=", 1) for line in file)


@needs_root
def test_boots_and_heals(packages, systemd_system, tmp_path):
    """Installed, booted, each service killed, an agent killed in the middle of its runs, purged."""
    system = str(tmp_path / "system")
    os.mkdir(system)
    run("tar", "xf", systemd_system, "-C", system)
    install(system, packages)
    prepare(system)
    report = boot(system)
    with open(os.path.join(system, "opt/check/report.err")) as file:
        trace = file.read()[-3000:]
    assert report.get("done") == "yes", (report, trace)
    for name in SERVICES:
        assert report[f"active_{name}"] == "active", trace
        assert report[f"user_{name}"] == "besom"
        assert int(report[f"restarts_{name}"]) >= 1
    assert report["socket"] == "served"
    with open(os.path.join(system, "opt/check/runs.json")) as file:
        runs = json.load(file)
    runs = runs["runs"] if isinstance(runs, dict) else runs
    assert sorted(entry["params"]["x"] for entry in runs) == [1, 2, 3, 4, 5, 6]
    assert {entry["state"] for entry in runs} == {"finished"}
    assert {entry["attempt"] for entry in runs} == {1}, "the agent that came back lost the runs of the one that was killed"
    assert int(report["agent_restarts"]) >= 1
    assert report["agent_left"] == "success"
    assert report["failed_units"] == ""
    assert "token" not in report["after_purge"]
    with open(os.path.join(system, "opt/check/journal")) as file:
        journal = file.read()
    with open(os.path.join(system, "etc/besom/agent.env")) as file:
        token = re.search(r"BESOM_TOKEN=(\S+)", file.read()).group(1)
    assert token not in journal
