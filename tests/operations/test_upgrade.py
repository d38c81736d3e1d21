# SPDX-License-Identifier: GPL-3.0-or-later
"""What docs/operations.md says of upgrade and rollback, with the programs from before the newest migration.

OPERATIONS_UPGRADE=1 builds those from git, which takes minutes (CCACHE_DIR is used when ccache is installed);
OPERATIONS_OLD_BIN names a folder that has them already. Skipped without either.
"""
import os
import shutil
import subprocess
import tempfile

import pytest

from installation import KINDS, Installation, check_every_point_once, grid
from localstack import wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MIGRATIONS = "db/migrations"
TARGETS = ("besom-controller", "besom-suggestion", "besom-scheduler", "besom-agent", "besom_command")
POINTS = 72
SEARCHED = 24
SEARCH = f"""
method: bayes
metric: {{name: loss, goal: minimize}}
run_cap: {SEARCHED}
early_terminate: {{type: hyperband, min_iter: 2, eta: 2}}
command: [/bin/sh, -c, 'for i in 1 2 3 4 5 6; do besom log loss=$(echo $0 | cut -d= -f2) step=$i; sleep 0.2; done', "${{args}}"]
parameters: {{x: {{min: 0.0, max: 1.0}}}}
"""
TOMORROW = "early_terminate: {type: hyperband, min_iter: 2, eta: 2}"


def newest_version():
    return max(int(name[:4]) for name in os.listdir(os.path.join(ROOT, MIGRATIONS)) if name.endswith(".sql"))


def git(*arguments, **options):
    return subprocess.run(["git", "-C", ROOT, *arguments], check=True, capture_output=True, text=True, **options).stdout.strip()


def commit_before_newest():
    newest = next(name for name in os.listdir(os.path.join(ROOT, MIGRATIONS)) if name.startswith(f"{newest_version():04}_"))
    added = git("log", "-1", "--diff-filter=A", "--format=%H", "--", f"{MIGRATIONS}/{newest}")
    return git("rev-parse", f"{added}^")


