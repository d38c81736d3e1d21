# SPDX-License-Identifier: Apache-2.0
"""`wandb.util`: the few functions that programs and libraries call."""
import importlib
import json
import math
import os
import random
import re
import string

from . import _arrays
from ._messages import termerror, termlog, termwarn  # noqa: F401


def generate_id(length=8):
    """Letters and digits, drawn apart from the program's own random numbers."""
    source = random.SystemRandom()
    return "".join(source.choice(string.ascii_lowercase + string.digits) for _ in range(length))


generate_fast_id = generate_id


def get_module(name, required=None, lazy=True):
    """The module, or None; an Error that says `required` when it is wanted and not there."""
    try:
        return importlib.import_module(name)
    except ImportError:
        if required:
            from .errors import Error
            raise Error(required) from None
        return None


def vendor_import(name):
    return importlib.import_module(name)


def is_numpy_array(value):
    return type(value).__module__ == "numpy" and hasattr(value, "shape")


def is_pytorch_tensor(value):
    return type(value).__module__.split(".")[0] == "torch" and hasattr(value, "detach")


def is_pandas_data_frame(value):
    return _arrays.is_frame(value)


def is_pytorch_tensor_typename(name):
    return name.startswith("torch.") and "Tensor" in name


def is_matplotlib_typename(name):
    return name.startswith("matplotlib.")


def get_full_typename(value):
    return f"{type(value).__module__}.{type(value).__qualname__}"


def json_friendly(value):
    """(value, was it changed) with arrays as numbers or lists."""
    if _arrays.is_array(value):
        item = _arrays.item_of(value)
        return (item if item is not None else _arrays.to_lists(value)), True
    return value, False


def json_friendly_val(value):
    return json_friendly(value)[0]


def make_artifact_name_safe(name):
    safe = re.sub(r"[^a-zA-Z0-9_\-.]", "_", name)
    return safe if len(safe) <= 128 else safe[:63] + ".." + safe[-63:]


def make_json_if_not_number(value):
    return value if isinstance(value, (int, float)) else json.dumps(value, default=str)


def json_dumps_safer(value, **arguments):
    return json.dumps(value, default=lambda other: json_friendly(other)[0] if _arrays.is_array(other) else str(other),
                      **arguments)


def to_human_size(size, units=None):
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{round(size, 1)}{unit}"
        size /= 1000
    return f"{round(size, 1)}TB"


def mkdir_exists_ok(path):
    os.makedirs(path, exist_ok=True)


def sample_with_exponential_decay_weights(xs, ys, keys=None, sample_size=1500):
    return xs[:sample_size], ys[:sample_size], keys


def image_from_docker_args(args):
    return None


def isfinite(value):
    return isinstance(value, (int, float)) and math.isfinite(value)


def auto_project_name(program=None):
    return os.environ.get("WANDB_PROJECT", "uncategorized")
