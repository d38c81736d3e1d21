# SPDX-License-Identifier: GPL-3.0-or-later
"""A local stack of its own for one test: `besom up` in a temporary home, commands, agents, and a clean end."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

BIN = os.environ.get("BESOM_BIN", os.path.abspath("build/dev/bin"))


def processes():
    """pid → (parent, name) of every process that is not a zombie."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat") as stat:
                text = stat.read()
        except OSError:
            continue
        name = text[text.index("(") + 1:text.rindex(")")]
        state, parent = text[text.rindex(")") + 2:].split()[:2]
        if state != "Z":
            found[int(entry)] = (int(parent), name)
    return found


def read_bytes(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def belongs_to(pid, home):
    """The process was started with this home in its environment or arguments."""
    return home.encode() in read_bytes(f"/proc/{pid}/environ") + read_bytes(f"/proc/{pid}/cmdline")


PATIENCE = 4  # a machine that does much else, a disk that is written to


def wait_for(condition, seconds, what):
    """The first true value of `condition()`, which a quiet machine has well within `seconds`."""
    deadline = time.monotonic() + PATIENCE * seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {PATIENCE * seconds} s: {what}"
        time.sleep(0.02)


def end(started):
    """SIGTERM to all processes, SIGKILL to those that stay."""
    for process in started:
        if process.poll() is None:
            process.terminate()
    for process in started:
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_ports(count):
    """Ports of the loopback that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class LocalStack:
    """`besom up` in a home of its own, and its agents. Settings are environment variables of the services."""

    def __init__(self, **settings):
        self.home = tempfile.mkdtemp(prefix="besom-test-")
        os.chmod(self.home, 0o755)
        self.environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("BESOM_", "WANDB_", "XDG_"))
        }
        self.environment.update(BESOM_HOME=os.path.join(self.home, "besom"),
                                XDG_STATE_HOME=os.path.join(self.home, "state"), **settings)
        self.agents = {}  # number → Popen

    def __enter__(self):
        try:
            self.up()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def command(self, *arguments, check=True, timeout=120):
        done = subprocess.run([os.path.join(BIN, "besom"), *arguments], env=self.environment, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"besom {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def json(self, *arguments):
        return json.loads(self.command(*arguments, "--json").stdout)

    def up(self, *arguments):
        self.command("up", "--detach", *arguments)

    def write(self, name, text):
        path = os.path.join(self.home, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def create(self, text):
        """The id of a new sweep from the text of a sweep file."""
        return self.json("sweep", self.write("sweep.yaml", text))["sweep_id"]

    def start_agent(self, sweep, number=0, *arguments):
        with open(self.agent_log(number), "ab") as log:
            self.agents[number] = subprocess.Popen(
                [os.path.join(BIN, "besom-agent"), "--state-dir", os.path.join(self.home, f"agent-{number}"),
                 *arguments, sweep],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        return self.agents[number]

    def agent_log(self, number=0):
        return os.path.join(self.home, f"agent-{number}.log")

    def agent_text(self, number=0):
        return read_bytes(self.agent_log(number)).decode(errors="replace")

    def runs(self, sweep):
        return self.json("runs", sweep)["runs"]

    def pids(self, name):
        """Processes of this stack whose program has that name."""
        return [pid for pid, (_, own) in processes().items() if own == name[:15] and belongs_to(pid, self.home)]

    def left_behind(self):
        return {pid: name for pid, (_, name) in processes().items() if pid != os.getpid() and belongs_to(pid, self.home)}

    def close(self):
        """Stops agents and stack, and fails when any process of theirs is left."""
        end(self.agents.values())
        keep = ["--purge"] if not os.environ.get("BESOM_TEST_KEEP") else []
        self.command("down", *keep, check=False)
        left = self.left_behind()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        if not os.environ.get("BESOM_TEST_KEEP"):
            shutil.rmtree(self.home, ignore_errors=True)
        assert not left, f"left behind: {left}"
