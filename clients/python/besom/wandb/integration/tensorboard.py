# SPDX-License-Identifier: Apache-2.0
"""`sync_tensorboard=True` and `wandb.tensorboard.patch()`: scalars that go to a SummaryWriter of PyTorch or tensorboardX, or to
TensorFlow's `tf.summary.scalar`, are logged too, as rows with `global_step`. Event files are not read."""
import importlib.abc
import importlib.util
import sys

import besom.wandb as wandb

from .._messages import warn_once

WRITERS = ("torch.utils.tensorboard.writer", "tensorboardX.writer")
TENSORFLOW = "tensorflow"


class _Rows:
    """Values of one global step make one row; a row is ended by the next step."""

    def __init__(self):
        self.step = None

    def add(self, tag, value, step):
        if wandb.run is None:
            return
        if step is not None and hasattr(step, "numpy"):
            step = int(step.numpy())
        if self.step is not None and step != self.step:
            wandb.log({})
        self.step = step
        row = {tag: value}
        if step is not None:
            row["global_step"] = int(step)
        wandb.log(row, commit=False)


_rows = _Rows()


def _wrap(owner, name, after):
    original = getattr(owner, name)
    if getattr(original, "_besom", False):
        return

    def wrapped(*arguments, **named):
        result = original(*arguments, **named)
        try:
            after(*arguments, **named)
        except Exception as error:  # a second place to log to must not break the first
            warn_once(f"tensorboard: {name} was not logged: {error}")
        return result

    wrapped._besom = True
    setattr(owner, name, wrapped)


def _scalar(writer, tag, scalar_value, global_step=None, *_, **__):
    _rows.add(tag, scalar_value, global_step)


def _scalars(writer, main_tag, tag_scalar_dict, global_step=None, *_, **__):
    for tag, value in tag_scalar_dict.items():
        _rows.add(f"{main_tag}/{tag}", value, global_step)


def _tf_scalar(name, data, step=None, description=None):
    if step is None:
        step = sys.modules[TENSORFLOW].summary.experimental.get_step()
    _rows.add(name, data, step)


def _patch_module(module):
    if module.__name__ == TENSORFLOW:
        _wrap(module.summary, "scalar", _tf_scalar)
    elif hasattr(module, "SummaryWriter"):
        _wrap(module.SummaryWriter, "add_scalar", _scalar)
        _wrap(module.SummaryWriter, "add_scalars", _scalars)


class _AfterImport(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Patches a writer's module once the program imports it."""

    def __init__(self):
        self.loaders = {}
        self.busy = False

    def find_spec(self, name, path=None, target=None):
        if self.busy or name not in (*WRITERS, TENSORFLOW):
            return None
        self.busy = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self.busy = False
        if spec is None or spec.loader is None:
            return None
        self.loaders[name] = spec.loader
        spec.loader = self
        return spec

    def create_module(self, spec):
        return self.loaders[spec.name].create_module(spec)

    def exec_module(self, module):
        loader = self.loaders.pop(module.__name__)
        module.__loader__ = module.__spec__.loader = loader
        loader.exec_module(module)
        _patch_module(module)


def patch(root_logdir=None, save=True, tensorboard_x=None, pytorch=None, tensorboardX=None, **_):
    for name in (*WRITERS, TENSORFLOW):
        if name in sys.modules:
            _patch_module(sys.modules[name])
    if not any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterImport())


def unpatch():
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _AfterImport)]


def log(tf_summary_str_or_pb, history=None, step=0, namespace="", **_):
    warn_once("wandb.tensorboard.log is not kept: event files are not read")
