# SPDX-License-Identifier: Apache-2.0
"""The connection to a run's agent (docs/run-socket.md): whole lines up, answers and the stop line down.

One connection for each process: a forked child opens its own. Several threads may use it. Sending blocks when the kernel's
buffer is full and costs one system call otherwise; nothing here starts a thread.
"""

from __future__ import annotations

import json
import os
import select
import socket
import threading
import time
import weakref
from typing import Any, Dict, List, Optional

from ._say import warn_once
from ._values import encode
from .errors import Error, UnavailableError

SEND_BUFFER_BYTES = 1 << 20
_FLAGS = getattr(socket, "MSG_NOSIGNAL", 0)
_PATIENCE_S = 0.2
_getpid = os.getpid


class Connection:
    """A stream to the unix socket at `path`, opened when it is first used."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.RLock()  # recursive: a signal's handler may log while its thread is sending
        self._socket: Optional[socket.socket] = None
        self._pid = 0
        self._is_sending = False
        self._waiting: List[bytes] = []  # from handlers, for when the line before has been sent
        self._received = b""
        self._stop_reason: Optional[str] = None
        self._is_closed = False
        _connections.add(self)

    # ---- up ----

    def send(self, line: bytes) -> bool:
        """Sends `line`, which ends in a line break. False, with a warning once, when nobody takes it."""
        with self._lock:
            if self._is_sending:
                self._waiting.append(line)
                return True
            self._is_sending = True
            try:
                sent = self._write(line)
                while self._waiting:
                    self._write(self._waiting.pop(0))
                return sent
            finally:
                self._is_sending = False

    def _write(self, line: bytes) -> bool:
        for may_retry in (True, False):
            try:
                connected = self._connected()
                count = connected.send(line, _FLAGS)
                while count < len(line):
                    count += connected.send(memoryview(line)[count:], _FLAGS)
                return True
            except OSError as error:
                self._drop()
                if not may_retry or self._is_closed:
                    warn_once(("send", self.path), f"the run's agent takes nothing more, what is logged is lost: {error}")
            except BaseException:  # of a signal's handler, maybe in the middle of a line: the next is not joined to it
                self._drop()
                raise
        return False

    def _connected(self) -> socket.socket:
        connected = self._socket
        return connected if connected is not None and self._pid == _getpid() else self._open()

    def _open(self) -> socket.socket:
        self._drop()
        if self._is_closed:
            raise OSError("the connection was closed")
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            opened.connect(self.path)
        except BaseException:
            opened.close()
            raise
        self._socket, self._pid = opened, _getpid()
        return opened

    def _drop(self) -> None:
        self._close_socket()
        self._received = b""

    def _close_socket(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    # ---- down ----

    def ask(self, what: str, timeout_s: float = 30.0) -> Any:
        """The answer to `{"ask": what}`. Error when the agent refuses, UnavailableError when nothing comes in time."""
        with self._lock:
            if self._is_sending:
                raise UnavailableError("the run's agent cannot be asked while a line is being sent to it")
            try:
                answer = self._ask_once(what, timeout_s)
                if "error" in answer:  # maybe about a line before: a new connection tells
                    self._drop()
                    answer = self._ask_once(what, timeout_s)
            except OSError as error:
                self._drop()
                if isinstance(error, UnavailableError):
                    raise
                raise UnavailableError(f"the run's agent cannot be reached at {self.path}: {error}") from error
        if what not in answer:
            raise Error(f"the run's agent has no '{what}': {answer['error']}")
        return answer[what]

    def _ask_once(self, what: str, timeout_s: float) -> Dict[str, Any]:
        deadline = time.monotonic() + timeout_s
        self._connected().sendall(encode({"ask": what}).encode() + b"\n")
        while True:
            answer = self._take_line()
            if answer is not None and (what in answer or "error" in answer):
                return answer
            if answer is None and not self._receive(deadline - time.monotonic()):
                raise UnavailableError(f"the run's agent did not answer within {timeout_s:g} s")

    def stop_reason(self) -> Optional[str]:
        """Why the run is to stop; None as long as nobody said so. Waits at most for a moment, when another thread sends."""
        if self._stop_reason is None and self._lock.acquire(timeout=_PATIENCE_S):
            try:
                if not self._is_closed:
                    self._connected()
                    while self._receive(0):
                        pass
            except OSError:
                pass
            finally:
                while self._take_line() is not None:
                    pass
                self._lock.release()
        return self._stop_reason

    def _receive(self, wait_s: float) -> bool:
        """Reads what is there. False when nothing came in time; an OSError at the end of the stream."""
        connected = self._connected()
        if wait_s > 0:
            poller = select.poll()
            poller.register(connected, select.POLLIN)
            poller.poll(wait_s * 1000)
        try:
            chunk = connected.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        if not chunk:
            self._close_socket()  # what came before is still to be read
            raise OSError("it has closed the connection")
        self._received += chunk
        return True

    def _take_line(self) -> Optional[Dict[str, Any]]:
        """The next whole line that was received; keeps the reason of a stop."""
        while b"\n" in self._received:
            line, _, self._received = self._received.partition(b"\n")
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if isinstance(message, dict):
                if "stop" in message and self._stop_reason is None:
                    self._stop_reason = str(message["stop"])
                return message
        return None

    def close(self) -> None:
        """Ends the connection: an open row is written by the agent. Idempotent."""
        with self._lock:
            self._is_closed = True
            self._drop()

    def _after_fork(self) -> None:
        """In the child: another thread of the parent may have held the lock."""
        self._lock = threading.RLock()
        self._is_sending = False
        self._waiting = []
        self._drop()


_connections: weakref.WeakSet[Connection] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for connection in list(_connections):
        connection._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
