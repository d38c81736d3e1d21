# SPDX-License-Identifier: Apache-2.0
"""One local stack for these tests, and programs that find it."""
import os
import subprocess
import sys

import pytest

from localstack import BIN, LocalStack


@pytest.fixture(scope="session")
def stack():
    with LocalStack() as running:
        running.environment.update(BESOM_BIN=BIN, PYTHONPATH=os.environ["PYTHONPATH"], PYTHONDONTWRITEBYTECODE="1")
        yield running


@pytest.fixture
def client_of(tmp_path, monkeypatch, clean):
    """Makes this process a client of a stack, in a folder of its own."""

    def become(stack):
        for name in list(os.environ):
            if name.startswith(("BESOM_", "WANDB_", "XDG_")) and name != "BESOM_TEST_RUN":
                monkeypatch.delenv(name)
        for name, value in stack.environment.items():
            if name.startswith(("BESOM_", "XDG_")):
                monkeypatch.setenv(name, value)
        monkeypatch.setenv("BESOM_BIN", BIN)
        monkeypatch.setenv("TMPDIR", stack.home)
        monkeypatch.chdir(tmp_path)
        return stack

    return become


@pytest.fixture
def here(stack, client_of):
    """This process as a client of the stack."""
    return client_of(stack)


@pytest.fixture
def program(stack, tmp_path):
    """Starts a Python program with the package and the stack."""
    started = []

    def start(text, arguments=(), **more):
        path = tmp_path / ("program%d.py" % len(started))
        path.write_text(text)
        environment = {**stack.environment, "TMPDIR": stack.home, **more}
        started.append(subprocess.Popen([sys.executable, str(path), *arguments], env=environment, cwd=str(tmp_path),
                                        text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
