# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of deployment share: packages built from this tree, and a bare Debian system to install them in."""
import glob
import os
import subprocess
import time

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.path.join(ROOT, "build", "cache")
CACHE_AGE_S = 7 * 24 * 3600


def run(*command, **options):
    """Runs to the end; what it printed is in the failure."""
    options.setdefault("timeout", 900)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout[-4000:]}"
    return done.stdout


@pytest.fixture(scope="session")
def packages():
    """Name of a package → its file; built from this tree."""
    folder = os.environ.get("BESOM_PACKAGES")
    if folder is None:
        folder = os.path.join(ROOT, "build", "package")
        run("cmake", "--preset", "package", cwd=ROOT)
        run("cmake", "--build", "--preset", "package", cwd=ROOT)
        for old in glob.glob(os.path.join(folder, "*.deb")):
            os.remove(old)
        run("cpack", "-G", "DEB", cwd=folder)
    found = {os.path.basename(path).split("_")[0]: path for path in glob.glob(os.path.join(folder, "*.deb"))}
    assert set(found) == {"besom-server", "besom-agent", "besom", "libbesom", "libbesom-dev"}
    return found


def sources():
    """Where this machine has the distribution's own packages from, for another system."""
    for path in ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list.d/ubuntu.sources", "/etc/apt/sources.list"):
        if os.path.exists(path):
            with open(path) as file:
                return file.read()
    raise AssertionError("no list of package sources")


def release():
    with open("/etc/os-release") as file:
        return dict(line.strip().split("=", 1) for line in file if "=" in line)["VERSION_CODENAME"].strip('"')


def bare_system(name, suite, include=(), variant="minbase"):
    """A tar of a minimal Debian system, kept for a week."""
    os.makedirs(CACHE, exist_ok=True)
    path = os.path.join(CACHE, f"{name}.tar")
    if not os.path.exists(path) or time.time() - os.path.getmtime(path) > CACHE_AGE_S:
        fresh = os.path.join(CACHE, f"{name}.new.tar")
        listed = os.path.join(CACHE, f"{name}.sources")
        with open(listed, "w") as file:
            file.write(sources().replace(release(), suite))
        arguments = [f"--include={','.join(include)}"] if include else []
        if os.path.exists(fresh):
            os.remove(fresh)
        run("mmdebstrap", "--quiet", f"--variant={variant}", *arguments, suite, fresh, listed)
        os.rename(fresh, path)
    return path


@pytest.fixture(scope="session")
def systemd_system():
    """A tar of a system that boots, with PostgreSQL."""
    return bare_system("systemd", release(),
                       ("systemd", "systemd-sysv", "dbus", "iproute2", "libnss-systemd", "postgresql", "ca-certificates"))
