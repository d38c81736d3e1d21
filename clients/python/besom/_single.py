# SPDX-License-Identifier: Apache-2.0
"""A run of its own for a program that no agent started: an agent in the background, whose only run is this process.

The agent gets the run's parameters, starts a relay (_relay.py) as the command, and reports the end that the relay is told.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from typing import Any, Callable, Dict, List, Optional

from ._command import controller_is_known, find, last_line
from ._console import Console
from ._host import Environment, Host, Link, agent_environment
from ._run import Run, exit_code_of
from ._say import say
from ._values import encode
from .errors import UnavailableError

START_WITHIN_S = 15.0
REPORT_WITHIN_S = 20.0
TAKE_UP_TIMES = 5


class ExitWatch:
    """Sees how the process is going to end: sys.exit's code, or the exception that nobody caught."""

    def __init__(self, before_traceback: Callable[[], None]) -> None:
        self._before_traceback = before_traceback
        self.code = 0
        self.text = ""
        self._hook: Callable[..., Any] = sys.excepthook
        self._exit: Callable[..., Any] = sys.exit
        sys.excepthook = self._on_exception
        sys.exit = self._on_exit  # type: ignore[assignment]

    def _on_exception(self, kind: Any, error: Any, trace: Any) -> None:
        self.code = exit_code_of(error)
        self.text = "".join(traceback.format_exception(kind, error, trace)).rstrip("\n")
        self._before_traceback()  # the text is the run's last words anyway
        self._hook(kind, error, trace)

    def _on_exit(self, status: Any = None) -> None:
        self.code = exit_code_of(SystemExit(status))
        self._exit(status)

    def remove(self) -> None:
        """Puts the hooks back, unless somebody has set others since."""
        if sys.excepthook == self._on_exception:
            sys.excepthook = self._hook
        if sys.exit == self._on_exit:
            sys.exit = self._exit


class SingleRun:
    """The agent in the background, and the relay that it started. UnavailableError when there is no controller."""

    def __init__(self, project: Optional[str], name: Optional[str], directory: Optional[str],
                 params: Dict[str, Any]) -> None:
        agent = find("besom-agent")
        if agent is None:
            raise UnavailableError("besom-agent is neither in BESOM_BIN nor on PATH")
        if not controller_is_known():
            raise UnavailableError("no controller is known: `besom up` starts one, BESOM_ADDRESS names one")
        self._host = Host()
        try:
            self._log = os.path.join(self._host.folder, "agent.log")
            options = {"--project": project, "--name": name}
            if directory:
                options["--run-dir"] = os.path.join(directory, "besom-runs")
            self._process = self._start(agent, options, params)
            self._link = self._wait_for_relay()
        except BaseException:
            self._host.close()
            raise
        self.environment = dict(self._link.environment, BESOM_RUN_MODE="single")
        self._variables = Environment(self.environment)
        self._console = Console(self._link.show)
        self._watch = ExitWatch(self._console.close)
        self._link.watch(_on_stop)

    def _start(self, agent: str, options: Dict[str, Optional[str]], params: Dict[str, Any]) -> subprocess.Popen[bytes]:
        self._agent = agent
        path = os.path.join(self._host.folder, "params.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(encode(params))
        command: List[str] = [agent, "--quiet", "--submit", path]
        for option, value in options.items():
            if value:
                command += [option, value]
        return self._start_agent([*command, "--", *self._host.relay_command()])

    def _start_agent(self, command: List[str]) -> subprocess.Popen[bytes]:
        """In a session of its own, so that Ctrl-C reaches the program alone."""
        with open(self._log, "wb") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                    env=agent_environment())

    def _said(self) -> str:
        try:
            with open(self._log, encoding="utf-8", errors="replace") as log:
                return last_line(log.read())
        except OSError:
            return ""

    def _wait_for_relay(self) -> Link:
        deadline = time.monotonic() + START_WITHIN_S
        while time.monotonic() < deadline:
            link = self._host.accept(0.05)
            if link is not None:
                return link
            if self._process.poll() is not None:
                raise UnavailableError(self._said() or f"besom-agent ended with exit code {self._process.returncode}")
        _send_away(self._process)
        raise UnavailableError(f"no run within {START_WITHIN_S:g} s" + (f": {self._said()}" if self._said() else ""))

    def finish(self, run_id: str, exit_code: Optional[int], last_words: str) -> None:
        """Tells how the run ended and waits, in bounded time, until that is known to the controller."""
        self._watch.remove()
        self._console.close()
        self._variables.restore()
        code = exit_code if exit_code is not None else self._watch.code
        self._link.end(code, last_words or (self._watch.text if code else ""))
        try:
            status = self._wait(time.monotonic() + REPORT_WITHIN_S)
        except subprocess.TimeoutExpired:
            say(f"run {run_id}: its end is not reported yet, the agent (pid {self._process.pid}) goes on trying")
            self._process.returncode = 0  # not waited for any more
        else:
            if status not in (0, code & 0xFF):
                say(f"run {run_id}: {self._said() or f'its agent ended with exit code {status}'}")
        self._host.close()

    def _wait(self, deadline: float) -> int:
        """Exit code of the agent. What a killed one left is taken up by the next agent of the sweep, one folder at a time."""
        status = self._process.wait(deadline - time.monotonic())
        left = self.environment.get("BESOM_PARAMS_FILE", "")
        for _ in range(TAKE_UP_TIMES if status < 0 else 0):
            if os.path.exists(left):
                self._process = self._start_agent([self._agent, "--quiet", self.environment["BESOM_SWEEP_ID"]])
                status = self._process.wait(max(deadline - time.monotonic(), 0))
        return status


def _send_away(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        process.send_signal(number)
        try:
            process.wait(5)
            return
        except subprocess.TimeoutExpired:
            continue


def _on_stop(is_gone: bool) -> None:
    """The run is to stop: as Ctrl-C would in the main thread. When it was killed: SIGTERM, which no script survives."""
    if is_gone:
        os.kill(os.getpid(), signal.SIGTERM)
        return
    main = threading.main_thread()
    if main.ident is not None and signal.getsignal(signal.SIGINT) not in (signal.SIG_IGN, signal.SIG_DFL, None):
        signal.pthread_kill(main.ident, signal.SIGINT)
    else:
        os.kill(os.getpid(), signal.SIGTERM)


def attach(run: Run, single: SingleRun) -> None:
    """Ends `single` with `run`."""
    run._on_finish.append(lambda exit_code, last_words: single.finish(run.id, exit_code, last_words))
