# SPDX-License-Identifier: Apache-2.0
"""What a run amounts to: the last value of each metric, what definitions make of them, and what the program sets."""

from __future__ import annotations

import math
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence

from ._values import bounded, flattened, number, plain
from .errors import InvalidError

AGGREGATES = ("min", "max", "mean", "best", "first", "last", "none")


class Definition:
    """How a metric, or all that begin with a pattern, are summed up."""

    def __init__(self, name: str, summary: Sequence[str], goal: Optional[str]) -> None:
        self.name = name
        self.summary = summary
        self.goal = goal

    def matches(self, metric: str) -> bool:
        return metric.startswith(self.name[:-1]) if self.name.endswith("*") else metric == self.name


def parse_aggregates(summary: Any) -> List[str]:
    """Names from "min,mean", a list of them, or None. InvalidError for one that does not exist."""
    names = summary.split(",") if isinstance(summary, str) else list(summary or [])
    names = [str(name).strip().lower() for name in names]
    for name in names:
        if name not in AGGREGATES:
            raise InvalidError(f"summary '{name}' is none of {', '.join(AGGREGATES)}")
    return names


class Figures:
    """Running figures of one metric's numbers."""

    def __init__(self) -> None:
        self.count = 0
        self.first = self.last = self.least = self.greatest = math.nan
        self.total = 0.0

    def add(self, value: float) -> None:
        if math.isnan(self.first):
            self.first = value
        self.last = value
        if math.isfinite(value):
            self.least = value if self.count == 0 else min(self.least, value)
            self.greatest = value if self.count == 0 else max(self.greatest, value)
            self.total += value
            self.count += 1

    def of(self, definition: Definition) -> Any:
        mean = self.total / self.count if self.count else math.nan
        best = self.greatest if definition.goal == "maximize" else self.least
        values = {"min": self.least, "max": self.greatest, "mean": mean, "best": best, "first": self.first,
                  "last": self.last}
        return {name: values[name] for name in definition.summary if name in values}


class Summary:
    """The summary of a run as this process knows it, a mapping whose entries are attributes too.

    Logging a metric sets its entry to the last value, or to what `define_metric` asks for. An entry that is set stands until
    a metric of its name is logged again.

    >>> run = besom.init(mode="disabled")
    >>> run.define_metric("loss", summary="min")
    >>> run.log({"loss": 1, "acc": 0.5})
    >>> run.log({"loss": 2, "acc": 0.75})
    >>> run.summary["best_epoch"] = 0
    >>> run.summary.as_dict()
    {'loss': {'min': 1.0}, 'acc': 0.75, 'best_epoch': 0}
    >>> run.finish()
    """

    def __init__(self, on_change: Optional[Callable[[Dict[str, Any]], None]] = None,
                 values: Optional[Mapping[str, Any]] = None) -> None:
        self.__dict__["_entries"] = dict(values or {})
        self.__dict__["_on_change"] = on_change

    def __getitem__(self, name: str) -> Any:
        return self._entries[name]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_entries"][name]
        except KeyError:
            raise AttributeError(f"the summary has no '{name}'") from None

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __setattr__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"Summary({self._entries!r})"

    def keys(self) -> Any:
        return self._entries.keys()

    def values(self) -> Any:
        return self._entries.values()

    def items(self) -> Any:
        return self._entries.items()

    def get(self, name: str, default: Any = None) -> Any:
        return self._entries.get(name, default)

    def as_dict(self) -> Dict[str, Any]:
        return dict(self._entries)

    def update(self, values: Optional[Mapping[str, Any]] = None, **named: Any) -> None:
        """Sets entries; values are of any type that JSON has, numbers of other libraries included."""
        taken = bounded(plain({**(values or {}), **named}))
        self._entries.update(taken)
        if taken and self.__dict__["_on_change"] is not None:
            self.__dict__["_on_change"](taken)


class Tally:
    """Keeps a Summary's entries up with what is logged once a metric was defined."""

    def __init__(self, entries: Dict[str, Any]) -> None:
        self._entries = entries
        self._definitions: List[Definition] = []
        self._figures: Dict[str, Figures] = {}
        self._chosen: Dict[str, Optional[Definition]] = {}

    def define(self, definition: Definition) -> None:
        """A metric's own definition goes before a pattern's, a longer pattern before a shorter."""
        self._definitions = [each for each in self._definitions if each.name != definition.name] + [definition]
        self._definitions.sort(key=lambda each: (each.name.endswith("*"), -len(each.name)))
        self._chosen.clear()

    def _definition_of(self, metric: str) -> Optional[Definition]:
        if metric not in self._chosen:
            self._chosen[metric] = next((each for each in self._definitions if each.matches(metric)), None)
        return self._chosen[metric]

    def add(self, values: Dict[str, Any]) -> None:
        for name, value in flattened(values).items():
            value = number(value)
            definition = self._definition_of(name)
            if definition is None or not definition.summary or not isinstance(value, (int, float)):
                self._entries[name] = value
                continue
            figures = self._figures.setdefault(name, Figures())
            figures.add(float(value))
            if "none" in definition.summary:
                self._entries.pop(name, None)
            elif list(definition.summary) == ["last"]:
                self._entries[name] = value
            else:
                self._entries[name] = figures.of(definition)
