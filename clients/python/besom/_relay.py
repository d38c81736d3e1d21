# SPDX-License-Identifier: Apache-2.0
"""The command of a run whose work another process does: it stands in for that process under the agent's shim.

    python _relay.py SOCKET                  connects to the process, hands it the run's environment, ends as it says
    python _relay.py --tied PID -- COMMAND   becomes COMMAND, which gets SIGTERM when process PID, its parent, dies

Lines of JSON on SOCKET. Up: {"environment": {...}}, then {"stop": true} for each SIGTERM. Down: {"exit": 0, "text": "..."};
the text goes to standard error, the number is the exit code. A program of its own, started without site packages: it
imports nothing of the package.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from typing import Any, Dict, List, Optional

PREFIXES = ("BESOM_", "WANDB_", "CUDA_VISIBLE_DEVICES")
_PR_SET_PDEATHSIG = 1


def _environment() -> Dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(PREFIXES)}


def _ask_for_another_attempt() -> None:
    """Nothing was done yet: the run goes back to the queue instead of failing."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as run_socket:
            run_socket.connect(os.environ["BESOM_RUN_SOCKET"])
            run_socket.sendall(b'{"preempting":true}\n')
    except (KeyError, OSError):
        pass


def _read_end(connection: socket.socket) -> Optional[Dict[str, Any]]:
    """What the process says last; None when it is gone without a word."""
    received = b""
    while b"\n" not in received:
        try:
            chunk = connection.recv(65536)
        except OSError:
            return None
        if not chunk:
            return None
        received += chunk
    message = json.loads(received)
    return message if isinstance(message, dict) else None


def relay(path: str) -> int:
    """Stands in for the process that listens at `path`; returns the exit code."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(path)
    except OSError as error:
        _ask_for_another_attempt()
        print(f"besom: the program that takes this run is gone: {error}", file=sys.stderr)
        return 1

    def on_term(_number: int, _frame: Any) -> None:
        try:
            connection.sendall(b'{"stop":true}\n')
        except OSError:
            pass

    signal.signal(signal.SIGTERM, on_term)
    connection.sendall(json.dumps({"environment": _environment()}).encode() + b"\n")
    end = _read_end(connection)
    if end is None:
        print("besom: the program of this run ended without a word (it was killed, or called os._exit)", file=sys.stderr)
        return 1
    if end.get("text"):
        print(end["text"], file=sys.stderr)
    return int(end["exit"]) & 0xFF


def become(parent: int, command: List[str]) -> int:
    """Replaces this process by `command`, tied to the life of the process `parent`."""
    try:
        import ctypes
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass  # no Linux: the agent outlives a killed parent until its next run ends
    if os.getppid() != parent:
        return 1
    os.execv(command[0], command)


def main(arguments: List[str]) -> int:
    if len(arguments) > 3 and arguments[0] == "--tied" and arguments[2] == "--":
        return become(int(arguments[1]), arguments[3:])
    if len(arguments) == 1:
        return relay(arguments[0])
    print("usage: _relay.py SOCKET | _relay.py --tied PID -- COMMAND...", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
