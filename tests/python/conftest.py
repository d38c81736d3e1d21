# SPDX-License-Identifier: Apache-2.0
"""The package as it lies in the tree, and a stand-in for the agent's side of a run socket."""
import json
import os
import socket
import sys
import threading

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PACKAGE = os.path.join(ROOT, "clients", "python")
sys.dont_write_bytecode = True
sys.path.insert(0, PACKAGE)
os.environ["PYTHONPATH"] = PACKAGE
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


class Shim:
    """Listens at a run's socket, keeps every line, and answers questions from `answers`."""

    def __init__(self, folder):
        self.path = os.path.join(str(folder), "run.sock")
        self.answers = {"config": {}, "step": 0}
        self.messages = []  # parsed, in the order in which they came
        self.connections = []
        self._changed = threading.Condition()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        received = b""
        while True:
            try:
                chunk = connection.recv(65536)
            except OSError:
                return
            *lines, received = (received + chunk).split(b"\n")
            for line in lines:
                try:
                    self._take(connection, line)
                except OSError:  # who asked did not wait for the answer
                    return
            if not chunk:
                return

    def _take(self, connection, line):
        message = json.loads(line)
        what = message.get("ask")
        if what in self.answers:
            connection.sendall(json.dumps({what: self.answers[what]}).encode() + b"\n")
        elif what is not None or "bad" in message.get("log", {}):
            connection.sendall(b'{"error":"not this"}\n')
        if what is None:
            with self._changed:
                self.messages.append(message)
                self._changed.notify_all()

    def wait_for(self, count, seconds=20):
        """The first `count` messages that were no questions."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.messages) >= count, seconds), self.messages
            return self.messages[:count]

    def of(self, key):
        """The values of the messages of one kind."""
        return [message[key] for message in self.messages if key in message]

    def tell(self, message):
        """Says something on every connection."""
        for connection in self.connections:
            try:
                connection.sendall(json.dumps(message).encode() + b"\n")
            except OSError:
                pass

    def hang_up(self):
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()
        self.connections.clear()

    def close(self):
        self._listener.close()
        self.hang_up()


@pytest.fixture
def clean(monkeypatch):
    """No run in the environment, and none in the process when the test begins and ends."""
    import besom._run
    for name in list(os.environ):
        if name.startswith(("BESOM_RUN", "BESOM_SWEEP", "BESOM_PARAMS", "BESOM_ATTEMPT", "BESOM_PROJECT", "BESOM_MODE",
                            "WANDB_")):
            monkeypatch.delenv(name)
    besom._run.set_current(None)
    yield
    run = besom._run.current()
    if run is not None:
        run.finish()


@pytest.fixture
def shim(tmp_path, monkeypatch, clean):
    """An agent's run in this process's environment."""
    stand_in = Shim(tmp_path)
    monkeypatch.setenv("BESOM_RUN_SOCKET", stand_in.path)
    monkeypatch.setenv("BESOM_RUN_ID", "run00001")
    monkeypatch.setenv("BESOM_SWEEP_ID", "sweep001")
    monkeypatch.setenv("BESOM_PROJECT", "digits")
    monkeypatch.setenv("BESOM_ATTEMPT", "1")
    yield stand_in
    stand_in.close()
