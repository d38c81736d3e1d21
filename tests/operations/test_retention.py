# SPDX-License-Identifier: GPL-3.0-or-later
"""What docs/operations.md says of old sweeps and old events: its commands, as they stand there, do it."""
import os
import re
import shutil
import subprocess

import pytest

from installation import Installation, grid
from localstack import BIN

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def commands():
    """The indented lines under the heading."""
    with open(os.path.join(ROOT, "docs", "operations.md")) as page:
        part = re.search(r"^## Keeping it small\n(.*?)(?=^## |\Z)", page.read(), re.M | re.S).group(1)
    shell = [line.strip() for line in part.splitlines() if line.startswith("    ")]
    sql = [line for line in shell if line.startswith("DELETE")]
    return [line for line in shell if line not in sql], sql


def run_shell(site, line):
    environment = dict(site.environment, PATH=os.path.abspath(BIN) + ":" + os.environ["PATH"])
    done = subprocess.run(["sh", "-c", line], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{line}: {done.stderr}"


@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq")
def test_old_sweeps_and_events_go():
    shell, sql = commands()
    assert len(shell) == 1 and len(sql) == 1
    with Installation() as site:
        old, recent, running = (site.create(grid(2, 0)) for _ in range(3))
        for number, sweep in enumerate((old, recent)):
            site.start_agent(sweep, number, "--quiet")
        site.wait_for_agents()
        for sweep in (old, recent):
            site.wait_for_sweep(sweep)
        for table in ("sweeps", "runs"):
            for sweep in (old, running):
                site.database.query(f"UPDATE besom.{table} SET created_at = now() - interval '2 years', ended_at = ended_at - "
                                    f"interval '2 years' WHERE sweep_id = '{sweep}'", "besom")
        site.database.query(f"UPDATE besom.events SET happened_at = now() - interval '2 years' WHERE sweep_id = '{old}'", "besom")
        events = site.json("audit")["events"]
        run_shell(site, shell[0])
        assert {sweep["sweep_id"] for sweep in site.json("ls")["sweeps"]} == {recent, running}, "one that runs stays"
        assert site.database.query(f"SELECT count(*) FROM besom.runs WHERE sweep_id = '{old}'", "besom") == [(0,)]
        for statement in sql:
            site.database.query(statement, "besom")
        left = site.json("audit")["events"]
        assert {event["kind"] for event in left if event["sweep_id"] == old} == {"sweep_deleted"}
        assert len([event for event in left if event["sweep_id"] == recent]) == len(
            [event for event in events if event["sweep_id"] == recent])
