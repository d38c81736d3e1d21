# SPDX-License-Identifier: GPL-3.0-or-later
"""What docs/operations.md says of backup and restore: done while a sweep runs, brought back on another cluster."""
import os

from installation import Installation, check_every_point_once, grid
from localstack import wait_for

POINTS = 36
# Prints much between its values, so that its spool does not keep what is acknowledged. Ends when the file GATE is there.
CHATTY = '''
import json, os, socket, time
run = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
run.connect(os.environ["BESOM_RUN_SOCKET"])
number = 0
while number < 100 or not os.path.exists(os.environ["GATE"]):
    run.sendall((json.dumps({"log": {"value": float(number)}, "step": number}) + "\\n").encode())
    for line in range(200):
        print("x" * 250, flush=line == 199)
    number += 1
    time.sleep(0.1)
'''


def dump(site):
    """pg_dump of the database, and the key of the tokens beside it."""
    file = os.path.join(site.database.make_folder("backup"), "besom.dump")
    site.database.run("pg_dump", "--format=custom", "--file", file, site.database.url())
    return file


def restore(site, file):
    fresh = site.new_cluster("second")
    fresh.initialize()
    fresh.start()
    fresh.query("CREATE DATABASE besom")
    fresh.run("pg_restore", "--exit-on-error", "--no-owner", "--dbname", fresh.url(), file)
    site.database = fresh


def lose_database(site):
    """The machine of the database dies, its disk with it; the services end, or are ended."""
    site.database.stop(at_once=True)
    site.stop_services()


def test_dump_restored_under_agents_that_go_on():
    with Installation() as site:
        gate = site.environment["GATE"] = site.path("gate")
        sweep = site.create(grid(POINTS, 1.5))
        chatty = site.create(f"method: grid\nprogram: {site.write('chatty.py', CHATTY)}\nparameters: {{a: {{value: 1}}}}\n"
                             "command: [/usr/bin/python3, -u, '${program}']\n")
        token = site.command("token", "create", "--role", "writer", "--name", "ann").stdout.strip()
        for number in range(2):
            site.start_agent(sweep, number, "-j", "3", "--quiet")
        site.start_agent(chatty, 2, "--quiet", "--spool-limit", "1M")
        site.wait_for_runs(sweep, "finished", 4)
        at_backup = {run["run_id"] for run in site.runs(sweep) if run["state"] == "finished"}
        file = dump(site)
        site.start_agent(sweep, 3, "--quiet")  # the backup does not know it, nor this sweep
        late = site.start_agent(site.create(grid(1, 3600)), 4, "--quiet")
        site.wait_for_runs(sweep, "finished", len(at_backup) + 8)
        wait_for(lambda: len(site.values(site.runs(chatty)[0]["run_id"])) >= 60, 30, "some MB of output")
        lose_database(site)

        restore(site, file)
        site.start_services()
        with open(gate, "w"):
            pass
        again = {run["run_id"]: run for run in site.runs(sweep)}
        assert all(again[run]["state"] == "finished" for run in at_backup), "what had ended by the backup has ended"
        assert late.wait(60) == 3, site.agent_text(4)
        del site.agents[4]
        site.wait_for_agents()
        check_every_point_once(site, sweep, POINTS)

        run = site.runs(chatty)[0]
        values = site.values(run["run_id"])
        assert (run["state"], run["attempt"]) == ("finished", 1), "its training went on"
        lost = sorted(set(range(int(values[-1]))) - {int(value) for value in values})
        assert values == sorted(set(values)) and values[-1] >= 99, "nothing twice"
        assert lost and lost == list(range(lost[0], lost[-1] + 1)), "between the backup and what the spool had"
        assert f"Run {run['run_id']}: what it logged in its batches" in site.agent_text(2)

        site.environment["BESOM_TOKEN"] = token
        assert site.json("ls")["sweeps"], "the token of before is good"
        site.stop_services()
        site.make_secret("another-key")
        site.start_services(key="another-key")
        assert site.command("ls", check=False).returncode == 5, "without its key no token is"


