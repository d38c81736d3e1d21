# SPDX-License-Identifier: Apache-2.0
"""Lines for people, on stderr, and warnings that are said once for each process."""

from __future__ import annotations

import sys
from typing import Hashable, Set

_said: Set[Hashable] = set()


def say(text: str) -> None:
    """One line. A stderr that is closed or None is no reason to fail."""
    try:
        print("besom: " + text, file=sys.stderr, flush=True)
    except (OSError, ValueError, AttributeError):
        pass


def warn_once(key: Hashable, text: str) -> None:
    """`text`, unless something was said for `key` before."""
    if key not in _said:
        _said.add(key)
        say(text)
