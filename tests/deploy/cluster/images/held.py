#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A point of the fault tests (point.py); those from HELD_FROM on wait until the file HELD_UNTIL is there."""
import os
import sys
import time

import point

number = int(next(argument for argument in sys.argv if argument.startswith("--point=")).split("=")[1])
while number >= int(os.environ["HELD_FROM"]) and not os.path.exists(os.environ["HELD_UNTIL"]):
    time.sleep(0.1)
point.main()
