# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of optimisers on problems, alone or with asynchronous workers whose times are simulated.

A run is one line of JSON in the run file: what was run, and `regret`, [[trial, regret], …] where it changed: the loss without
noise at the best point as told so far, less the least loss. A run that stands in the file is not run again.
"""
import atexit
import datetime
import heapq
import json
import lzma
import math
import multiprocessing
import os
import random
import signal
import sys
import time

from methods import Failed, Process
from problem_sets import ALL

processes = {}  # of this worker, by method


def workers(mode):
    return 1 if mode == "seq" else int(mode[3:])


class Told:
    """What has been told: the best value, and the regret where it changed."""

    def __init__(self, problem):
        self.problem, self.count, self.failed, self.best, self.regret = problem, 0, 0, math.inf, []

    def add(self, point, chance):
        """Evaluates a point; the fields to tell."""
        self.count += 1
        if self.problem.fails(point, chance):
            self.failed += 1
            return {"state": "failed", "value": None}
        loss = self.problem.loss(point)
        value = self.problem.observe(loss, chance)
        if value < self.best:
            self.best = value
            regret = float(f"{max(0.0, loss - self.problem.least):.5g}")
            if not self.regret or self.regret[-1][1] != regret:
                self.regret.append([self.count, regret])
        return {"state": "finished", "value": value}


def simulate(process, problem, mode, seed, trials):
    """Workers ask when they are free and tell when their run's time is over."""
    told, busy, asked, now = Told(problem), [], 0, 0.0
    while told.count < trials:
        while len(busy) < workers(mode) and asked < trials:
            answer = process.call("ask")
            if answer.get("done"):
                raise Failed(f"{process.name} has nothing left to suggest after {asked}")
            duration = random.Random(f"{problem.name} {seed} {asked} duration").lognormvariate(0, 0.5)
            heapq.heappush(busy, (now + duration, asked, answer["id"], answer["params"]))
            asked += 1
        now, number, identity, point = heapq.heappop(busy)
        fields = told.add(point, random.Random(f"{problem.name} {seed} {number}"))
        process.call("tell", id=identity, **fields)
    return told


def run_one(job):
    method, name, mode, seed, trials = job
    record = {"method": method, "problem": name, "mode": mode, "seed": seed, "trials": trials}
    try:
        if method not in processes:
            processes[method] = Process(method)
        process = processes[method]
        number = 1000 * seed + list(ALL).index(name)
        record["version"] = process.begin(ALL[name], number, workers(mode))
        wall, processor = time.perf_counter(), process.seconds()
        told = simulate(process, ALL[name], mode, seed, trials)
        record.update(regret=told.regret, failed=told.failed, wall_s=round(time.perf_counter() - wall, 3),
                      cpu_s=round(process.seconds() - processor, 2),
                      date=datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"))
    except Failed as error:
        record["error"] = str(error)
        if method in processes:
            processes.pop(method).close()
    return record


def read(paths):
    """The good runs of run files, the longest of each kind, by (method, problem, mode, seed)."""
    runs = {}
    for path in paths:
        with (lzma.open if path.endswith(".xz") else open)(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                if not line.endswith("\n"):
                    continue  # cut off while it was written
                run = json.loads(line)
                key = (run["method"], run["problem"], run["mode"], run["seed"])
                if "error" not in run and (key not in runs or runs[key]["trials"] <= run["trials"]):
                    runs[key] = run
    return runs


class Progress:
    def __init__(self, total):
        self.total, self.done, self.began, self.terminal = total, 0, time.monotonic(), sys.stderr.isatty()

    def step(self, record):
        self.done += 1
        spent = time.monotonic() - self.began
        left = spent / self.done * (self.total - self.done)
        text = f"{self.done} of {self.total} runs, {spent:.0f} s, about {left:.0f} s left"
        if "error" in record:
            print(("\r\033[K" if self.terminal else "") + "failed: {method} {problem} {mode} {seed}: {error}".format(**record),
                  file=sys.stderr)
        if self.terminal:
            print(f"\r\033[K{text}: {record['method']} {record['problem']} {record['mode']}", end="", file=sys.stderr, flush=True)
            if self.done == self.total:
                print(file=sys.stderr)
        elif self.done % 50 == 0 or self.done == self.total:
            print(text, file=sys.stderr, flush=True)


def start_worker():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    atexit.register(lambda: [process.close() for process in processes.values()])


def end_cut_line(path):
    """A line that was cut off while it was written becomes one of its own, which reading leaves out."""
    if os.path.exists(path):
        with open(path, "rb+") as file:
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)


def run(jobs, path, count, seconds):
    """Runs the jobs that the file does not have; how many failed, or were left when the time was over."""
    end_cut_line(path)
    have = read([path]) if os.path.exists(path) else {}
    jobs = [job for job in jobs if job[:4] not in have or have[job[:4]]["trials"] < job[4]]
    print(f"{len(jobs)} runs to do", file=sys.stderr, flush=True)
    progress, bad = Progress(len(jobs)), 0
    end = time.monotonic() + (seconds or math.inf)
    with multiprocessing.Pool(count, start_worker) as pool, open(path, "a", encoding="utf-8") as file:
        for record in pool.imap_unordered(run_one, jobs):
            file.write(json.dumps(record) + "\n")
            file.flush()
            progress.step(record)
            bad += "error" in record
            if time.monotonic() > end and progress.done < len(jobs):
                print(f"\ntime is over, {len(jobs) - progress.done} runs are left", file=sys.stderr)
                return bad + len(jobs) - progress.done
    return bad
