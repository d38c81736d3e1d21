# SPDX-License-Identifier: Apache-2.0
"""The command of a run whose work another process does: it stands in for that process under the agent's shim.

    python _relay.py SOCKET                 connects to the process, hands it the run's environment, ends as it says
    python _relay.py --keep FD -- COMMAND   runs COMMAND, an agent, as long as the pipe FD lasts; its bytes are signals

Lines of JSON on SOCKET. Up: {"environment": {...}}, then {"stop": true} for each SIGTERM. Down: {"out": "..."} and
{"err": "..."}, what the process prints, then {"exit": 0, "text": "..."}; the text goes to standard error, the number is the exit
code. A program of its own, started without site packages: it imports nothing of the package.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from typing import Any, Dict, List, Optional

PREFIXES = ("BESOM_", "WANDB_", "CUDA_VISIBLE_DEVICES")
FILES = ("relay", "params.json", "agent.log")  # what lies in the socket's folder
LEAVE_WITHIN_S = 10.0
SIGNALS = {b"i": signal.SIGINT, b"t": signal.SIGTERM, b"k": signal.SIGKILL}


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
    while True:
        try:
            chunk = connection.recv(65536)
        except OSError:
            return None
        if not chunk:
            return None
        *lines, received = (received + chunk).split(b"\n")
        messages = [_message(line) for line in lines]
        for descriptor, name in ((1, "out"), (2, "err")):
            _show(descriptor, "".join(str(message.get(name, "")) for message in messages))
        for message in messages:
            if "exit" in message:
                return message


def _message(line: bytes) -> Dict[str, Any]:
    """Empty for what is none: a line that the process was interrupted in."""
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def _show(descriptor: int, text: str) -> None:
    rest = text.encode("utf-8", "replace")
    try:
        while rest:
            rest = rest[os.write(descriptor, rest):]
    except OSError:
        pass


def _remove_folder(path: str) -> None:
    """The socket's folder, of a process that can no longer do it."""
    folder = os.path.dirname(path)
    for name in FILES:
        try:
            os.unlink(os.path.join(folder, name))
        except OSError:
            pass
    try:
        os.rmdir(folder)
    except OSError:
        pass


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
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the exit code is known: no signal changes it while Python ends
    if end is None:
        _remove_folder(path)
        print("besom: the program of this run ended without a word (it was killed, or called os._exit)", file=sys.stderr)
        return 1
    if end.get("text"):
        print(end["text"], file=sys.stderr)
    return int(end["exit"]) & 0xFF


def _pass_signals_on(pipe: int, pid: int) -> None:
    """When the pipe ends the process is gone. Its run fails by itself then (`relay`), so the agent is asked to take no other
    one, and told to end when that is not enough: SIGTERM at once would send the run back to the queue, to the next process
    that it kills.
    """
    was_interrupted = False
    letter = os.read(pipe, 1)
    while letter:
        was_interrupted = was_interrupted or letter == b"i"
        os.kill(pid, SIGNALS.get(letter, signal.SIGTERM))
        letter = os.read(pipe, 1)
    if not was_interrupted:  # a second SIGINT would mean more
        os.kill(pid, signal.SIGINT)
        time.sleep(LEAVE_WITHIN_S)
    os.kill(pid, signal.SIGTERM)


def keep(pipe: int, command: List[str]) -> int:
    """Runs `command` as long as a process holds the other end of `pipe`; returns its exit code."""
    pid = os.fork()
    if pid == 0:
        try:
            os.close(pipe)
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where the program is a shell's background job
            os.execv(command[0], command)
        finally:
            os._exit(127)
    threading.Thread(target=_pass_signals_on, args=(pipe, pid), daemon=True).start()
    _, status = os.waitpid(pid, 0)
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def main(arguments: List[str]) -> int:
    if len(arguments) > 3 and arguments[0] == "--keep" and arguments[2] == "--":
        return keep(int(arguments[1]), arguments[3:])
    if len(arguments) == 1:
        return relay(arguments[0])
    print("usage: _relay.py SOCKET | _relay.py --keep FD -- COMMAND...", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
