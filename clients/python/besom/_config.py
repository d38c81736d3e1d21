# SPDX-License-Identifier: Apache-2.0
"""A run's configuration: the sweep's parameters, which are locked, over what the program gives itself."""

from __future__ import annotations

import json
import os
from typing import Any, Callable, Dict, FrozenSet, Iterator, Mapping, Optional

from ._say import say
from ._values import plain
from .errors import ConfigError, InvalidError


class Section(Dict[str, Any]):
    """A nested dict of the configuration whose entries are attributes too. Changes to it stay in this process."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the configuration has no '{name}' here") from None

    def __reduce__(self) -> Any:
        return Section, (dict(self),)


def _with_sections(value: Any) -> Any:
    if isinstance(value, dict):
        return Section((key, _with_sections(item)) for key, item in value.items())
    if isinstance(value, list):
        return [_with_sections(item) for item in value]
    return value


def _without_sections(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_sections(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_sections(item) for item in value]
    return value


def _read_file(path: str) -> Any:
    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        import yaml  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        raise InvalidError(f"{path} is no JSON, and PyYAML, which would read YAML, is not installed") from None
    return yaml.safe_load(text)


def as_mapping(source: Any) -> Dict[str, Any]:
    """A dict of plain values from a mapping, an argparse.Namespace or the like, or a JSON or YAML file's path.

    InvalidError for anything else.
    """
    if source is None:
        return {}
    if isinstance(source, Config):
        return source.as_dict()
    if isinstance(source, (str, os.PathLike)):
        try:
            source = _read_file(os.fspath(source))
        except OSError as error:
            raise InvalidError(f"cannot read the configuration: {error}") from error
    if not isinstance(source, Mapping):
        try:
            source = vars(source)
        except TypeError:
            raise InvalidError(f"a configuration is a dict or a Namespace, not a {type(source).__name__}") from None
    values = plain(source)
    assert isinstance(values, dict)
    return values


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> Dict[str, Any]:
    """Entries of `above` over those of `below`, dicts recursively."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


class Config:
    """The configuration of a run, as a mapping whose entries are attributes too.

    `config["lr"]`, `config.lr`, `config.get("lr", 0.1)`, `"lr" in config`, `dict(config)`, `f(**config)`. New entries may be
    added at any time and are kept with the run. An entry that a sweep gave is locked: writing to it changes nothing and
    says so. An entry that exists is changed only by `update(..., allow_val_change=True)`.

    >>> config = Config({"lr": 0.1, "net": {"layers": 2}}, locked=frozenset(["lr"]))
    >>> config.lr, config["net"], config.net.layers, config.get("epochs", 3)
    (0.1, {'layers': 2}, 2, 3)
    >>> config.epochs = 5
    >>> config.lr = 0.2
    >>> dict(config)
    {'lr': 0.1, 'net': {'layers': 2}, 'epochs': 5}
    """

    def __init__(self, values: Mapping[str, Any], locked: FrozenSet[str] = frozenset(),
                 on_change: Optional[Callable[[Dict[str, Any]], None]] = None) -> None:
        self.__dict__["_values"] = {key: _with_sections(value) for key, value in values.items()}
        self.__dict__["_locked"] = locked
        self.__dict__["_on_change"] = on_change

    # ---- reading ----

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            raise AttributeError(f"the configuration has no '{name}'") from None

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Config):
            return bool(self._values == other._values)
        if not isinstance(other, Mapping):
            return NotImplemented
        return bool(self._values == other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Config({self.as_dict()!r})"

    def __dir__(self) -> Any:
        return [*super().__dir__(), *(name for name in self._values if name.isidentifier())]

    def keys(self) -> Any:
        return self._values.keys()

    def values(self) -> Any:
        return self._values.values()

    def items(self) -> Any:
        return self._values.items()

    def get(self, name: str, default: Any = None) -> Any:
        return self._values.get(name, default)

    def as_dict(self) -> Dict[str, Any]:
        """A copy of plain dicts."""
        copy = _without_sections(self._values)
        assert isinstance(copy, dict)
        return copy

    @property
    def locked(self) -> FrozenSet[str]:
        """Names of the sweep's parameters."""
        names = self.__dict__["_locked"]
        assert isinstance(names, frozenset)
        return names

    def __reduce__(self) -> Any:
        return Config, (self.as_dict(), self.locked)

    # ---- writing ----

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __setattr__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def update(self, values: Any = None, allow_val_change: Optional[bool] = None, **named: Any) -> None:
        """Adds entries from a dict, a Namespace or a JSON file.

        ConfigError, and nothing is added, when one exists with another value and `allow_val_change` is not true.
        """
        given = as_mapping(values)
        given.update(as_mapping(named))
        changed = {}
        for name, value in given.items():
            if name in self.locked:
                if name in self._values and _without_sections(self._values[name]) != value:
                    say(f"Config item '{name}' was locked by 'sweep' (ignored update).")
            elif name not in self._values or _without_sections(self._values[name]) != value:
                if name in self._values and not allow_val_change:
                    raise ConfigError(
                        f'Attempted to change value of key "{name}" from {self._values[name]!r} to {value!r}. '
                        "If you really want to do this, pass allow_val_change=True to config.update()")
                changed[name] = value
        self._take(changed)

    def setdefaults(self, values: Any) -> None:
        """Adds the entries that are not there yet."""
        self._take({name: value for name, value in as_mapping(values).items() if name not in self._values})

    def setdefault(self, name: str, value: Any = None) -> Any:
        self.setdefaults({name: value})
        return self[name]

    def _replace(self, values: Mapping[str, Any]) -> None:
        """All entries, without telling anybody."""
        self._values.clear()
        self._values.update((name, _with_sections(value)) for name, value in values.items())

    def _take(self, changed: Dict[str, Any]) -> None:
        if not changed:
            return
        self._values.update({name: _with_sections(value) for name, value in changed.items()})
        if self.__dict__["_on_change"] is not None:
            self.__dict__["_on_change"](changed)
