# SPDX-License-Identifier: GPL-3.0-or-later
"""The optimisers that are compared, where they are found, and a process of one of them.

To add one: a class in peer.py, a row in METHODS, and a file of pinned versions in requirements/.
"""
import collections
import glob
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}

Method = collections.namedtuple("Method", "label place optimizer", defaults=(None,))

METHODS = {  # place: the folder of the peer's Python among those of install-peers; None: comes with Besom
    "besom": Method("Besom (gp)", None, "gp"),
    "besom-tpe": Method("Besom, optimizer: tpe", None, "tpe"),
    "besom-cmaes": Method("Besom, optimizer: cmaes", None, "cmaes"),
    "besom-sobol": Method("Besom, optimizer: sobol", None, "sobol"),
    "optuna-tpe": Method("Optuna TPE (its default)", "optuna"),
    "optuna-gp": Method("Optuna GP", "optuna"),
    "optuna-cmaes": Method("Optuna CMA-ES", "optuna"),
    "wandb-bayes": Method("W&B bayes", "wandb"),
    "skopt": Method("scikit-optimize", "skopt"),
    "hebo": Method("HEBO", "hebo"),
    "ax": Method("Ax (BoTorch)", "ax"),
    "vizier": Method("Vizier", "vizier"),
    "random": Method("random", None),
}


class Failed(Exception):
    """An optimiser answered with an error, or ended."""


def binaries():
    return os.environ.get("BESOM_BIN", os.path.join(ROOT, "build", "release", "bin"))


def peers():
    return os.environ.get("BESOM_BENCH_PEERS", os.path.join(ROOT, "build", "peers"))


def label(name):
    return METHODS[name].label if name in METHODS else name


def command(name):
    """What starts a method, or None when it is not installed."""
    method = METHODS[name]
    if method.optimizer:
        program = os.path.join(binaries(), "besom-suggestion")
        return [program, "--stdio"] if os.access(program, os.X_OK) else None
    python = sys.executable if method.place is None else os.path.join(peers(), method.place, "bin", "python")
    return [python, os.path.join(HERE, "peer.py"), name] if os.access(python, os.X_OK) else None


def why_missing(name):
    """Why a method did not install, in the words that install-peers noted."""
    try:
        with open(os.path.join(peers(), f"{METHODS[name].place}.failed"), encoding="utf-8") as note:
            return "not installed: " + note.read().strip()
    except OSError:
        return "not installed"


def read_words(path, after=""):
    """The words of a file, those after the last `after`; none when the process or the file is not there."""
    try:
        with open(path, encoding="utf-8") as file:
            return (file.read().rsplit(after, 1)[-1] if after else file.read()).split()
    except OSError:
        return []


class Process:
    """A running optimiser. `seconds` is the processor time it has taken so far."""

    def __init__(self, name):
        self.name, self.optimizer = name, METHODS[name].optimizer
        arguments = command(name)
        if arguments is None:
            raise Failed(f"{name} is {why_missing(name)}")
        kept = {key: value for key, value in os.environ.items() if not key.startswith("BESOM_")}
        self.process = subprocess.Popen(arguments, text=True, env={**kept, **ONE_THREAD}, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def call(self, op, **fields):
        try:
            self.process.stdin.write(json.dumps({"op": op, **fields}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except OSError as error:
            raise Failed(f"{self.name}: {error}") from error
        if not line:
            raise Failed(f"{self.name} ended with code {self.process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(f"{self.name}: {answer['error']}")
        return answer

    def begin(self, problem, seed, parallel):
        """Starts a new study; the version of what answers."""
        from spaces import sweep_file
        own = {"conditions": True, "optimizer": self.optimizer} if self.optimizer else {}
        answer = self.call("init", space=problem.space, sweep_config=sweep_file(problem.space, **own), seed=seed, parallel=parallel)
        return answer.get("version") or self.program_version()

    def program_version(self):
        return subprocess.run([self.process.args[0], "--version"], capture_output=True, text=True, check=True).stdout.strip()

    def seconds(self):
        """To the nanosecond of living threads, or to the tick of all, whichever is more."""
        folder = f"/proc/{self.process.pid}"
        threads = [read_words(path) for path in glob.glob(f"{folder}/task/*/schedstat")]
        ticks = read_words(f"{folder}/stat", after=")")
        living = sum(int(words[0]) for words in threads if words) / 1e9
        return max(living, (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")) if ticks else living

    def close(self):
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
