# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent with a loader and libraries of its own, in systems with an older and a newer C library than it was built with."""
import os
import shutil
import subprocess

import pytest

from conftest import ROOT, bare_system, run
from localstack import LocalStack

SIZE_MAX = 25_000_000
PREFIX = "/opt/besom"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="other systems are made and entered as root")

# The run's own view: which libraries its shell has loaded, and what the agent left in its environment.
SWEEP = f"""\
method: grid
metric: {{name: loss, goal: minimize}}
parameters:
  x: {{values: [1, 2, 3]}}
command:
- sh
- -c
- 'grep -c {PREFIX} /proc/self/maps; env | grep -c -e {PREFIX}/lib -e LD_ -e BESOM_TOKEN; echo "loss=$1"'
- sh
- ${{args_no_hyphens}}
metrics_from: {{source: stdout, pattern: '(loss)=x=([0-9]+)'}}
"""


@pytest.fixture(scope="module")
def layer(packages, tmp_path_factory):
    """The folder that is copied into images, made as the Containerfile makes it."""
    folder = tmp_path_factory.mktemp("layer")
    run("dpkg-deb", "-x", packages["besom-agent"], folder / "package")
    run(os.path.join(ROOT, "deploy/container/gather"), "--private", PREFIX, folder / "package/usr/bin/besom-agent",
        folder / "out")
    shutil.copytree(folder / "package/usr/share/besom", f"{folder}/out{PREFIX}/share/besom")
    return f"{folder}/out"


def size_of(folder):
    return sum(os.lstat(os.path.join(path, name)).st_size for path, _, names in os.walk(folder) for name in names)


def test_is_small(layer):
    assert size_of(layer) <= SIZE_MAX


@needs_root
@pytest.mark.parametrize("suite", ["bullseye", "trixie"])
def test_runs_in_other_releases(layer, suite, tmp_path):
    """A whole sweep by an agent inside, its runs with the system's own libraries and nothing of the agent's."""
    system = str(tmp_path / "system")
    os.mkdir(system)
    run("tar", "xf", bare_system(suite, suite, variant="essential"), "-C", system)
    shutil.copytree(layer, system, dirs_exist_ok=True, symlinks=True)
    with LocalStack() as stack:
        sweep = stack.create(SWEEP)
        with open(os.path.join(stack.environment["BESOM_HOME"], "endpoint")) as file:
            socket = file.read().strip().removeprefix("unix:")
        with open(os.path.join(stack.environment["BESOM_HOME"], "token")) as file:
            token = file.read().strip()
        os.makedirs(f"{system}/stack")
        mount = f"mount --bind {os.path.dirname(socket)} {system}/stack && mount -t proc proc {system}/proc"
        inside = f"exec chroot {system} env -i PATH=/usr/bin:/bin HOME=/ BESOM_TOKEN={token} BESOM_ADDRESS=unix:/stack/"
        done = subprocess.run(["unshare", "--mount", "sh", "-ec", f"{mount}; {inside}{os.path.basename(socket)} "
                               f"{PREFIX}/bin/besom-agent --run-dir /runs --state-dir /state {sweep}"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
        assert done.returncode == 0, done.stdout
        runs = stack.runs(sweep)
        assert [(entry["state"], entry["objective"]) for entry in runs] == [("finished", x) for x in (1, 2, 3)], done.stdout
        for entry in runs:
            assert stack.command("logs", entry["run_id"]).stdout.split()[:2] == ["0", "0"]
