#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command of the fault tests: notes its start and end in an fsynced file, logs numbered values between.

Arguments: --point=N --seconds=S ("auto": taken from the point, so that most points take up to 3 s, some exit at
once and some run for many seconds); the journal is named by FAULTS_JOURNAL. Lines of the journal, tab-separated:
start|tick|end, point, run, attempt, pid, time in ns of a clock that all processes of the machine share.
"""
import json
import os
import socket
import sys
import time
import zlib

VALUES = 50


def note(fd, what, point, durable=True):
    fields = (what, point, os.environ["BESOM_RUN_ID"], os.environ["BESOM_ATTEMPT"], os.getpid(), time.monotonic_ns())
    os.write(fd, ("\t".join(str(field) for field in fields) + "\n").encode())
    if durable:
        os.fsync(fd)


def seconds_of(point):
    number = zlib.crc32(point.encode())
    if number % 10 == 0:
        return 0.0
    if number % 25 == 1:
        return 15.0
    return number % 31 / 10


def main():
    arguments = dict(argument[2:].split("=", 1) for argument in sys.argv[1:])
    point = arguments["point"]
    seconds = seconds_of(point) if arguments["seconds"] == "auto" else float(arguments["seconds"])
    journal = os.open(os.environ["FAULTS_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    note(journal, "start", point)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as run:
        run.connect(os.environ["BESOM_RUN_SOCKET"])
        for number in range(VALUES):
            run.sendall((json.dumps({"log": {"value": float(number)}, "step": number}) + "\n").encode())
            if seconds > 0:
                note(journal, "tick", point, durable=False)
                time.sleep(seconds / VALUES)
    note(journal, "end", point)


if __name__ == "__main__":
    main()
