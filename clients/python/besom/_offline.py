# SPDX-License-Identifier: Apache-2.0
"""Where a run's lines go when no agent has it: a file, or nowhere."""

from __future__ import annotations

import os
import threading
import time
from typing import Any, Dict, Optional

from ._say import warn_once
from ._values import encode

FOLDER = "besom-offline"


class Nothing:
    """Takes all and keeps none."""

    def send(self, line: bytes) -> bool:
        return True

    def ask(self, what: str, timeout_s: float = 0) -> Any:
        return None

    def stop_reason(self) -> Optional[str]:
        return None

    def close(self) -> None:
        pass


class OfflineFile(Nothing):
    """The lines of the run socket, appended to FOLDER/RUNID.jsonl, after a first line that says what the run is.

    Each line is one write, so that several processes may share the file and a kill loses nothing.
    """

    def __init__(self, parent: str, run_id: str, about: Dict[str, Any]) -> None:
        folder = os.path.join(parent, FOLDER)
        os.makedirs(folder, exist_ok=True)
        self.path = os.path.join(folder, run_id + ".jsonl")
        self._lock = threading.RLock()
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        if os.fstat(self._file).st_size == 0:
            self._begin(run_id, about)

    def _begin(self, run_id: str, about: Dict[str, Any]) -> None:
        self.send((encode({"run": {"run_id": run_id, "created_us": time.time_ns() // 1000, **about}}) + "\n").encode())

    def send(self, line: bytes) -> bool:
        try:
            if self._file >= 0:
                os.write(self._file, line)
                return True
        except OSError as error:
            warn_once(("offline", self.path), f"cannot write {self.path}, what is logged is lost: {error}")
        return False

    def close(self) -> None:
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
            self._file = -1
