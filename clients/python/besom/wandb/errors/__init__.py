# SPDX-License-Identifier: Apache-2.0
"""The exceptions that programs catch, under the names they know them by."""

from besom.errors import ConfigError, Error, UnavailableError  # noqa: F401


class CommError(Error):
    """The other side could not be reached, or has no such thing."""

    def __init__(self, msg="", exc=None):
        super().__init__(msg)
        self.message = msg
        self.exc = exc


class AuthenticationError(CommError):
    """The other side does not take this token."""


class UsageError(Error):
    """A call that makes no sense here."""


class UnsupportedError(UsageError):
    """A call of W&B that has nothing to answer it here."""


class WandbCoreNotAvailableError(Error):
    """Never raised; there for `except`."""


class ArtifactNotLoggedError(Error):
    """An artifact was asked for what only a logged one has."""


class LogError(Error):
    pass


class RequireError(Error):
    pass


class MultiprocessError(Error):
    pass


__all__ = ["Error", "CommError", "AuthenticationError", "UsageError", "UnsupportedError", "ArtifactNotLoggedError",
           "LogError", "ConfigError", "RequireError", "MultiprocessError", "WandbCoreNotAvailableError"]
