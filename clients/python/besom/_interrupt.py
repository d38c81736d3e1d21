# SPDX-License-Identifier: Apache-2.0
"""Raising RunStopped in the thread that works on a run, from another thread.

In the main thread a signal that nothing else uses (SIGURG) also ends waits such as time.sleep(); another thread sees the
exception when it next runs Python.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Optional, Type

from .errors import RunStopped


class Interrupter:
    """Belongs to the thread that makes it. A context manager that puts the signal's handler back."""

    def __init__(self) -> None:
        self._thread_id = threading.get_ident()
        self._is_main = threading.current_thread() is threading.main_thread()
        self._lock = threading.Lock()
        self._is_active = False
        self._reason: Optional[str] = None
        self._old_handler: Any = None

    def __enter__(self) -> Interrupter:
        if self._is_main:
            self._old_handler = signal.signal(signal.SIGURG, self._on_signal)
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.end()
        if self._is_main:
            signal.signal(signal.SIGURG, self._old_handler if self._old_handler is not None else signal.SIG_DFL)

    def begin(self) -> None:
        """From here to `end()` the thread may be interrupted."""
        self._reason = None
        self._is_active = True

    def end(self) -> None:
        with self._lock:
            self._is_active = False
            self._reason = None
            if not self._is_main:
                _set_exception(self._thread_id, None)

    @property
    def is_active(self) -> bool:
        return self._is_active

    def interrupt(self, reason: str) -> None:
        """Called in another thread. Nothing when the work has ended."""
        with self._lock:
            if not self._is_active:
                return
            self._reason = reason
            if self._is_main:
                signal.pthread_kill(self._thread_id, signal.SIGURG)
            else:
                _set_exception(self._thread_id, RunStopped)

    def _on_signal(self, number: int, frame: Optional[FrameType]) -> None:
        reason = self._reason
        if self._is_active and reason is not None:
            self._reason = None
            raise RunStopped(reason)


def _set_exception(thread_id: int, kind: Optional[Type[BaseException]]) -> None:
    import ctypes
    exception = ctypes.py_object(kind) if kind is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), exception)
