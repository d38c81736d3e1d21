# SPDX-License-Identifier: GPL-3.0-or-later
"""A database that answers, and refuses for reasons of its own: metrics wait until it is mended."""
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
