# SPDX-License-Identifier: Apache-2.0
"""What this process writes to `sys.stdout` and `sys.stderr`, for the run that it works on.

The streams' `write` is wrapped, so that what they write to stays as it is and who holds them is heard too. What goes past them
is not: the output of other programs, of C libraries, and of forked processes.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any, Callable, Optional

WAITING_MAX = 4096  # characters without a line's end
PIECE_MAX = 1 << 16

Show = Callable[[str, str], None]  # takes "out" or "err", and the text


class _Tap:
    """One stream."""

    def __init__(self, stream: Any, name: str, show: Show) -> None:
        self._stream = stream
        self._name = name
        self._show: Optional[Show] = show
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._waiting = ""
        try:
            self._was_own = "write" in vars(stream)
            self._write = stream.write
            stream.write = self._take
        except (AttributeError, TypeError):  # None, or one that lets nobody do that
            self._show = None

    def _take(self, text: Any) -> Any:
        result = self._write(text)
        if self._show is not None and isinstance(text, str) and os.getpid() == self._pid:
            with self._lock:
                self._waiting += text
                end = max(text.rfind("\n"), text.rfind("\r"))
                if end >= 0:
                    self._pass_on(len(self._waiting) - len(text) + end + 1)
                elif len(self._waiting) > WAITING_MAX:
                    self._pass_on(len(self._waiting))
        return result

    def _pass_on(self, count: int) -> None:
        text, self._waiting = self._waiting[:count], self._waiting[count:]
        for start in range(0, len(text), PIECE_MAX):
            if self._show is not None:
                self._show(self._name, text[start:start + PIECE_MAX])

    def close(self) -> None:
        if self._show is None:
            return
        with self._lock:
            self._pass_on(len(self._waiting))
            self._show = None
        try:
            if vars(self._stream).get("write") == self._take:  # else somebody has wrapped it since, who calls this one
                if self._was_own:
                    self._stream.write = self._write
                else:
                    del self._stream.write
        except (AttributeError, TypeError):
            pass


class Console:
    """Calls `show` with what is written, by lines, until `close()`; not with BESOM_CONSOLE=off (WANDB_CONSOLE counts too)."""

    def __init__(self, show: Show) -> None:
        is_off = (os.environ.get("BESOM_CONSOLE") or os.environ.get("WANDB_CONSOLE")) == "off"
        streams = () if is_off else ((sys.stdout, "out"), (sys.stderr, "err"))
        self._taps = [_Tap(stream, name, show) for stream, name in streams]

    def close(self) -> None:
        """The rest, too. Idempotent."""
        for tap in reversed(self._taps):  # the two may be one stream
            tap.close()
