#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an installation of a size needs: measured here on local stacks, printed as the tables of docs/operations.md.

    tests/bench/sizing.py [--short]    BESOM_BIN names the folder of the programs (default build/release/bin)

Rows and bytes of runs with their metrics, memory and processors of services and PostgreSQL under a steady load, memory
with many agents and with many runs, connections. The last table multiplies: it is no measurement.
"""
import argparse
import importlib.machinery
import importlib.util
import os
import re
import subprocess
import sys
import time


HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True


def load_bench():
    """tests/bench/run as a module: its stacks can be pointed at."""
    loader = importlib.machinery.SourceFileLoader("bench_run", os.path.join(HERE, "run"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench_run", loader))
    loader.exec_module(module)
    return module


bench = load_bench()
import postgres  # noqa: E402
from localstack import belongs_to, processes, read_bytes, wait_for  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
SERVICES = ("besom-controlle", "besom-suggestio", "besom-scheduler")
SHAPES = ((10, 100, 40), (10, 1000, 20), (20, 10000, 4))  # metrics, points of each, runs
LOAD = (100, 10, 1)  # runs, metrics, rows a second: as at the sites below
AGENTS = 1000
RUNS = 100000
# GPUs, each with a run that logs ten metrics a second and takes half an hour.
SITES = (10, 200, 2000)
POINTS_A_SECOND = 10
RUNS_A_DAY = 48
HEADROOM = 3

LOGGER = '''
import json, os, random, socket, sys, time
metrics, rows, pause = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
run = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
run.connect(os.environ["BESOM_RUN_SOCKET"])
begin = time.monotonic()
for row in range(rows):
    values = {f"m{i}": 1 / (row + 1) + random.gauss(0, 0.01) for i in range(metrics)}
    run.sendall((json.dumps({"log": values}) + "\\n").encode())
    if pause > 0:
        time.sleep(max(0, begin + (row + 1) * pause - time.monotonic()))
'''
SWEEP = """
method: grid
metric: {{name: m0, goal: minimize}}
program: {program}
command: [/usr/bin/python3, -I, -S, "${{program}}", "{metrics}", "{rows}", "{pause}"]
parameters: {{a: {{values: {values}}}, b: {{value: 0.001}}, c: {{value: adam}}}}
"""
# What writing uses and frees again, and what is once for a sweep or an agent.
PASSING = ("metric_inbox", "leases", "directives", "agents", "events")


class Site(bench.Stack):
    def query(self, sql):
        return postgres.query(sql, self.database_url())

    def service_processes(self):
        """name → pids: the services, and all of PostgreSQL."""
        table = processes()
        found = {name: [pid for pid, (_, own) in table.items() if own == name and belongs_to(pid, self.home)] for name in SERVICES}
        masters = [pid for pid, (_, name) in table.items() if name == "postgres" and belongs_to(pid, self.home)]
        found["postgres"] = sorted({*masters, *(pid for pid, (parent, _) in table.items() if parent in masters)})
        return found

    def start_load(self, runs, metrics, rows, pause, number=0):
        sweep = self.create(SWEEP.format(program=self.write("logger.py", LOGGER), metrics=metrics, rows=rows, pause=pause,
                                         values=list(range(runs))))
        self.start_agent(sweep, number, "-j", str(runs if pause > 0 else min(runs, 10)), "--quiet")
        return sweep


def cpu_s(pids):
    """Processor time of the processes and of those of their children that have ended."""
    ticks = 0
    for pid in pids:
        text = read_bytes(f"/proc/{pid}/stat").decode()
        fields = text[text.rindex(")") + 2:].split() if text else []
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / TICKS


def memory_mb(pids):
    """Resident memory that is a process's own, and what they share counted in parts."""
    kb = 0
    for pid in pids:
        match = re.search(rb"^Pss:\s+(\d+) kB", read_bytes(f"/proc/{pid}/smaps_rollup"), re.M)
        kb += int(match.group(1)) if match else 0
    return kb / 1024


def sizes(site):
    """table → (rows, bytes with indexes), after a vacuum."""
    site.query("VACUUM ANALYZE")
    tables = [name for (name,) in site.query("SELECT tablename FROM pg_tables WHERE schemaname = 'besom'")]
    return {name: site.query(f"SELECT (SELECT count(*) FROM besom.{name}), pg_total_relation_size('besom.{name}')")[0]
            for name in tables}


def wait_for_packing(site):
    wait_for(lambda: site.query("SELECT count(*) FROM besom.metric_inbox")[0][0] == 0, 120, "all metrics are packed")