def build(commit, folder):
    source, programs = os.path.join(folder, "source"), os.path.join(folder, "build")
    os.mkdir(source)
    archive = subprocess.Popen(["git", "-C", ROOT, "archive", commit], stdout=subprocess.PIPE)
    subprocess.run(["tar", "x", "-C", source], stdin=archive.stdout, check=True)
    assert archive.wait() == 0
    launcher = ["-DCMAKE_C_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
    environment = dict(os.environ, CCACHE_BASEDIR=folder, CCACHE_NOHASHDIR="1")  # hits from another folder of this kind
    subprocess.run(["cmake", "-S", source, "-B", programs, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug", *launcher], check=True,
                   env=environment)
    subprocess.run(["cmake", "--build", programs, "--target", *TARGETS], check=True, env=environment)
    return os.path.join(programs, "bin")


@pytest.fixture(scope="module")
def old_bin():
    if os.environ.get("OPERATIONS_OLD_BIN"):
        yield os.environ["OPERATIONS_OLD_BIN"]
        return
    if os.environ.get("OPERATIONS_UPGRADE") != "1":
        pytest.skip("builds the release before: OPERATIONS_UPGRADE=1, minutes")
    folder = tempfile.mkdtemp(prefix="besom-old-")
    try:
        yield build(commit_before_newest(), folder)
    finally:
        shutil.rmtree(folder)


def version(site):
    return site.database.query("SELECT version FROM besom.schema_info", "besom")[0][0]


def wait_for_progress(site, sweep, runs=6):
    done = site.json("status", sweep)["counts"].get("finished", 0)
    site.wait_for_runs(sweep, "finished", min(done + runs, POINTS), 90)


def replace(site, number, bin_folder):
    """As an upgrade does it: a service ends by SIGTERM, and the other release's comes up on its address."""
    for kind in KINDS:
        assert site.stop_service(kind, number) == 0, site.service_log(kind, number)[-2000:]
        site.start_service(kind, number, bin_folder)


def take_over(site, sweep, number, bin_folder):
    """An agent is killed, and the other release's takes its runs up."""
    site.agents[number].kill()
    site.agents[number].wait()
    site.start_agent(sweep, number, "-j", "2", "--quiet", bin_folder=bin_folder)
    wait_for(lambda: "Taking up run" in site.agent_text(number), 30, "the agent takes up what ran")


def old_command(site, old_bin, *arguments):
    done = subprocess.run([os.path.join(old_bin, "besom"), *arguments], env=site.environment, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_search(site, sweep):
    runs = site.runs(sweep)
    assert len(runs) == SEARCHED and {run["state"] for run in runs} <= {"finished", "stopped"}, [run["state"] for run in runs]
    assert site.json("status", sweep)["state"] == "finished"


def start_agents(site, sweep, search, old_bin, numbers, controller):
    """One of each release on a sweep, and an old one on the search."""
    for number, bin_folder, which in zip(numbers, (old_bin, site.bin, old_bin), (sweep, sweep, search)):
        site.start_agent(which, number, "-j", "2", "--quiet", bin_folder=bin_folder, controller=controller)


def test_upgrade_and_rollback_under_running_sweeps(old_bin):
    with Installation(old_bin) as site:
        site.bin = os.path.abspath(os.environ.get("BESOM_BIN", "build/dev/bin"))
        assert version(site) == newest_version() - 1
        sweep, search = site.create(grid(POINTS, 2.0)), site.create(SEARCH)
        start_agents(site, sweep, search, old_bin, (0, 1, 2), 0)
        wait_for_progress(site, sweep)

        refused = subprocess.run([os.path.join(site.bin, "besom-controller"), "--database-url", site.database.url(), "--startup-wait",
                                  "1s", "--token-file", site.path("token"), "--listen", site.address("controller", 9)],
                                 env=site.environment, capture_output=True, text=True, timeout=60)
        assert refused.returncode == 1 and "the database's schema is at version" in refused.stderr, refused
        site.migrate()
        assert version(site) == newest_version()
        wait_for_progress(site, sweep)  # old services, new schema

        site.start_services(1)  # new ones beside them, on the same database
        start_agents(site, sweep, search, old_bin, (3, 4, 5), 1)
        wait_for_progress(site, sweep)

        replace(site, 0, site.bin)
        take_over(site, sweep, 0, site.bin)
        wait_for_progress(site, sweep)
        assert sweep in old_command(site, old_bin, "ls", "--json")

        replace(site, 0, old_bin)  # back: programs alone, the schema stays
        replace(site, 1, old_bin)
        site.migrate(old_bin)
        assert version(site) == newest_version()
        take_over(site, sweep, 1, old_bin)
        site.wait_for_agents()
        runs = check_every_point_once(site, sweep, POINTS)
        assert {run["attempt"] for run in runs} == {1}, "no run was lost on the way"
        check_search(site, search)


def test_a_sweep_of_a_newer_release_waits_for_it():
    """After a rollback a sweep may use what these programs do not know: it alone waits, until the upgrade is done again."""
    with Installation() as site:
        plain, tomorrow = site.create(grid(6, 0.5)), site.create(grid(6, 0.5, TOMORROW))
        change = f"UPDATE besom.sweep_specs SET spec = replace(spec, '\"%s\"', '\"%s\"') WHERE sweep_id = '{tomorrow}'"
        site.database.query(change % ("hyperband", "of_tomorrow"), "besom")
        assert "of_tomorrow" in site.database.query(f"SELECT spec FROM besom.sweep_specs WHERE sweep_id = '{tomorrow}'", "besom")[0][0]
        site.stop_services()
        site.start_services()
        for number, sweep in enumerate((plain, tomorrow)):
            site.start_agent(sweep, number, "--quiet")
        assert site.agents[0].wait(60) == 0
        wait_for(lambda: any("sweep_not_read" in line and f"sweep={tomorrow}" in line
                             for line in site.service_log("controller").splitlines()), 30, "the log names the sweep")
        wait_for(lambda: "needs a newer release" in site.agent_text(1), 30, "the agent says so")
        assert all(service.poll() is None for service in [*site.services.values(), site.agents[1]])
        site.database.query(change % ("of_tomorrow", "hyperband"), "besom")
        assert site.agents[1].wait(60) == 0, site.agent_text(1)[-2000:]
        assert len(site.runs(tomorrow)) == 6
