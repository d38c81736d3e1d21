#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a new result to the next Bayesian suggestion, as a caller of besom-suggestion sees it.

    tests/bench/run suggest_latency    or, on a running `besom up`: BESOM_DATABASE_URL=... tests/bench/suggest_latency.py [--sweeps N]

Sweeps of ten parameters get 100, 1,000 or 10,000 results in the database; then each of 25 asks is for the next ordinal with one
result more than the ask before, so reading it, learning from it and choosing are all within the time. The results are those of random
points, as in tests/bench/optimizer. The first ask makes the model from nothing and is told apart.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

import grpc
import psycopg2
from psycopg2.extras import execute_values

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import stubs  # noqa: E402

DIMENSIONS = 10
ASKS = 25
GOALS_MS = {100: (10, 30), 1000: (60, 200), 10000: (100, None)}  # results: median, 99th percentile
SWEEP = {"method": "bayes", "command": ["true"], "metric": {"name": "loss", "goal": "minimize"},
         "parameters": {f"x{i}": {"min": -5.0, "max": 5.0} for i in range(DIMENSIONS)}}


def suggestion_modules(folder):
    stubs.generate(folder, "proto")
    from besom.v1 import suggestion_service_pb2, suggestion_service_pb2_grpc
    return suggestion_service_pb2, suggestion_service_pb2_grpc


def read(name):
    with open(os.path.join(os.environ["BESOM_HOME"], name)) as file:
        return file.read().strip()


def besom(*arguments):
    program = os.path.join(os.environ["BESOM_BIN"], "besom")
    return subprocess.run([program, *arguments], check=True, capture_output=True, text=True).stdout


def loss_of(point):
    """An ill-conditioned bowl off the centre, on a logarithm's scale."""
    return sum(10 ** (3 * i / (DIMENSIONS - 1)) * (x - 1) ** 2 for i, x in enumerate(point)) ** 0.25


def results(seed, count):
    draws = random.Random(seed)
    for _ in range(count):
        point = [draws.uniform(-5, 5) for _ in range(DIMENSIONS)]
        yield point, loss_of(point)


def new_sweep(database, folder, seed, count):
    """A paused sweep with so many results, numbered from 1 in the order of their ordinals from 0."""
    path = os.path.join(folder, "sweep.yaml")
    with open(path, "w") as file:
        json.dump(SWEEP, file)
    sweep = json.loads(besom("sweep", "--json", path))["sweep_id"]
    besom("sweep", "--pause", sweep)
    rows = [(sweep, f"{i:08x}", i, 1, json.dumps({f"x{k}": x for k, x in enumerate(point)}), i.to_bytes(32, "big"), False, i,
             "finished", loss, i + 1) for i, (point, loss) in enumerate(results(seed, count))]
    with database, database.cursor() as cursor:
        cursor.execute("DELETE FROM besom.runs WHERE sweep_id = %s", (sweep,))
        execute_values(cursor, "INSERT INTO besom.runs (sweep_id, run_id, ordinal, spec_version, params, config_hash, unique_config,"
                       " run_seed, state, objective, result_number) VALUES %s", rows)
        cursor.execute("UPDATE besom.sweep_counters SET results = %s WHERE sweep_id = %s", (count, sweep))
    return sweep


def measure(ask, sweep, count):
    """Milliseconds of the first ask, and of those that follow."""
    took = []
    for cursor in range(count, count + ASKS + 1):
        begun = time.monotonic()
        answer = ask(sweep_id=sweep, spec_version=1, first_ordinal=cursor, count=1, result_cursor=cursor)
        took.append(1000 * (time.monotonic() - begun))
        why = json.loads(answer.suggestions[0].why_json)
        assert why["results"] == cursor, why
    return took[0], took[1:]


def verdict(name, value, goal):
    met = value <= goal
    print(f"suggest_latency/{name} {value:.2f} ms (goal at most {goal:.2f}) {'ok' if met else 'missed'}")
    return met


def measure_all(ask, database, folder, sweeps, count):
    """The verdicts for one number of results."""
    pairs = [measure(ask, new_sweep(database, folder, seed, count + ASKS), count) for seed in range(sweeps)]
    took = [one for _, rest in pairs for one in rest]
    cuts = statistics.quantiles(took, n=100, method="inclusive")
    print(f"after {count} results, {len(took)} asks: {cuts[49]:.1f} ms median, {cuts[98]:.1f} ms 99th percentile, "
          f"{max(took):.1f} ms at most; {statistics.median(first for first, _ in pairs):.0f} ms from nothing")
    goal, goal_99 = GOALS_MS[count]
    met = verdict(f"{count}/median", cuts[49], goal)
    return met if goal_99 is None else verdict(f"{count}/p99", cuts[98], goal_99) and met


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sweeps", type=int, default=8)
    sweeps = options.parse_args().sweeps
    directory = os.path.dirname(read("endpoint")[len("unix:"):])
    metadata = [("authorization", "Bearer " + read("service-token"))]
    database = psycopg2.connect(os.environ["BESOM_DATABASE_URL"])
    with tempfile.TemporaryDirectory(prefix="besom-bench-") as folder, \
            grpc.insecure_channel(f"unix:{directory}/suggestion.sock") as channel:
        messages, services = suggestion_modules(folder)
        stub = services.SuggestionServiceStub(channel)

        def ask(**fields):
            return stub.Suggest(messages.SuggestRequest(**fields), metadata=metadata, timeout=120)

        met = [measure_all(ask, database, folder, sweeps, count) for count in GOALS_MS]
    database.close()
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