def measure_run(site, metrics, rows, runs, number):
    """Rows and bytes that a run adds with its metrics, and rows besides."""
    before = sizes(site)
    sweep = site.start_load(runs, metrics, rows, 0, number)
    assert site.agents[number].wait(600) == 0, site.agent_text(number)[-2000:]
    wait_for_packing(site)
    after = sizes(site)
    points = site.query(f"SELECT sum(points) FROM besom.metric_chunks WHERE sweep_id = '{sweep}'")[0][0]
    assert points == metrics * rows * runs, "what was logged is not what is stored"
    grown = {name: (after[name][0] - before[name][0], after[name][1] - before[name][1]) for name in after}
    chunk_rows, chunk_bytes = grown["metric_chunks"]
    rest = sum(pair[0] for name, pair in grown.items() if name not in (*PASSING, "metric_chunks"))
    print(f"| {metrics} × {rows:,} | {chunk_rows / runs:,.0f} | {chunk_bytes / runs / 1024:,.0f} KB | "
          f"{chunk_bytes / points:.1f} | {rest / runs:,.0f} |", flush=True)
    return chunk_bytes / points


def measure_rows(shapes):
    print("\n| metrics × points | rows of metrics | bytes of metrics | bytes a point | other rows |\n|---|---|---|---|---|")
    with Site() as site:
        site.start_load(1, 1, 1, 0, 99)  # tables and indexes have their first pages
        assert site.agents[99].wait(60) == 0
        return [measure_run(site, *shape, number) for number, shape in enumerate(shapes)][-1]


def measure_load(seconds):
    """Processors and memory while metrics come steadily."""
    runs, metrics, rows_a_second = LOAD
    print(f"\n{runs} runs log {metrics} metrics {rows_a_second} times a second, {runs * metrics * rows_a_second:,} points/s, for "
          f"{seconds} s:\n\n| process | processors for 1,000 points/s | memory | connections |\n|---|---|---|---|")
    cost = {}
    with Site() as site:
        site.start_load(runs, metrics, 3600 * rows_a_second, 1 / rows_a_second)
        stored = "SELECT coalesce(sum(points), 0)::bigint FROM besom.run_summaries"
        started = "SELECT count(DISTINCT run_id) FROM besom.run_summaries"
        wait_for(lambda: site.query(started)[0][0] == runs, 120, "metrics of all runs come")
        pids = site.service_processes()
        points, used, begin = site.query(stored)[0][0], {name: cpu_s(of) for name, of in pids.items()}, time.monotonic()
        time.sleep(seconds)
        points, took = site.query(stored)[0][0] - points, time.monotonic() - begin
        rate = points / took
        open_now = site.query("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")[0][0] - 1
        for name, of in pids.items():
            cost[name] = 1000 * (cpu_s(of) - used[name]) / took / rate
            print(f"| {full_name(name)} | {cost[name]:.3f} | {memory_mb(of):.0f} MB | {open_now if name == 'postgres' else ''} |")
        print(f"\n{rate:,.0f} points/s came.", flush=True)
        site.agents[0].terminate()
    assert rate > 0.8 * runs * metrics * rows_a_second, "the machine was too busy for the load"
    return cost


def full_name(name):
    return {"besom-controlle": "besom-controller", "besom-suggestio": "besom-suggestion", "postgres": "PostgreSQL"}.get(name, name)


def measure_agents(count):
    """KB of the controller for each agent that waits, with and without TLS, as tests/bench/run says it."""
    kb = {}
    bench.print = lambda *_, **__: None  # it tells its goal; here the figure alone counts
    for name, run in (("without TLS", bench.idle_agents_plain), ("with TLS", bench.idle_agents_tls)):
        code, verdicts = run(["1000000", str(count), "3"])
        assert code == 0 and verdicts, "bench_idle_agents"
        kb[name] = float(verdicts[0].split()[1])
    print(f"\n{count:,} agents that wait: " + ", ".join(f"{value:.0f} KB of besom-controller each {name}" for name, value in kb.items()) +
          ".", flush=True)
    return kb


