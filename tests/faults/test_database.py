# SPDX-License-Identifier: GPL-3.0-or-later
"""A database that answers, and refuses or waits for reasons of its own: nothing is lost until it is mended."""
import os
import signal

import psycopg2

import localstack

LOG = "for i in $(seq 20); do besom log x=$i; sleep 0.2; done"


def connect(stack):
    """A connection to the stack's PostgreSQL, as its owner."""
    for pid, (_, name) in localstack.processes().items():
        words = localstack.read_bytes(f"/proc/{pid}/cmdline").decode().split("\0")
        if name == "postgres" and "-k" in words and localstack.belongs_to(pid, stack.home):
            connection = psycopg2.connect(host=words[words.index("-k") + 1], user="besom", dbname="postgres")
            connection.autocommit = True
            return connection
    raise AssertionError("no PostgreSQL")


def test_a_missing_table_costs_time_and_no_metric():
    with localstack.LocalStack() as stack:
        sweep = stack.create(f"method: grid\ncommand: [sh, -c, '{LOG}']\nparameters: {{a: {{value: 1}}}}\n")
        agent = stack.start_agent(sweep)
        localstack.wait_for(lambda: [run for run in stack.runs(sweep) if run["metrics"]], 20, "the first values")
        database = connect(stack).cursor()
        database.execute("ALTER TABLE besom.metric_inbox RENAME TO hidden")
        localstack.wait_for(lambda: "does not take what run" in stack.agent_text(), 20, "the agent says so")
        database.execute("ALTER TABLE besom.hidden RENAME TO metric_inbox")
        assert agent.wait(60) == 0
        assert "takes what run" in stack.agent_text() and "refused" not in stack.agent_text()
        run = stack.runs(sweep)[0]
        assert run["state"] == "finished"
        values = stack.json("metrics", run["run_id"], "x")["series"][0]["values"]
        assert values == [float(number) for number in range(1, 21)]


def test_a_target_that_is_reached_when_the_controller_is_killed_is_not_forgotten():
    """No later value comes: the one that reached the target must end the sweep, however often it is sent."""
    with localstack.LocalStack() as stack:
        go = os.path.join(stack.home, "go")
        sweep = stack.create(f"""
method: random
metric: {{name: score, goal: maximize, target: 1}}
command: [sh, -c, "while [ ! -e {go} ]; do sleep 0.1; done; besom log score=1; sleep 5"]
parameters: {{x: {{min: 0.0, max: 1.0}}}}
""")
        agent = stack.start_agent(sweep, 0, "--count", "1")
        localstack.wait_for(lambda: stack.json("status", sweep)["state"] == "running", 20, "the run")
        database, holder = connect(stack).cursor(), connect(stack)
        holder.autocommit = False
        holder.cursor().execute("SELECT 1 FROM besom.sweeps WHERE sweep_id = %s FOR NO KEY UPDATE", (sweep,))
        stack.write("go", "")

        def waits():
            database.execute("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock')")
            return database.fetchone()[0]

        localstack.wait_for(waits, 20, "the controller is about to finish the sweep")
        killed = stack.pids("besom-controller")
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        localstack.wait_for(lambda: set(stack.pids("besom-controller")) - set(killed), 20, "a new one")
        holder.rollback()
        assert agent.wait(120) == 0, stack.agent_text()
        status = stack.json("status", sweep)
        assert status["state"] == "finished" and "reached the target" in status["state_reason"], status
