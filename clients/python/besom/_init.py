# SPDX-License-Identifier: Apache-2.0
"""`besom.init()`: which run this process has."""

from __future__ import annotations

import atexit
import json
import os
import random
from typing import Any, Dict, Mapping, Optional, Sequence

from ._config import as_mapping, merged
from ._offline import Nothing, OfflineFile
from ._run import Identity, Run, current, set_current
from ._say import say, warn_once
from ._single import SingleRun, attach
from ._socket import Connection
from .errors import Error, InvalidError, UnavailableError

MODES = ("online", "offline", "disabled")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def init(project: Optional[str] = None, name: Optional[str] = None, config: Any = None, notes: Optional[str] = None,
         tags: Optional[Sequence[str]] = None, group: Optional[str] = None, job_type: Optional[str] = None,
         dir: Optional[str] = None, mode: Optional[str] = None, id: Optional[str] = None, resume: Any = None,
         **others: Any) -> Run:
    """The run of this process, begun when there is none yet.

    Started by an agent, it is the agent's run: its parameters are the configuration, over the defaults in `config` (a dict,
    a Namespace, a JSON file), and `project`, `dir` and `id` say nothing. Otherwise it is a run of its own: with a controller
    in reach in `project` there, with a folder under `dir`, else in a file under `dir`, called `id`. `resume` says nothing:
    `run.resumed` tells. `mode` is "online", "offline" or "disabled" and by
    default BESOM_MODE or WANDB_MODE. A second call returns the same run.

    Raises UnavailableError when the agent that started the process is gone, InvalidError for a wrong argument.

    >>> with besom.init(config={"lr": 0.1}, mode="disabled") as run:
    ...     run.log({"loss": 0.5})
    ...     run.config.lr
    0.1
    """
    for unknown in others:
        warn_once(("init", unknown), f"init() takes no '{unknown}': ignored")
    run = current()
    if run is not None:
        return run
    given = as_mapping(config)
    about = _about(name, notes, tags, group, job_type)
    wanted = _mode(mode)
    if wanted == "disabled":
        run = Run(Nothing(), Identity(id or new_id(), project=project, directory=dir), given, "disabled")
    elif os.environ.get("BESOM_RUN_SOCKET"):
        run = join(os.environ, given, dir)
    else:
        run = _start(wanted, project, id, dir, given, about)
    set_current(run)
    if about:
        run._say_about(about)
    return run


def _mode(mode: Optional[str]) -> str:
    wanted = mode or os.environ.get("BESOM_MODE") or os.environ.get("WANDB_MODE") or "online"
    wanted = {"dryrun": "offline", "run": "online", "shared": "online"}.get(wanted, wanted)
    if wanted not in MODES:
        raise InvalidError(f"mode '{wanted}' is none of {', '.join(MODES)}")
    return wanted


def _about(name: Optional[str], notes: Optional[str], tags: Optional[Sequence[str]], group: Optional[str],
           job_type: Optional[str]) -> Dict[str, Any]:
    about: Dict[str, Any] = {key: str(value) for key, value in
                             (("name", name), ("notes", notes), ("group", group), ("job_type", job_type)) if value}
    if tags:
        about["tags"] = [str(tag) for tag in ([tags] if isinstance(tags, str) else tags)]
    return about


def new_id() -> str:
    """Eight characters that no other run has; the program's seeding of `random` changes nothing."""
    return "".join(random.SystemRandom().choice(_ALPHABET) for _ in range(8))


def _parameters(connection: Connection, environment: Mapping[str, str]) -> Dict[str, Any]:
    try:
        params = connection.ask("config")
    except UnavailableError:
        raise
    except Error:
        with open(environment["BESOM_PARAMS_FILE"], encoding="utf-8") as file:
            params = json.load(file)
    if not isinstance(params, dict):
        raise Error("the run's parameters are no JSON object")
    return params


def join(environment: Mapping[str, str], given: Dict[str, Any], directory: Optional[str] = None) -> Run:
    """The run that an agent's environment names."""
    connection = Connection(environment["BESOM_RUN_SOCKET"])
    params = _parameters(connection, environment)
    identity = Identity.of_environment(environment)
    if directory and "BESOM_RUN_DIR" not in environment:
        identity.directory = directory
    is_single = environment.get("BESOM_RUN_MODE") == "single"
    run = Run(connection, identity, params, "single" if is_single else "sweep",
              frozenset() if is_single else frozenset(params))
    values = merged(given, params)
    run.config._replace(values)
    added = {key: value for key, value in values.items() if key not in params}
    if added:
        run._send_config(added)
    return run


def rejoin(mode: str, run_id: str, project: Optional[str], directory: str) -> Run:
    """The run of another process, in a process that it started."""
    if mode in ("offline", "disabled"):
        return init(project=project, dir=directory, mode=mode, id=run_id)
    return init()


def _start(mode: str, project: Optional[str], run_id: Optional[str], directory: Optional[str], given: Dict[str, Any],
           about: Dict[str, Any]) -> Run:
    """A run of its own: known to a controller, or in a file."""
    if mode == "offline":
        return offline_run(project, run_id, directory, given, "as it was asked for")
    try:
        single = SingleRun(project or os.environ.get("BESOM_PROJECT"), about.get("name"), directory, given)
    except UnavailableError as error:
        return offline_run(project, run_id, directory, given, str(error))
    run = join(single.environment, given, directory)
    attach(run, single)
    if run_id is not None:
        warn_once("id", f"the run is {run.id}: an id is chosen for it, '{run_id}' would count offline")
    say(f"run {run.id} in project {run.project}")
    return run


def offline_run(project: Optional[str], run_id: Optional[str], directory: Optional[str], given: Dict[str, Any],
                why: str) -> Run:
    """A run in a file, with one line that says so and why."""
    parent = directory or os.environ.get("BESOM_DIR") or os.getcwd()
    identity = Identity(run_id or new_id(), project=project or os.environ.get("BESOM_PROJECT"), directory=parent)
    sink = OfflineFile(parent, identity.run_id, {"project": identity.project})
    run = Run(sink, identity, {}, "offline")
    run.config.update(given)
    say(f"offline ({why}): run {identity.run_id} is written to {sink.path} alone, nothing sends it to a controller later")
    return run


@atexit.register
def _finish_at_exit() -> None:
    run = current()
    if run is not None:
        run.finish()
