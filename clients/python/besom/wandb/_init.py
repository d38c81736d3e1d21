# SPDX-License-Identifier: Apache-2.0
"""`wandb.init()`: arguments, settings and environment brought together, and the run of the process made known."""
import enum
import os

import besom
import besom.wandb as wandb

from . import _config, _messages, _settings
from ._run import Run
from .errors import UsageError

MODES = ("online", "offline", "disabled", "dryrun", "run", "shared")


class AlertLevel(enum.Enum):
    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


class Setup:
    """What `wandb.setup()` returns."""

    def __init__(self, settings=None):
        self.settings = _settings.Settings(**_settings.as_dict(settings))

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *arguments, **named: None


def begin(job_type=None, dir=None, config=None, project=None, entity=None, reinit=None, tags=None, group=None, name=None,
          notes=None, magic=None, config_exclude_keys=None, config_include_keys=None, anonymous=None, mode=None,
          allow_val_change=None, resume=None, force=None, tensorboard=None, sync_tensorboard=None, monitor_gym=None,
          save_code=None, id=None, fork_from=None, resume_from=None, settings=None, **others):
    """The process's run. All that wandb.init takes is taken; what has no effect is listed in docs/wandb.md."""
    for unknown in others:
        _messages.warn_once(f"init() takes no '{unknown}': ignored")
    wanted = {"job_type": job_type, "project": project, "entity": entity, "tags": tags, "group": group, "name": name,
              "notes": notes, "mode": mode, "id": id, "resume": resume, "dir": dir, "reinit": reinit}
    settings = _merged_settings(settings, wanted)
    if settings.silent is not None or settings.quiet is not None:
        _messages.silent(str(settings.silent or settings.quiet).lower() == "true")
    active = wandb.run
    if active is not None and active._pid == os.getpid():
        if wanted["reinit"] not in (True, "finish_previous", "create_new"):
            return active
        active.finish()
    given = _config.merged_defaults(config, config_exclude_keys, config_include_keys, wandb._init_config, wandb.config)
    run = Run(_start(wanted, given), settings, wanted["entity"], bool(wanted["resume"]) and wanted["resume"] != "never")
    _warn_of_ignored(run, wanted, {"project": project, "entity": entity, "id": id})
    if tensorboard or sync_tensorboard:
        wandb.tensorboard.patch()
    run._on_done = _forget
    wandb.run, wandb.config, wandb.summary = run, run.config, run.summary
    return run


def _merged_settings(settings, wanted):
    """Arguments over settings over the environment; `wanted` is filled."""
    values = _settings.as_dict(settings)
    names = {"id": "run_id", "group": "run_group", "job_type": "run_job_type", "tags": "run_tags", "name": "run_name",
             "notes": "run_notes", "dir": "root_dir"}
    variables = {"name": "WANDB_NAME", "notes": "WANDB_NOTES", "group": "WANDB_RUN_GROUP", "job_type": "WANDB_JOB_TYPE",
                 "project": "WANDB_PROJECT", "entity": "WANDB_ENTITY", "mode": "WANDB_MODE", "resume": "WANDB_RESUME"}
    if "BESOM_RUN_SOCKET" not in os.environ:
        variables.update(id="WANDB_RUN_ID", dir="WANDB_DIR")
    for key in wanted:
        if wanted[key] is None:
            wanted[key] = values.get(key, values.get(names.get(key)))
        if wanted[key] is None and key in variables:
            wanted[key] = os.environ.get(variables[key]) or None
    if wanted["tags"] is None and os.environ.get("WANDB_TAGS"):
        wanted["tags"] = wandb.env.get_tags()
    if isinstance(wanted["tags"], str):
        wanted["tags"] = [wanted["tags"]]
    if os.environ.get("WANDB_DISABLED", "").lower() in ("1", "true", "yes"):
        wanted["mode"] = "disabled"
    if wanted["mode"] is not None and wanted["mode"] not in MODES:
        raise UsageError(f"mode={wanted['mode']!r}: it is one of {', '.join(MODES)}")
    merged = _settings.Settings(**values)
    merged.update({key: value for key, value in wanted.items() if value is not None})
    return merged


def _start(wanted, given):
    named = {key: wanted[key] for key in ("name", "notes", "tags", "group", "job_type", "mode", "dir", "project", "id")
             if wanted[key] is not None}
    if named.get("dir"):
        named["dir"] = os.path.abspath(os.fspath(named["dir"]))
    return besom.init(config=given, **named)


def _warn_of_ignored(run, wanted, arguments):
    """Of what was written in the call; what the environment says is no mistake of the program."""
    if run.sweep_id is None:
        return
    for key, value in arguments.items():
        mine = {"project": run.project, "id": run.id}.get(key)
        if value is not None and value != mine:
            _messages.warn_once(f"Ignored wandb.init() arg {key} when running a sweep.")


def _forget(run):
    if wandb.run is run:
        wandb.run, wandb.config, wandb.summary = None, wandb._init_config, wandb._init_summary