def archive(site):
    return os.path.join(site.database.folder, "archive")


def recover(site, base, moment):
    """The base backup on another cluster, brought forward by the archive to a moment."""
    fresh = site.new_cluster("second")
    fresh.run("/bin/cp", "-a", base, fresh.data)
    settings = [f"restore_command = 'cp {archive(site)}/%f %p'", f"recovery_target_time = '{moment}'",
                "recovery_target_action = 'promote'"]
    with open(os.path.join(fresh.data, "postgresql.auto.conf"), "a") as file:
        file.write("\n".join(settings) + "\n")
    with open(os.path.join(fresh.data, "recovery.signal"), "w"):
        pass
    site.database.stop()
    fresh.start()
    site.database = fresh


def test_a_deleted_sweep_comes_back_at_a_moment_of_choice():
    with Installation() as site:
        site.stop_everything()
        site.database.start(archive_mode="on", archive_command=f"cp %p {site.database.make_folder('archive')}/%f")
        site.start_services()
        sweep = site.create(grid(POINTS, 1.0))
        for number in range(2):
            site.start_agent(sweep, number, "-j", "3", "--quiet")
        site.wait_for_runs(sweep, "finished", 3)
        base = os.path.join(site.database.make_folder("backup"), "base")
        site.database.run("pg_basebackup", "--checkpoint=fast", "-h", site.database.folder, "-U", "besom", "-D", base)
        site.wait_for_runs(sweep, "finished", 12)
        then = {run["run_id"]: site.values(run["run_id"]) for run in site.runs(sweep) if run["state"] == "finished"}
        moment = site.database.query("SELECT clock_timestamp()::text")[0][0]
        site.wait_for_runs(sweep, "finished", len(then) + 3)
        site.command("delete", "--yes", "--force", sweep)
        for agent in site.agents.values():
            assert agent.wait(60) == 3, "the sweep is gone, and so are its agents"
        assert site.command("status", sweep, check=False).returncode == 3

        site.stop_services()
        site.database.query("SELECT pg_switch_wal()")
        recover(site, base, moment)
        site.start_services()
        runs = {run["run_id"]: run for run in site.runs(sweep)}
        assert all(runs[run]["state"] == "finished" and site.values(run) == then[run] for run in then)
        for number in range(2):
            site.start_agent(sweep, number, "-j", "3", "--quiet")
        site.wait_for_agents()
        after = {run["run_id"]: run for run in check_every_point_once(site, sweep, POINTS)}
        assert all(after[run]["attempt"] == runs[run]["attempt"] for run in then), "what had ended was not run again"
        again = [run for run in after.values() if run["run_id"] in runs and run["attempt"] > 1]
        assert again, "what ran at that moment was lost and is run again"


def test_a_run_that_comes_again_to_its_agent_goes_on():
    """As after a restore: the database knows nothing of the attempt, and hands it to another slot of the agent that has it."""
    with Installation() as site:
        sweep = site.create(grid(1, 8))
        site.start_agent(sweep, 0, "-j", "2")
        wait_for(lambda: any(len(site.values(run["run_id"])) >= 5 for run in site.runs(sweep)), 30, "metrics come")
        deletes = "".join(f"DELETE FROM besom.{table} WHERE sweep_id = '{sweep}';"
                          for table in ("metric_inbox", "metric_chunks", "run_summaries"))
        site.database.query(f"""BEGIN; {deletes}
            UPDATE besom.run_attempts SET slot = 1, started_at = NULL, last_sequence = 0, metric_rows = 0 WHERE sweep_id = '{sweep}';
            UPDATE besom.runs SET state = 'assigned', started_at = NULL WHERE sweep_id = '{sweep}'; COMMIT""", "besom")
        site.command("sweep", "--pause", sweep)  # is told to the slot that waits, which asks again
        site.command("sweep", "--resume", sweep)
        site.wait_for_agents(60)
        check_every_point_once(site, sweep, 1)
        with open(site.environment["FAULTS_JOURNAL"]) as journal:
            assert sum(line.startswith("start") for line in journal) == 1, "it was not started again"
