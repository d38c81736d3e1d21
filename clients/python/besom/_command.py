# SPDX-License-Identifier: Apache-2.0
"""The programs `besom` and `besom-agent`: where they are, and what they answer."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any, List, Optional

from .errors import Error, UnavailableError, from_exit_code

_TIMEOUT_S = 300


def find(name: str) -> Optional[str]:
    """The program's path: in BESOM_BIN, on PATH, or in the installation that this package belongs to; else None."""
    here = os.path.dirname(os.path.abspath(__file__))
    prefix = os.path.normpath(os.path.join(here, "..", "..", "..", ".."))  # PREFIX/share/besom/python/besom
    folders = [os.environ.get("BESOM_BIN"), os.environ.get("PATH", os.defpath), os.path.join(prefix, "bin")]
    for folder in folders:
        found = shutil.which(name, path=folder) if folder else None
        if found is not None:
            return os.path.abspath(found)
    return None


def program(name: str) -> str:
    """As `find`; UnavailableError when it is nowhere."""
    found = find(name)
    if found is None:
        raise UnavailableError(f"the program {name} is neither in BESOM_BIN nor on PATH (is Besom installed here?)")
    return found


def last_line(text: str) -> str:
    """What a program says it failed of."""
    lines = [line for line in text.splitlines() if line.strip()]
    line = lines[-1] if lines else ""
    return line[len("besom: "):] if line.startswith("besom: ") else line


def answer(*arguments: str) -> Any:
    """What `besom ARGUMENTS --json` prints, parsed. An Error by its exit code."""
    command: List[str] = [program("besom"), *arguments, "--json"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"besom {arguments[0]}: {error}") from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace")
        text = said.strip() if done.returncode == 2 else last_line(said)
        raise from_exit_code(done.returncode, text or f"besom {arguments[0]} ended with {done.returncode}")
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        raise Error(f"besom {arguments[0]} printed no JSON: {error}") from error


def controller_is_known() -> bool:
    """An address is set, or a local stack has recorded its own. Nobody was asked whether it answers."""
    if os.environ.get("BESOM_ADDRESS"):
        return True
    home = os.environ.get("BESOM_HOME")
    if not home:
        data = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
        home = os.path.join(data, "besom")
    return os.path.exists(os.path.join(home, "endpoint"))
