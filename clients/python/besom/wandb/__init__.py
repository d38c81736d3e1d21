# SPDX-License-Identifier: Apache-2.0
"""A stand-in for wandb: the calls that training programs make, answered by Besom.

    import besom.wandb as wandb

`python -m besom.wandb train.py` and `besom agent --wandb` make `import wandb` itself mean this module. Nothing is sent
anywhere but to the run's own agent or controller. docs/wandb.md says what is kept, what is not, and what differs.
"""
import importlib
import time

from . import _alias, _messages, env, errors  # noqa: F401
from ._artifacts import Artifact  # noqa: F401
from ._config import Config, PreInitConfig
from ._messages import termerror, termlog, termwarn  # noqa: F401
from ._run import Run  # noqa: F401
from ._settings import Settings  # noqa: F401
from ._summary import PreInitSummary
from .errors import CommError, Error, UsageError  # noqa: F401

__version__ = "0.18.7"  # of the wandb whose calls are answered: libraries compare it

START_TIME = time.time()
run = None
_init_config = PreInitConfig(lambda: run)
_init_summary = PreInitSummary(lambda: run)
config = _init_config
summary = _init_summary


def _need(what):
    if run is None:
        raise Error(f"You must call wandb.init() before {what}")
    return run


# ---- the run ----

def init(*arguments, **named):
    """Begins the process's run, or gives the one there is. Takes what wandb.init takes; `_init.begin` has the details."""
    from ._init import begin
    return begin(*arguments, **named)


def log(data, step=None, commit=None, sync=None):
    if run is None:
        raise Error("You must call wandb.init() before wandb.log()")
    run.log(data, step, commit)


def finish(exit_code=None, quiet=None):
    if run is not None:
        run.finish(exit_code, quiet)


def join(exit_code=None, quiet=None):
    finish(exit_code, quiet)


def _attach(attach_id=None, run_id=None, **_):
    """In another process of the same run."""
    return run if run is not None else init()


attach = _attach


def _by_run(name):
    def call(*arguments, **named):
        return getattr(_need(f"wandb.{name}()"), name)(*arguments, **named)

    call.__name__ = call.__qualname__ = name
    return call


define_metric = _by_run("define_metric")
save = _by_run("save")
alert = _by_run("alert")
mark_preempting = _by_run("mark_preempting")
log_artifact = _by_run("log_artifact")
use_artifact = _by_run("use_artifact")
log_model = _by_run("log_model")
use_model = _by_run("use_model")
link_model = _by_run("link_model")
watch = _by_run("watch")


def restore(name, run_path=None, replace=False, root=None):
    return _need("wandb.restore()").restore(name, run_path, replace, root)


def unwatch(models=None):
    pass


def plot_table(*arguments, **named):
    return importlib.import_module(__name__ + ".plot").plot_table(*arguments, **named)


# ---- the process ----

def login(anonymous=None, key=None, relogin=None, host=None, force=None, timeout=None, verify=False, **_):
    """True: there is nothing to log in to."""
    return True


def setup(settings=None):
    from ._init import Setup
    return Setup(settings)


def teardown(exit_code=None):
    finish(exit_code)


def require(requirement=None, experiment=None):
    pass


def ensure_configured():
    pass


class _Internal:
    """`wandb.api`, which libraries ask whether there is a key."""

    api_key = "not needed"

    def settings(self, key=None, section=None):
        values = {"project": env.get_project(), "entity": env.get_entity(), "base_url": None}
        return values if key is None else values.get(key)

    def set_setting(self, *arguments, **named):
        pass


api = _Internal()

# ---- sweeps, reading ----

def sweep(sweep, entity=None, project=None, prior_runs=None):
    from ._sweeps import create
    return create(sweep, entity, project, prior_runs)


def agent(sweep_id, function=None, entity=None, project=None, count=None, forward_signals=False, term_timeout=0):
    from ._sweeps import run_agent
    return run_agent(sweep_id, function, entity, project, count)


def controller(sweep_id_or_config=None, entity=None, project=None):
    raise errors.UnsupportedError("wandb.controller(): a sweep is always driven by Besom's services "
                                  "(besom sweep FILE, besom agent ID)")


# ---- what is imported when it is asked for ----

_MEDIA = ("Audio", "Bokeh", "BoundingBoxes2D", "Box3D", "Classes", "Graph", "Histogram", "Html", "Image", "ImageMask",
          "JoinedTable", "Media", "Molecule", "Object3D", "Plotly", "Table", "Video")
_MODULES = ("apis", "data_types", "integration", "keras", "lightgbm", "plot", "plots", "sb3", "sdk", "sklearn", "tensorboard",
            "tensorflow", "util", "wandb_lib", "wandb_run", "wandb_sdk", "wandb_torch", "xgboost")
_NOT_HERE = {"fastai": "fastai", "catboost": "catboost", "gym": "Gym", "ultralytics":
             "Ultralytics", "docker": "Docker", "launch": "Launch", "jupyter": "Jupyter", "beta": "the beta API"}


def __getattr__(name):
    if name in _MEDIA:
        value = getattr(importlib.import_module(__name__ + ".sdk.data_types"), name)
    elif name in _MODULES:
        value = importlib.import_module(_alias.place_of(name))
    elif name in ("Api", "PublicApi"):
        value = importlib.import_module(__name__ + "._public").Api
    elif name == "AlertLevel":
        value = importlib.import_module(__name__ + "._init").AlertLevel
    elif name in _NOT_HERE:
        raise AttributeError(f"module 'wandb' has no attribute '{name}': Besom's stand-in has nothing for {_NOT_HERE[name]}")
    else:
        raise AttributeError(f"module 'wandb' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_MEDIA, *_MODULES, "Api", "AlertLevel"})


_alias.install()
