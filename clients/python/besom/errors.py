# SPDX-License-Identifier: Apache-2.0
"""What the package raises. Everything but RunStopped is an Error."""

from __future__ import annotations

from typing import Dict, Type


class Error(Exception):
    """Something that was asked for failed; the text says what and why."""


class InvalidError(Error, ValueError):
    """A sweep or an argument is wrong (exit code 2 of the command line)."""


class NotFoundError(Error, LookupError):
    """There is no such sweep or run (exit code 3)."""


class UnavailableError(Error, ConnectionError):
    """No controller, or no agent, could be reached (exit code 4)."""


class NotPermittedError(Error, PermissionError):
    """The token does not allow it (exit code 5)."""


class NotStartedError(Error, AttributeError):
    """There is no run: no agent started the program, and it has not called `besom.init()`; or the run was finished."""


class FinishedError(Error):
    """The run has been finished: it takes nothing more."""


class ConfigError(Error, ValueError):
    """An entry of the configuration was to be changed that has another value already."""


class RunStopped(BaseException):
    """The run that a function of `besom.agent` works on is to end now: stopped early, killed, or its agent is leaving.

    Not an Exception, like KeyboardInterrupt, so that `except Exception` in a training loop does not swallow it.
    """


_BY_EXIT_CODE: Dict[int, Type[Error]] = {2: InvalidError, 3: NotFoundError, 4: UnavailableError, 5: NotPermittedError}


def from_exit_code(code: int, text: str) -> Error:
    """The error that an exit code of `besom` or `besom-agent` stands for."""
    return _BY_EXIT_CODE.get(code, Error)(text)
