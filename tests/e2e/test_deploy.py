# SPDX-License-Identifier: GPL-3.0-or-later
"""`besom deploy` with stand-ins for sbatch: what it makes, what it refuses before anything is made, and how it ends halfway."""
import json
import os
import subprocess

import pytest

from localstack import BIN, LocalStack, read_bytes

SWEEPS = """\
# two sweeps
name: first
method: grid
command: ["true"]
parameters: {x: {values: [1, 2, 3]}}
---
name: second
method: random
run_cap: 5
command: ["true"]
parameters: {y: {min: 0.0, max: 1.0}}
"""
TEMPLATE = """\
#!/bin/bash
#SBATCH --time=04:00:00
wandb agent --count 2 "$SWEEP"
"""
SCRIPT = """\
#!/bin/bash
#SBATCH --time=04:00:00
#SBATCH --array=0-1
besom agent --count 2 {}
"""


@pytest.fixture(scope="module")
def stack():
    with LocalStack() as running:
        yield running


class Place:
    """A folder with a file of sweeps, a template and a stand-in for sbatch."""

    def __init__(self, stack, folder):
        self.stack, self.folder = stack, str(folder)
        self.write("sweeps.yaml", SWEEPS)
        self.write("base.sbatch", TEMPLATE)
        self.sbatch('echo "$@" >> asked; echo "sbatch: be patient" >&2; echo "4$(wc -l < asked);cluster"')

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def sbatch(self, text):
        os.chmod(self.write("bin/sbatch", "#!/bin/sh\n" + text + "\n"), 0o755)

    def deploy(self, *arguments, file="sweeps.yaml", address=None):
        environment = dict(self.stack.environment, PATH=f"{self.folder}/bin:{os.environ['PATH']}")
        if address is not None:
            environment["BESOM_ADDRESS"] = address
        return subprocess.run([os.path.join(BIN, "besom"), "deploy", file, "--slurm", "base.sbatch", *arguments],
                              cwd=self.folder, env=environment, text=True, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=60)

    def scripts(self):
        return sorted(name for name in os.listdir(self.folder) if name.startswith("besom-"))

    def sweeps(self):
        return {sweep["sweep_id"] for sweep in self.stack.json("ls")["sweeps"]}


@pytest.fixture
def place(stack, tmp_path):
    return Place(stack, tmp_path)


def test_sweeps_and_scripts_are_made(place):
    before = place.sweeps()
    done = place.deploy("--nodes", "2", "--hours-per-run", "1.5", "--sync", "echo there; ls besom-*.sbatch | wc -l > synced")
    assert done.returncode == 0, done.stderr
    ids = [line.split()[2] for line in done.stdout.splitlines() if line.startswith("besom agent")]
    assert set(ids) == place.sweeps() - before and len(ids) == 2
    rows = [line.split() for line in done.stdout.splitlines()[:3]]
    assert rows == [["SWEEP", "NAME", "RUNS", "HOURS", "SCRIPT"], [ids[0], "first", "3", "2.25", f"besom-{ids[0]}.sbatch"],
                    [ids[1], "second", "5", "3.75", f"besom-{ids[1]}.sbatch"]]
    assert [f"sbatch besom-{sweep}.sbatch" in done.stdout.splitlines() for sweep in ids] == [True, True]
    for sweep in ids:
        assert read_bytes(f"{place.folder}/besom-{sweep}.sbatch").decode() == SCRIPT.format(sweep)
        assert os.access(f"{place.folder}/besom-{sweep}.sbatch", os.X_OK)
    assert read_bytes(f"{place.folder}/synced").strip() == b"2"
    assert "there" in done.stderr and "there" not in done.stdout
    assert not os.path.exists(f"{place.folder}/asked")
    assert place.stack.json("status", ids[1])["name"] == "second"


def test_submit_tells_the_jobs(place):
    done = place.deploy("--submit", "--json", "--out", "a b/scripts", "--sync", "true")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert [sweep["job_id"] for sweep in answer["sweeps"]] == ["41", "42"]
    scripts = [f"a b/scripts/besom-{sweep['sweep_id']}.sbatch" for sweep in answer["sweeps"]]
    assert [sweep["script"] for sweep in answer["sweeps"]] == scripts
    assert answer["sweeps"][0]["sbatch_command"] == f"sbatch '{scripts[0]}'"
    assert (answer["nodes"], answer["hours_per_run"], answer["sweeps"][0]["hours"]) == (1, None, None)
    assert read_bytes(f"{place.folder}/asked").decode() == "".join(f"--parsable {script}\n" for script in scripts)


def test_dry_run_needs_no_server(place):
    done = place.deploy("--dry-run", "--nodes", "2", "--sync", "touch synced", "--submit", address="unix:/nowhere")
    assert done.returncode == 0, done.stderr
    assert "sbatch besom-SWEEP.sbatch" in done.stdout and "Nothing is created" in done.stdout
    assert place.scripts() == [] and not os.path.exists(f"{place.folder}/synced")
    answer = json.loads(place.deploy("--dry-run", "--json", address="unix:/nowhere").stdout)
    assert answer["dry_run"] is True
    assert [(sweep["sweep_id"], sweep["name"], sweep["runs"]) for sweep in answer["sweeps"]] == [
        (None, "first", 3), (None, "second", 5)]


