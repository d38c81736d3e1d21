# SPDX-License-Identifier: Apache-2.0
"""Threads, forks, spawned workers and signals around one run."""
import json
import multiprocessing
import os
import signal
import threading
import time

import pytest

import besom
from waiting import wait_until


def in_worker(number):
    besom.init().log({"worker": number})


def in_worker_with(run, number):
    run.log({"worker": number})


def test_threads(shim):
    run = besom.init()
    threads = [threading.Thread(target=lambda: [run.log({"a": i, "text": "x" * 2000}) for i in range(200)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(shim.wait_for(1600)) == 1600
    assert len(shim.connections) == 1


def test_fork(shim):
    run = besom.init()
    run.log({"parent": 1})
    child = os.fork()
    if child == 0:
        run.log({"child": 1})
        run.finish()  # not the child's to finish
        run.log({"child": 2})
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    run.log({"parent": 2})
    shim.wait_for(4)
    assert [row for row in shim.of("log") if "child" in row] == [{"child": 1}, {"child": 2}]
    assert len(shim.connections) == 2


def test_fork_while_another_thread_logs(shim):
    run = besom.init()
    enough = threading.Event()

    def log_on():
        while not enough.is_set():
            run.log({"thread": 1})

    thread = threading.Thread(target=log_on)
    thread.start()
    try:
        for _ in range(50):
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                run.log({"child": 1})
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        enough.set()
        thread.join()
    wait_until(lambda: len([row for row in list(shim.of("log")) if "child" in row]) == 50, "all children have logged")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers(shim, method):
    run = besom.init()
    context = multiprocessing.get_context(method)
    workers = [context.Process(target=in_worker, args=(i,)) for i in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    run.log({"parent": 1})
    shim.wait_for(4)
    assert sorted(row["worker"] for row in shim.of("log") if "worker" in row) == [0, 1, 2]


def test_run_as_an_argument(shim):
    context = multiprocessing.get_context("spawn")
    worker = context.Process(target=in_worker_with, args=(besom.init(), 7))
    worker.start()
    worker.join()
    assert worker.exitcode == 0 and shim.wait_for(1) == [{"log": {"worker": 7}}]


def test_offline_run_as_an_argument(clean, tmp_path):
    run = besom.init(mode="offline", dir=str(tmp_path))
    run.log({"parent": 1})
    context = multiprocessing.get_context("spawn")
    worker = context.Process(target=in_worker_with, args=(run, 7))
    worker.start()
    worker.join()
    (path,) = (tmp_path / "besom-offline").iterdir()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[1:] == [{"log": {"parent": 1}}, {"log": {"worker": 7}}]


def test_logging_in_a_signal_handler(shim):
    """The handler comes while the same thread is sending."""
    run = besom.init()
    handled = []

    def handler(number, frame):
        handled.append(number)
        run.log({"handler": len(handled), "text": "y" * 3000})

    old = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        deadline = time.monotonic() + 1.0
        count = 0
        while time.monotonic() < deadline:
            run.log({"main": count, "text": "x" * 3000})
            count += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert handled
    shim.wait_for(count + len(handled))
    assert [row["main"] for row in shim.of("log") if "main" in row] == list(range(count))
    assert len([row for row in shim.of("log") if "handler" in row]) == len(handled)


def test_exception_in_the_middle_of_a_line(shim):
    """A line that was cut off by an exception is not joined to the next one."""

    class Interrupt(BaseException):
        pass

    run = besom.init()
    reading = threading.Event()
    shim._take, take = (lambda connection, line: (reading.wait(10), take(connection, line))), shim._take

    def handler(number, frame):
        raise Interrupt

    old = signal.signal(signal.SIGALRM, handler)
    try:
        row = {"n%d" % k: k for k in range(4000)}
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        with pytest.raises(Interrupt):
            for _ in range(100000):
                run.log(row)
    finally:
        signal.signal(signal.SIGALRM, old)
    reading.set()
    run.log({"after": 1})
    wait_until(lambda: {"after": 1} in shim.of("log"), "the next line has come")
    assert all(logged in (row, {"after": 1}) for logged in shim.of("log"))
