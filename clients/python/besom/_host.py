# SPDX-License-Identifier: Apache-2.0
"""The process that does the work of runs whose command is a relay (_relay.py): its side of the relay's socket."""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from types import TracebackType
from typing import Any, Callable, Dict, List, Optional, Type

from . import _relay
from ._values import encode
from .errors import UnavailableError

_SOCKET_PATH_MAX = 100
_HELLO_WITHIN_S = 10.0


class Link:
    """One relay: the environment of its run, and how that run ends."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = b""
        self._is_closed = False
        self._thread: Optional[threading.Thread] = None
        self._sending = threading.RLock()  # recursive: a signal's handler may print while its thread does
        self.told_to_stop = threading.Event()
        self.environment = self._read_environment()
        _links.add(self)

    def _read_environment(self) -> Dict[str, str]:
        deadline = time.monotonic() + _HELLO_WITHIN_S
        self._connection.settimeout(_HELLO_WITHIN_S)
        while b"\n" not in self._received and time.monotonic() < deadline:
            chunk = self._connection.recv(65536)
            if not chunk:
                raise UnavailableError("the run ended before it began")
            self._received += chunk
        self._connection.settimeout(None)
        line, _, self._received = self._received.partition(b"\n")
        return {str(name): str(value) for name, value in json.loads(line)["environment"].items()}

    def watch(self, on_stop: Callable[[bool], None]) -> None:
        """Calls `on_stop(False)` in a thread when the run is to stop, `on_stop(True)` when its relay was killed."""
        self._thread = threading.Thread(target=self._listen, args=(on_stop,), name="besom-relay", daemon=True)
        self._thread.start()

    def _listen(self, on_stop: Callable[[bool], None]) -> None:
        while True:
            try:
                chunk = self._connection.recv(4096)
            except (OSError, ValueError):
                return
            if self._is_closed:
                return
            self.told_to_stop.set()
            on_stop(not chunk)
            if not chunk:
                return

    def show(self, stream: str, text: str) -> None:
        """`text` is the run's output ("out") or error output ("err"). Waits while the agent takes none."""
        if not self._is_closed:
            self._send({stream: text})

    def end(self, code: int, text: str = "") -> None:
        """Ends the run. Idempotent; nothing when its relay is gone."""
        self._is_closed = True  # the relay's end is no news from here on
        self._send({"exit": code, "text": text})
        self.close()

    def _send(self, message: Dict[str, Any]) -> None:
        """A line, with a break before it too: an exception may have cut the last one off."""
        with self._sending:
            try:
                self._connection.sendall(("\n" + encode(message) + "\n").encode())
            except (OSError, ValueError):
                pass

    def close(self) -> None:
        """Without a word before it, the run has failed."""
        self._is_closed = True
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._connection.close()

    def _after_fork(self) -> None:
        self._sending = threading.RLock()
        self._connection.close()  # the run's end is this process's parent's


class Host:
    """A socket in a private folder, to which relays come. A context manager that removes it.

    Other files of the folder are named in _relay.FILES: the relay of a process that was killed removes them.
    """

    def __init__(self) -> None:
        folder = tempfile.mkdtemp(prefix="besom-")
        if len(folder) > _SOCKET_PATH_MAX - len("/relay"):
            os.rmdir(folder)
            folder = tempfile.mkdtemp(prefix="besom-", dir="/tmp")
        self.folder = folder
        self.path = os.path.join(folder, _relay.FILES[0])
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen(4)
        self._pid = os.getpid()

    def relay_command(self) -> List[str]:
        """The command of the runs."""
        return _script_command([self.path])

    def accept(self, wait_s: float) -> Optional[Link]:
        """The next relay, None when none came in time."""
        poller = select.poll()
        poller.register(self._listener, select.POLLIN)
        if not poller.poll(wait_s * 1000):
            return None
        connection, _ = self._listener.accept()
        try:
            return Link(connection)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            connection.close()
            return None

    def close(self) -> None:
        self._listener.close()
        if self._pid == os.getpid():
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Host:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()


def _script_command(arguments: List[str]) -> List[str]:
    python = sys.executable or shutil.which("python3") or "python3"
    script = os.path.abspath(_relay.__file__)
    if os.path.isfile(script):
        return [python, "-I", "-S", script, *arguments]
    return [python, "-m", "besom._relay", *arguments]


class Keeper:
    """An agent that does not outlive this process (_relay.py's --keep): when this one dies it takes no more runs and leaves.

    In a session of its own, so that the terminal's Ctrl-C reaches this process alone.
    """

    def __init__(self, command: List[str], environment: Dict[str, str]) -> None:
        pipe, self._pipe = os.pipe()
        try:
            self._process = subprocess.Popen(_script_command(["--keep", str(pipe), "--", *command]), env=environment,
                                             stdin=subprocess.DEVNULL, pass_fds=[pipe], start_new_session=True)
        except BaseException:
            os.close(self._pipe)
            raise
        finally:
            os.close(pipe)
        _keepers.add(self)

    def exit_code(self) -> Optional[int]:
        """None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float) -> bool:
        """True once it has ended."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def signal(self, letter: bytes) -> None:
        """A key of _relay.SIGNALS."""
        try:
            os.write(self._pipe, letter)
        except OSError:
            pass  # it has ended

    def close(self) -> None:
        """It is to leave if it still runs, and is not waited for."""
        if self._pipe >= 0:
            os.close(self._pipe)
        self._pipe = -1

    def _after_fork(self) -> None:
        self.close()


def agent_environment() -> Dict[str, str]:
    """For an agent of one slot; nothing of the run that this process may be."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BESOM_RUN_")}
    return {**kept, "BESOM_AGENT_SLOTS": "1"}


class Environment:
    """A run's environment variables in this process, instead of those of another run, until they are put back."""

    def __init__(self, variables: Dict[str, str]) -> None:
        others = [name for name in os.environ if name.startswith("BESOM_RUN_") and name not in variables]
        self._saved = {name: os.environ.get(name) for name in [*variables, *others]}
        os.environ.update(variables)
        for name in others:
            del os.environ[name]

    def restore(self) -> None:
        for name, value in self._saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


_links: weakref.WeakSet[Link] = weakref.WeakSet()
_keepers: weakref.WeakSet[Keeper] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for link in list(_links):
        link._after_fork()
    for keeper in list(_keepers):
        keeper._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
