# SPDX-License-Identifier: Apache-2.0
"""`besom.agent()`: runs of a sweep in this process's functions, or in commands of their own.

With a function, `besom-agent` is started as ever, and the command of its runs is a relay (_relay.py) that comes to this
process: so leases, spooling, stops and failure limits are the agent's, and the function runs in the calling thread.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import traceback
from typing import Any, Callable, List, Optional, Tuple

from . import _run
from ._command import program
from ._console import Console
from ._host import Environment, Host, Keeper, Link, agent_environment
from ._interrupt import Interrupter
from .errors import InvalidError, RunStopped, from_exit_code

_STOPPED_EXIT_CODE = 143  # as a shell tells of SIGTERM
_REPEAT_S = 5.0
_LEAVE_WITHIN_S = 15.0
_busy = threading.Lock()


def agent(sweep_id: str, function: Optional[Callable[[], Any]] = None, project: Optional[str] = None,
          count: Optional[int] = None) -> None:
    """Takes runs of a sweep, one at a time, until none is left or `count` have ended. One such call at a time in a process.

    With `function`, each run calls it, in this thread; `besom.init()` inside gives the run. What it raises fails the run
    (with its traceback) and not the agent; `sys.exit(3)` ends the run with exit code 3. A run that is stopped gets
    RunStopped raised in it. Without `function` the sweep's command is started, as `besom agent` does.

    Ctrl-C stops the run, lets the agent leave, and raises KeyboardInterrupt. Error by the agent's exit code: NotFoundError
    for an unknown sweep, UnavailableError without a controller, NotPermittedError.
    """
    if not isinstance(sweep_id, str) or not sweep_id:
        raise InvalidError(f"a sweep is named by its id, not by {sweep_id!r}")
    if function is not None and not callable(function):
        raise InvalidError(f"an agent's function must be callable, not {type(function).__name__}")
    sweep = sweep_id if project is None or "/" in sweep_id else f"{project}/{sweep_id}"
    counting = [] if count is None else ["--count", str(int(count))]
    if function is None:
        _run_commands([program("besom-agent"), *counting, sweep])
    else:
        _FunctionAgent(function, [program("besom-agent"), "--quiet", "-j", "1", *counting, sweep]).run()


def _check_end(code: int, sweep: str) -> None:
    if code != 0:
        raise from_exit_code(code, f"the agent of sweep {sweep} ended with exit code {code}")


def _run_commands(command: List[str]) -> None:
    interrupted = False
    with subprocess.Popen(command) as process:
        while True:
            try:
                code = process.wait()
                break
            except KeyboardInterrupt:  # the agent got it too: it ends as it sees fit
                interrupted = True
    if interrupted:
        raise KeyboardInterrupt
    _check_end(code, command[-1])


class _FunctionAgent:
    """One call of `agent` with a function."""

    def __init__(self, function: Callable[[], Any], command: List[str]) -> None:
        self._function = function
        self._command = command
        self._interrupter = Interrupter()
        self._link: Optional[Link] = None  # of the run that is being worked on
        self._is_leaving = False

    def run(self) -> None:
        if not _busy.acquire(blocking=False):  # a run's environment is the whole process's
            raise InvalidError("an agent calls functions in this process already")
        outer = _run.current()
        _run.set_current(None)
        try:
            with Host() as host, self._interrupter:
                self._serve(host)
        finally:
            _run.set_current(outer)
            _busy.release()

    def _serve(self, host: Host) -> None:
        keeper = Keeper([*self._command, "--", *host.relay_command()], agent_environment())
        try:
            while keeper.exit_code() is None:
                link = host.accept(0.1)
                if link is not None:
                    self._work(link, keeper)
        except BaseException:
            _send_away(keeper, self._is_leaving)
            raise
        finally:
            keeper.close()
        _check_end(keeper.exit_code() or 0, self._command[-1])

    def _work(self, link: Link, keeper: Keeper) -> None:
        """One run, from its relay's coming to its end."""
        environment = Environment(link.environment)
        self._link = link
        link.watch(lambda is_gone: self._on_stop(link, is_gone))
        console = Console(link.show)
        code, text, interrupted = 0, "", False
        try:
            code, text = self._call(console)
        except KeyboardInterrupt:
            interrupted = True
            code, text = 130, "KeyboardInterrupt"
        run = _run.current()
        try:
            if interrupted:
                self._is_leaving = True
                _interrupt_twice(keeper)
                link.told_to_stop.wait(_REPEAT_S)
            if run is not None:
                run.finish(code)
        finally:
            self._link = None
            _run.set_current(None)
            environment.restore()
            console.close()
            link.end(code, text)
        if interrupted:
            raise KeyboardInterrupt

    def _call(self, console: Console) -> Tuple[int, str]:
        """Exit code and last words of the function."""
        try:
            try:
                self._interrupter.begin()
                self._function()
            finally:
                self._interrupter.end()
        except RunStopped as stop:
            self._interrupter.end()
            return _STOPPED_EXIT_CODE, f"RunStopped: {stop}"
        except KeyboardInterrupt:
            raise
        except SystemExit as leave:
            return _run.exit_code_of(leave), leave.code if isinstance(leave.code, str) else ""
        except BaseException as error:
            text = traceback.format_exc().rstrip("\n")
            console.close()  # the text is the run's last words anyway
            print(text, file=sys.stderr, flush=True)
            return _run.exit_code_of(error), text
        return 0, ""

    def _on_stop(self, link: Link, is_gone: bool) -> None:
        run = _run.current()
        reason = run.stop_reason if run is not None else None
        self._interrupter.interrupt(reason or ("the run was killed" if is_gone else "the run is to stop"))
        while is_gone and link is self._link:  # nothing records this run any more
            time.sleep(_REPEAT_S)
            if link is self._link:
                self._interrupter.interrupt("the run was killed")


def _interrupt_twice(keeper: Keeper) -> None:
    """Once: no new runs. Twice: stop those that run, as ended by their user."""
    for _ in range(2):
        keeper.signal(b"i")
        keeper.wait(0.2)


def _send_away(keeper: Keeper, is_told: bool) -> None:
    """Ends the agent, first kindly, in bounded time."""
    for letter in (b"" if is_told else b"i", b"t", b"k"):
        keeper.signal(letter)
        if keeper.wait(_LEAVE_WITHIN_S):
            return
