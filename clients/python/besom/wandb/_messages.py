# SPDX-License-Identifier: Apache-2.0
"""Lines for people on stderr. `WANDB_SILENT` (or `silent()`) keeps all but errors away."""
import os
import sys

_said = set()
_quiet = False


def silent(value=True):
    global _quiet
    _quiet = bool(value)


def is_silent():
    return _quiet or os.environ.get("WANDB_SILENT", "").lower() in ("1", "true", "yes", "on")


def _say(level, text, newline, repeat):
    if not repeat:
        if (level, text) in _said:
            return
        _said.add((level, text))
    if is_silent() and level != "ERROR ":
        return
    try:
        sys.stderr.write("".join("besom: " + level + line + "\n" for line in str(text).split("\n"))
                         if newline else str(text))
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass  # no stderr: nobody to tell


def termlog(string="", newline=True, repeat=True, prefix=True):
    _say("", string, newline, repeat)


def termwarn(string="", newline=True, repeat=True, prefix=True):
    _say("WARNING ", string, newline, repeat)


def termerror(string="", newline=True, repeat=True, prefix=True):
    _say("ERROR ", string, newline, repeat)


def log_once(text):
    termlog(text, repeat=False)


def warn_once(text):
    termwarn(text, repeat=False)
