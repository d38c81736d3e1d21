# SPDX-License-Identifier: Apache-2.0
"""`wandb.config`: Besom's, once there is a run; before that a place for what the program wants to have in it."""
import os

from besom import _config
from besom._config import Config  # noqa: F401

from . import _messages
from .errors import Error


class PreInitConfig:
    """Keeps what is written before `init()`, which takes it as defaults; is the run's configuration afterwards."""

    def __init__(self, current):
        self.__dict__["_early"] = {}
        self.__dict__["_current"] = current

    def _take(self):
        early = self._early
        self.__dict__["_early"] = {}
        return early

    def _target(self):
        run = self._current()
        return self._early if run is None else run.config

    def __getitem__(self, name):
        target = self._target()
        if self._current() is None and name not in target:
            raise Error(f"You must call wandb.init() before wandb.config[{name!r}]")
        return target[name]

    def __getattr__(self, name):
        run = self._current()
        if run is not None:
            return getattr(run.config, name)
        if name in self._early:
            return self._early[name]
        if name.startswith("__"):
            raise AttributeError(name)
        raise Error(f"You must call wandb.init() before wandb.config.{name}")

    def __setitem__(self, name, value):
        self._target()[name] = value

    def __setattr__(self, name, value):
        self[name] = value

    def __contains__(self, name):
        return name in self._target()

    def __iter__(self):
        return iter(self._target())

    def __len__(self):
        return len(self._target())

    def keys(self):
        return self._target().keys()

    def items(self):
        return self._target().items()

    def values(self):
        return self._target().values()

    def get(self, name, default=None):
        return self._target().get(name, default)

    def as_dict(self):
        return dict(self._target())

    def update(self, values=None, allow_val_change=None, **named):
        run = self._current()
        if run is not None:
            run.config.update(values, allow_val_change, **named)
        else:
            self._early.update(_config.as_mapping(values), **named)

    def setdefaults(self, values):
        run = self._current()
        if run is not None:
            run.config.setdefaults(values)
        else:
            self.__dict__["_early"] = {**_config.as_mapping(values), **self._early}

    def __repr__(self):
        return repr(self._target())


def read_given(source, exclude=None, include=None):
    """What init's `config` stands for: a dict, a Namespace, a file. W&B's files say {name: {"value": ...}}."""
    values = _config.as_mapping(source)
    if isinstance(source, (str, os.PathLike)):
        values = unwrapped(values)
    if exclude and include:
        from .errors import UsageError
        raise UsageError("Expected at most only one of config_exclude_keys or config_include_keys")
    if exclude:
        values = {name: value for name, value in values.items() if name not in exclude}
    if include:
        values = {name: value for name, value in values.items() if name in include}
    return values


def unwrapped(values):
    return {name: value["value"] if isinstance(value, dict) and "value" in value and set(value) <= {"value", "desc"}
            else value for name, value in values.items() if name not in ("wandb_version", "_wandb")}


def read_defaults():
    """`config-defaults.yaml` of the working folder and the files that WANDB_CONFIG_PATHS names."""
    paths = [path.strip() for path in os.environ.get("WANDB_CONFIG_PATHS", "").split(",") if path.strip()]
    values = {}
    for path in ["config-defaults.yaml", *paths]:
        if not os.path.isfile(path):
            continue
        try:
            values = _config.merged(values, unwrapped(_config.as_mapping(path)))
        except Exception as error:  # a file that is not meant for us
            _messages.termwarn(f"{path} is not read: {error}")
    return values


def merged_defaults(config, exclude, include, early, assigned):
    """Defaults file under what was written before `init()` (`wandb.config.lr = 1`, `wandb.config = {...}`) under init's own
    argument."""
    below = _config.merged(read_defaults(), _config.as_mapping(early._take()))
    if isinstance(assigned, dict):
        below = _config.merged(below, _config.as_mapping(assigned))
    return _config.merged(below, read_given(config, exclude, include))
