# SPDX-License-Identifier: Apache-2.0
"""`wandb.Settings`: takes whatever it is given. What is read of it: mode, silent, quiet, and what init's arguments are."""


class Settings:
    def __init__(self, **values):
        self.__dict__.update(values)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return None  # every setting there is, and unset

    def __getitem__(self, name):
        return getattr(self, name)

    def __setitem__(self, name, value):
        setattr(self, name, value)

    def __contains__(self, name):
        return name in self.__dict__

    def get(self, name, default=None):
        return self.__dict__.get(name, default)

    def keys(self):
        return self.__dict__.keys()

    def update(self, values=None, **more):
        self.__dict__.update(as_dict(values), **more)

    def to_dict(self):
        return dict(self.__dict__)

    def copy(self):
        return Settings(**self.__dict__)

    def __repr__(self):
        return f"Settings({self.__dict__})"


def as_dict(settings):
    """Settings of any kind that init takes: None, a mapping, Settings."""
    if settings is None:
        return {}
    if isinstance(settings, Settings):
        return settings.to_dict()
    return dict(settings) if hasattr(settings, "keys") else dict(vars(settings))
