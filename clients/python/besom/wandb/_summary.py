# SPDX-License-Identifier: Apache-2.0
"""`wandb.summary`: Besom's, which takes media too."""
from besom._summary import Summary as _Plain

from .errors import Error


class Summary(_Plain):
    """Shares its entries with the run's own summary. `convert` makes a value of any kind one that can be kept."""

    def __init__(self, plain, convert):
        self.__dict__.update(plain.__dict__)
        self.__dict__["_convert"] = convert

    def update(self, values=None, **named):
        taken = {str(name): self._convert(str(name), value) for name, value in {**dict(values or {}), **named}.items()}
        super().update({name: value for name, value in taken.items() if value is not None})

    def _as_dict(self):
        return self.as_dict()


class PreInitSummary:
    """Before `init()`: an Error for everything; the run's summary afterwards."""

    def __init__(self, current):
        self.__dict__["_current"] = current

    def _target(self, what):
        run = self._current()
        if run is None:
            raise Error(f"You must call wandb.init() before wandb.summary{what}")
        return run.summary

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._target("." + name), name)

    def __setattr__(self, name, value):
        self._target("." + name)[name] = value

    def __getitem__(self, name):
        return self._target(f"[{name!r}]")[name]

    def __setitem__(self, name, value):
        self._target(f"[{name!r}]")[name] = value

    def __contains__(self, name):
        return name in self._target("")

    def __iter__(self):
        return iter(self._target(""))
