# SPDX-License-Identifier: Apache-2.0
"""Waiting for conditions, never for time."""
import time


def wait_until(condition, what, seconds=20):
    """The first true value of `condition()`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)
