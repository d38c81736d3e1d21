# SPDX-License-Identifier: Apache-2.0
"""`wandb.sdk.lib`: what libraries check their runs against, and helpers with nothing to do."""
import contextlib


class RunDisabled:
    """Libraries ask isinstance(run, (Run, RunDisabled)). A disabled run is a `Run` here."""


class SummaryDisabled(dict):
    pass


class _Anything:
    """Takes every attribute."""

    def __setattr__(self, name, value):
        pass

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self


@contextlib.contextmanager
def context(run=None, obj=None):
    """`with telemetry.context() as tel: tel.feature.x = True`: nothing is counted."""
    yield _Anything()
