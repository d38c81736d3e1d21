# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine of its own for an agent: a network namespace behind a cable that can be pulled. Needs root and iproute2."""
import os
import subprocess
import uuid


def run(*command):
    subprocess.run(command, check=True, capture_output=True, text=True)


def is_possible():
    """Whether namespaces can be made here."""
    name = f"besom-{uuid.uuid4().hex[:6]}"
    try:
        run("ip", "netns", "add", name)
        run("ip", "netns", "delete", name)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


class Island:
    """The outer end of the cable has the address `outside`; `command` is put in front of what runs inside."""

    def __init__(self):
        mark = uuid.uuid4().hex[:6]
        third, fourth = os.getpid() % 250, int(mark, 16) % 62 * 4
        self.namespace = f"besom-{mark}"
        self.cable, inner = f"bo-{mark}", f"bi-{mark}"
        self.outside, inside = f"10.213.{third}.{fourth + 1}", f"10.213.{third}.{fourth + 2}"
        run("ip", "netns", "add", self.namespace)
        run("ip", "link", "add", self.cable, "type", "veth", "peer", "name", inner)
        run("ip", "link", "set", inner, "netns", self.namespace)
        run("ip", "addr", "add", f"{self.outside}/30", "dev", self.cable)
        run("ip", "link", "set", self.cable, "up")
        for words in (("addr", "add", f"{inside}/30", "dev", inner), ("link", "set", inner, "up"), ("link", "set", "lo", "up")):
            run("ip", "-n", self.namespace, *words)
        self.command = ["ip", "netns", "exec", self.namespace]

    def cut(self):
        """Nothing passes any more, and nobody is told."""
        run("ip", "link", "set", self.cable, "down")

    def mend(self):
        run("ip", "link", "set", self.cable, "up")

    def close(self):
        for command in (["ip", "link", "delete", self.cable], ["ip", "netns", "delete", self.namespace]):
            subprocess.run(command, check=False, capture_output=True)
