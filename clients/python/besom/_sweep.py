# SPDX-License-Identifier: Apache-2.0
"""`besom.sweep()`: making a sweep from a dict, a function or a file."""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

from ._command import answer
from ._values import plain
from .errors import InvalidError


def sweep(sweep: Union[Mapping[str, Any], str, "os.PathLike[str]", Callable[[], Mapping[str, Any]]],
          project: Optional[str] = None, name: Optional[str] = None, prior_runs: Optional[Sequence[str]] = None) -> str:
    """Makes a sweep and returns its id, eight letters and digits.

    `sweep` is a sweep file's content as a dict, a function that returns one, or the file's path. `prior_runs` are ids of ended
    runs that the sweep begins with. InvalidError, with every mistake that was found, when the sweep is wrong;
    UnavailableError without a controller.
    """
    if callable(sweep):
        sweep = sweep()
    options: List[str] = []
    for option, value in (("--project", project), ("--name", name)):
        if value:
            options += [option, value]
    for run in prior_runs or ():
        options += ["--prior-run", run]
    if isinstance(sweep, Mapping):
        made = _from_dict(sweep, options)
    elif isinstance(sweep, (str, os.PathLike)):
        made = answer("sweep", *options, os.fspath(sweep))
    else:
        raise InvalidError(f"a sweep is a dict, a path or a function, not a {type(sweep).__name__}")
    sweep_id = str(made["sweep_id"])
    print(f"Create sweep with ID: {sweep_id}")
    print(f"Run sweep agent with: besom agent {sweep_id}")
    return sweep_id


def _from_dict(content: Mapping[str, Any], options: List[str]) -> Dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="besom-") as folder:
        path = os.path.join(folder, "sweep.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(plain(content), file, indent=2)
        try:
            made = answer("sweep", *options, path)
        except InvalidError as error:
            raise InvalidError(str(error).replace(path, "sweep")) from None
    assert isinstance(made, dict)
    return made
