# SPDX-License-Identifier: Apache-2.0
"""Besom's Python package: a program's side of its run, sweeps of functions, and reading results.

    import besom

    with besom.init() as run:                # under an agent: the sweep's parameters
        for epoch in range(run.config.get("epochs", 3)):
            run.log({"loss": 1.0 / (epoch + 1)})

Nothing here needs more than Python's own library.
"""

from __future__ import annotations

import os
from typing import Any, Dict, Optional

from . import _run
from ._agent import agent
from ._api import Api, RunRecord, SweepRecord
from ._config import Config
from ._init import init
from ._run import Run
from ._summary import Summary
from ._sweep import sweep
from ._version import VERSION
from .errors import (ConfigError, Error, FinishedError, InvalidError, NotFoundError, NotPermittedError, NotStartedError,
                     RunStopped, UnavailableError)

__version__ = VERSION
__all__ = ["Api", "Config", "ConfigError", "Error", "FinishedError", "InvalidError", "NotFoundError", "NotPermittedError",
           "NotStartedError", "Run", "RunRecord", "RunStopped", "Summary", "SweepRecord", "UnavailableError", "agent",
           "config", "define_metric", "finish", "init", "log", "mark_preempting", "run", "summary", "sweep"]

run: Optional[Run]
"""The run that `init()` made; None before it and after `finish()`."""
config: Config
"""Its configuration. This, `summary` and the functions below begin the run of an agent by themselves."""
summary: Summary
"""Its summary."""


def _running(what: str) -> Run:
    """The process's run, which is begun here when an agent has started the process."""
    current = _run.current()
    if current is not None:
        return current
    run_socket = os.environ.get("BESOM_RUN_SOCKET")
    if not run_socket:
        raise NotStartedError(f"besom.{what} has no run: no agent started this program, and besom.init() has not begun one")
    if _run.was_finished(run_socket):
        raise NotStartedError(f"besom.{what} has no run any more: it was finished")
    return init()


def __getattr__(name: str) -> Any:
    if name == "run":
        return _run.current()
    if name in ("config", "summary"):
        return getattr(_running(name), name)
    raise AttributeError(f"module 'besom' has no attribute '{name}'")


def log(data: Dict[str, Any], step: Optional[int] = None, commit: Optional[bool] = None) -> None:
    """`Run.log` of the process's run. NotStartedError when there is none: no agent, and no `init()`."""
    _running("log()").log(data, step, commit)


def define_metric(name: str, step_metric: Optional[str] = None, summary: Any = None, goal: Optional[str] = None,
                  hidden: Optional[bool] = None, **others: Any) -> None:
    """`Run.define_metric` of the process's run."""
    _running("define_metric()").define_metric(name, step_metric, summary, goal, hidden, **others)


def mark_preempting() -> None:
    """`Run.mark_preempting` of the process's run."""
    _running("mark_preempting()").mark_preempting()


def finish(exit_code: Optional[int] = None, quiet: Optional[bool] = None) -> None:
    """`Run.finish` of the process's run; nothing when there is none."""
    current = _run.current()
    if current is not None:
        current.finish(exit_code, quiet)
