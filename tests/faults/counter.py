#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs 0, 1, 2, ... as `value` with a pause between, and a line in a journal for each.

Arguments: --count=N --pause=S [--offset=X]; FAULTS_JOURNAL is a file that each logged value is appended to (attempt,
value). While FAULTS_FLAG exists, the first attempt logs 1000000 more than it would: what came after the flag is told
from what came before. With --until-flag=X the program goes on past N until the file X exists.
"""
import json
import os
import socket
import sys
import time


def main():
    arguments = dict(argument[2:].split("=", 1) for argument in sys.argv[1:])
    attempt = int(os.environ["BESOM_ATTEMPT"])
    flag = os.environ.get("FAULTS_FLAG", "")
    until = arguments.get("until-flag", "")
    number = 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as run, open(os.environ["FAULTS_JOURNAL"], "a") as journal:
        run.connect(os.environ["BESOM_RUN_SOCKET"])
        while number < int(arguments["count"]) or (until and not os.path.exists(until)):
            late = attempt == 1 and flag and os.path.exists(flag)
            value = float(number + 100000 * attempt + (1000000 if late else 0))
            journal.write(f"{attempt}\t{value}\n")  # first: it may be killed between the two
            journal.flush()
            run.sendall((json.dumps({"log": {"value": value}, "step": number}) + "\n").encode())
            number += 1
            time.sleep(float(arguments["pause"]))


if __name__ == "__main__":
    main()