@pytest.mark.parametrize("sweeps, template, arguments, wanted", [
    (SWEEPS.replace("run_cap: 5", "run_cap: many"), TEMPLATE, [], "sweeps.yaml:9:10: "),
    (SWEEPS.replace("method: grid", "methd: grid"), TEMPLATE, [], "sweeps.yaml:3:1: "),
    (SWEEPS, TEMPLATE.replace("wandb agent", "true"), [], "base.sbatch:1:1: no line runs"),
    (SWEEPS, TEMPLATE + "# besom: agent\n", [], "base.sbatch:3:1: this runs an agent, and line 4 is marked"),
    (SWEEPS, TEMPLATE.replace("--time", "--array=0-3 --time"), ["--nodes", "2"], "base.sbatch:2:1: the template makes a job"),
    (SWEEPS, TEMPLATE, ["--name", "both"], "--name is for one sweep"),
    (SWEEPS, TEMPLATE, ["--nodes", "0"], "nodes"),
    (SWEEPS, TEMPLATE, ["--hours-per-run", "-1"], "hours-per-run"),
    ("---\n# nothing\n", TEMPLATE, [], "sweeps.yaml:"),
])
def test_wrong_input_makes_nothing(place, sweeps, template, arguments, wanted):
    before = place.sweeps()
    place.write("sweeps.yaml", sweeps)
    place.write("base.sbatch", template)
    done = place.deploy(*arguments, "--submit", "--sync", "touch synced")
    assert done.returncode == 2 and wanted in done.stderr, done.stderr
    assert done.stdout == "" and place.scripts() == [] and place.sweeps() == before
    assert not os.path.exists(f"{place.folder}/synced")


def test_problems_of_both_files_are_told_at_once(place):
    place.write("sweeps.yaml", SWEEPS.replace("run_cap: 5", "run_cap: many").replace("grid", "gird"))
    place.write("base.sbatch", "#!/bin/sh\n")
    done = place.deploy()
    assert [f"{name}" in done.stderr for name in ("sweeps.yaml:3:9", "sweeps.yaml:9:10", "base.sbatch:1:1")] == [True] * 3
    assert len(done.stderr.splitlines()) == 3


def test_missing_template_option_is_told(place):
    done = place.stack.command("deploy", place.write("sweeps.yaml", SWEEPS), check=False)
    assert done.returncode == 2 and "--slurm" in done.stderr


def test_no_sbatch_makes_nothing(place):
    before = place.sweeps()
    os.remove(f"{place.folder}/bin/sbatch")
    os.makedirs(f"{place.folder}/tools")
    os.symlink(os.path.join(BIN, "besom"), f"{place.folder}/tools/besom")
    done = subprocess.run([os.path.join(BIN, "besom"), "deploy", "sweeps.yaml", "--slurm", "base.sbatch", "--submit"],
                          cwd=place.folder, env=dict(place.stack.environment, PATH=f"{place.folder}/tools"), text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert done.returncode == 1 and "no sbatch here" in done.stderr
    assert place.sweeps() == before and place.scripts() == []


def test_failed_sync_says_how_to_go_on(place):
    before = place.sweeps()
    done = place.deploy("--submit", "--sync", "echo no route >&2; exit 3")
    made = place.sweeps() - before
    assert done.returncode == 1 and "--sync failed: exit code 3" in done.stderr and "no route" in done.stderr
    assert len(made) == 2 and not os.path.exists(f"{place.folder}/asked")
    for sweep in made:
        assert f"Sweep {sweep} was created and not submitted: sbatch besom-{sweep}.sbatch" in done.stderr


def test_failed_submission_says_how_to_go_on(place):
    place.sbatch('[ -e asked ] && { echo "sbatch: error: Invalid qos" >&2; exit 1; }; touch asked; echo 41')
    before = place.sweeps()
    done = place.deploy("--submit")
    assert done.returncode == 1 and done.stdout == ""
    assert "sbatch: error: Invalid qos" in done.stderr
    made = place.sweeps() - before
    submitted = [line.split()[2] for line in done.stderr.splitlines() if line.endswith("was created and is job 41")]
    left = [line.split()[2] for line in done.stderr.splitlines() if "was created and not submitted: sbatch besom-" in line]
    assert set(submitted + left) == made and len(submitted) == len(left) == 1


def test_unwritable_folder_makes_nothing(place):
    before = place.sweeps()
    done = place.deploy("--out", "base.sbatch/scripts")
    assert done.returncode == 1 and "--out" in done.stderr
    assert place.sweeps() == before


def test_no_server_makes_nothing(place):
    done = place.deploy("--timeout", "1s", address="unix:/nowhere")
    assert done.returncode == 4, done.stderr
    assert place.scripts() == [] and len(done.stderr.splitlines()) == 1
