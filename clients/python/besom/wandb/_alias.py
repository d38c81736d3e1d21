# SPDX-License-Identifier: Apache-2.0
"""Makes `import wandb`, and any of its submodules that there is, mean this package."""
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys

HERE = __name__.rsplit(".", 1)[0]

# Where a submodule of W&B is found here, when it has another name.
PLACES = {
    "util": "_helpers",
    "wandb_run": "sdk.wandb_run",
    "wandb_sdk": "sdk",
    "wandb_lib": "sdk.lib",
    "data_types": "sdk.data_types",
    "sdk.artifacts": "_artifacts",
    "sdk.artifacts.artifact": "_artifacts",
    "sdk.interface": "_artifacts",
    "sdk.interface.artifacts": "_artifacts",
    "sdk.wandb_artifacts": "_artifacts",
    "sdk.data_types.base_types": "sdk.data_types",
    "sdk.data_types.base_types.media": "sdk.data_types",
    "sdk.data_types.base_types.wb_value": "sdk.data_types",
    "sdk.data_types.histogram": "sdk.data_types",
    "sdk.data_types.image": "sdk.data_types",
    "sdk.data_types.table": "sdk.data_types",
    "sdk.data_types.video": "sdk.data_types",
    "sdk.wandb_settings": "_settings",
    "sdk.wandb_config": "_config",
    "sdk.wandb_summary": "_summary",
    "sdk.lib.config_util": "errors",
    "sdk.lib.disabled": "sdk.lib",
    "sdk.lib.runid": "_helpers",
    "sdk.lib.telemetry": "sdk.lib",
    "apis": "_public",
    "apis.public": "_public",
    "keras": "integration.keras",
    "integration.keras.callbacks": "integration.keras",
    "tensorboard": "integration.tensorboard",
    "tensorflow": "integration.tensorboard",
    "integration.tensorflow": "integration.tensorboard",
    "xgboost": "integration.xgboost",
    "lightgbm": "integration.lightgbm",
    "sklearn": "integration.sklearn",
    "sb3": "integration.sb3",
    "wandb_torch": "sdk.lib",
    "plots": "plot",
    "proto": "sdk.lib",
    "old": "sdk.lib",
    "old.summary": "_summary",
}


def place_of(name):
    """The full name of the module that `name` (without "wandb.") stands for, or None."""
    target = f"{HERE}.{PLACES.get(name, name)}"
    try:
        return target if importlib.util.find_spec(target) is not None else None
    except ModuleNotFoundError:
        return None


class _SameModule(importlib.abc.Loader):
    """Gives the module that is there, and leaves its own attributes as they are."""

    def __init__(self, target):
        self.target = target

    def create_module(self, spec):
        module = importlib.import_module(self.target)
        self.own = {name: getattr(module, name, None) for name in ("__spec__", "__loader__", "__package__")}
        return module

    def exec_module(self, module):
        for name, value in self.own.items():
            setattr(module, name, value)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        for top in ("wandb.", HERE + "."):
            if name.startswith(top):
                break
        else:
            return None
        inner = name[len(top):]
        if top == "wandb." and sys.modules.get("wandb") is not sys.modules[HERE]:
            return None  # W&B's own is there too
        if top != "wandb." and inner not in PLACES:
            return None  # the usual way
        found = place_of(inner)
        if found is None or found == name:
            return None
        return importlib.machinery.ModuleSpec(name, _SameModule(found), is_package=True)


def install():
    """From now on `wandb` is this package, however it was started."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def take_name():
    install()
    sys.modules["wandb"] = sys.modules[HERE]
