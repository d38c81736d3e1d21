# SPDX-License-Identifier: Apache-2.0
"""Waiting for conditions, never for time."""
import time


PATIENCE = 4  # a machine that does much else, a disk that is written to


def wait_until(condition, what, seconds=20):
    """The first true value of `condition()`, which a quiet machine has well within `seconds`."""
    deadline = time.monotonic() + PATIENCE * seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {PATIENCE * seconds} s: {what}"
        time.sleep(0.01)
