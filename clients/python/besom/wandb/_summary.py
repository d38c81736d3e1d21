# SPDX-License-Identifier: Apache-2.0
"""`wandb.summary`: Besom's, which takes media too."""
from besom._summary import Summary as _Plain

from .errors import Error


def part_of(entries, name):
    """What nested logging made below a name, nested again: {"loss": 0.5} for "val" where "val.loss" is an entry. KeyError."""
    if not has_part(entries, name):
        raise KeyError(name)
    found = {}
    for key, value in entries.items():
        if key.startswith(name + "."):
            _place(found, key[len(name) + 1:].split("."), value)
    return found


def has_part(entries, name):
    return isinstance(name, str) and any(key.startswith(name + ".") for key in entries)


def _place(found, path, value):
    for part in path[:-1]:
        found = found.setdefault(part, {})
        if not isinstance(found, dict):  # a name that is a value and a section: the value stands
            return
    found[path[-1]] = value


class Entries(dict):
    """A summary that was read, whose nested entries are found by both their names."""

    def __missing__(self, name):
        return part_of(self, name)

    def __contains__(self, name):
        return super().__contains__(name) or has_part(self, name)

    def get(self, name, default=None):
        try:
            return self[name]
        except KeyError:
            return default


class Summary(_Plain):
    """Shares its entries with the run's own summary. `convert` makes a value of any kind one that can be kept."""

    def __init__(self, plain, convert):
        self.__dict__.update(plain.__dict__)
        self.__dict__["_convert"] = convert

    def update(self, values=None, **named):
        taken = {str(name): self._convert(str(name), value) for name, value in {**dict(values or {}), **named}.items()}
        super().update({name: value for name, value in taken.items() if value is not None})

    def __getitem__(self, name):
        entries = self.__dict__["_entries"]
        return entries[name] if name in entries else part_of(entries, name)

    def __contains__(self, name):
        return super().__contains__(name) or has_part(self.__dict__["_entries"], name)

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the summary has no '{name}'") from None

    def get(self, name, default=None):
        try:
            return self[name]
        except KeyError:
            return default

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