def fill_runs(site, sweep, count):
    """Ended runs as a long sweep leaves them, each with a value at the rule's first band; written straight."""
    for statement in (
            f"""INSERT INTO besom.runs (sweep_id, run_id, ordinal, spec_version, params, config_hash, unique_config, run_seed,
                    state, attempt, objective, result_number, started_at, ended_at)
                SELECT '{sweep}', 'f' || lpad(n::text, 7, '0'), n + 1000000, 1, '{{"x": ' || random() || '}}', '', false, n, 'finished', 1,
                    random(), n, now(), now() FROM generate_series(1, {count}) n""",
            f"""INSERT INTO besom.run_attempts (sweep_id, run_id, attempt, agent_id, slot, counter, started_at, ended_at,
                    last_sequence, metric_rows, best_value, bands_reached)
                SELECT '{sweep}', 'f' || lpad(n::text, 7, '0'), 1, 'filler0000000000', 0, n, now(), now(), 1, 10, 0.5, 1
                FROM generate_series(1, {count}) n""",
            f"""INSERT INTO besom.run_summaries (sweep_id, run_id, attempt, name, points, last, last_step, min, max)
                SELECT '{sweep}', 'f' || lpad(n::text, 7, '0'), 1, 'loss', 10, random(), 9, 0, 1
                FROM generate_series(1, {count}) n""",
            f"""INSERT INTO besom.rung_values (sweep_id, number, run_id, attempt, band_index, band, value, best)
                SELECT '{sweep}', n, 'f' || lpad(n::text, 7, '0'), 1, 0, 3, v, v
                FROM (SELECT n, random() AS v FROM generate_series(1, {count}) n) s""",
            f"UPDATE besom.sweep_counters SET results = {count}, rung_values = {count} WHERE sweep_id = '{sweep}'"):
        site.query(statement)


def measure_runs(count):
    """Memory of the services when a sweep with many runs goes on, and how long people wait for a look at it."""
    print(f"\nA sweep under early stopping that has {count:,} ended runs, and goes on:\n\n| process | memory |\n|---|---|")
    with Site() as site:
        text = ("method: random\nmetric: {name: loss, goal: minimize}\nearly_terminate: {type: hyperband, min_iter: 3}\n"
                "command: [/bin/sh, -c, 'for i in 1 2 3 4; do besom log loss=1; done']\nparameters: {x: {min: 0.0, max: 1.0}}\n")
        sweep = site.create(text)
        before = site.query("SELECT pg_database_size(current_database())")[0][0]
        fill_runs(site, sweep, count)
        site.query("VACUUM ANALYZE")
        grown = site.query("SELECT pg_database_size(current_database())")[0][0] - before
        assert site.start_agent(sweep, 0, "--quiet", "--count", "5").wait(120) == 0, site.agent_text()[-2000:]
        waits = []
        for words in (("status", sweep), ("best", sweep)):
            begin = time.monotonic()
            site.command(*words)
            waits.append(f"`besom {words[0]}` {time.monotonic() - begin:.1f} s")
        for name, of in site.service_processes().items():
            print(f"| {full_name(name)} | {memory_mb(of):.0f} MB |")
        print(f"\n{grown / count / 1024:.2f} KB of the database a run without its metrics; {', '.join(waits)}.", flush=True)
        return grown / count


def print_plan(cost, bytes_a_point, bytes_a_run, kb):
    """Products of what was measured, with headroom for processors."""
    print(f"\nOne run a GPU, {POINTS_A_SECOND} points/s each, {RUNS_A_DAY} runs a day; processors times {HEADROOM}:\n\n"
          "| GPUs | points/s | processors of services | of PostgreSQL | controller's memory for agents | disk a year |\n|---|---|---|---|---|---|")
    for gpus in SITES:
        thousands = gpus * POINTS_A_SECOND / 1000
        services = HEADROOM * thousands * sum(value for name, value in cost.items() if name != "postgres")
        year_gb = gpus * 365 * (POINTS_A_SECOND * 86400 * bytes_a_point + RUNS_A_DAY * bytes_a_run) / 1e9
        print(f"| {gpus:,} | {1000 * thousands:,.0f} | {services:.2f} | {HEADROOM * thousands * cost['postgres']:.2f} | "
              f"{gpus * kb['with TLS'] / 1024:.0f} MB | {year_gb:,.0f} GB |")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--short", action="store_true", help="less of everything")
    short = options.parse_args().short
    cpus = os.cpu_count()
    print(f"{cpus} processors, shared by services, PostgreSQL, agents and programs")
    bytes_a_point = measure_rows([(metrics, rows, max(1, runs // 10)) for metrics, rows, runs in SHAPES] if short else SHAPES)
    cost = measure_load(10 if short else 30)
    kb = measure_agents(AGENTS // 10 if short else AGENTS)
    bytes_a_run = measure_runs(RUNS // 100 if short else RUNS)
    print_plan(cost, bytes_a_point, bytes_a_run, kb)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.TimeoutExpired as error:
        sys.exit(f"sizing: {error}")
