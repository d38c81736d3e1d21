# SPDX-License-Identifier: GPL-3.0-or-later
"""Batch scripts as sites have them, given to `besom deploy --dry-run`: what is said of each, without server or SLURM."""
import json
import os
import subprocess

import pytest

from localstack import BIN

SWEEP = "name: first\nmethod: grid\nprogram: train.py\nparameters: {x: {values: [1, 2, 3, 4, 5, 6]}}\n"


@pytest.fixture
def deploy(tmp_path):
    folder = tmp_path / "my project"  # as people name them
    folder.mkdir()
    (folder / "the sweep.yaml").write_text(SWEEP)

    def call(script, *arguments):
        (folder / "base script.sbatch").write_bytes(script.encode())
        done = subprocess.run([os.path.join(BIN, "besom"), "deploy", "the sweep.yaml", "--slurm", "base script.sbatch", "--dry-run", "--json",
                               *arguments], cwd=folder, text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
        assert sorted(os.listdir(folder)) == ["base script.sbatch", "the sweep.yaml"], "a trial made something"
        return done
    return call


def test_directives_that_sbatch_does_not_read_are_told(deploy):
    """It stops at the first command and says nothing; an array down there is none."""
    script = "#!/bin/sh\n#SBATCH --time=1\nmodule load cuda\n#SBATCH --array=0-3\n# SBATCH is named here\nbesom agent $S\n#SBATCH --mem=1G\n"
    done = deploy(script, "--hours-per-run", "2")
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "warning" in line] == [
        f"base script.sbatch:{line}:1: warning: sbatch reads no #SBATCH behind the first command (move this line up)" for line in (4, 7)]
    assert json.loads(done.stdout)["sweeps"][0]["hours"] == 12


@pytest.mark.parametrize("directives, hours", [
    ("#SBATCH --array=0-3", 3), ("#SBATCH -a 0-3%2", 6), ("#SBATCH --job-name='my; job $(x) %j' --array 1,2", 6),
    ("\n# made by hand\n#SBATCH --array=0-3", 3), ("#SBATCH --exclusive", 12),
])
def test_arrays_are_counted(deploy, directives, hours):
    done = deploy(f"#!/bin/sh\n{directives}\nexec besom agent \"$SWEEP\"\n", "--hours-per-run", "2")
    assert done.returncode == 0 and "warning" not in done.stderr, done.stderr
    assert json.loads(done.stdout)["sweeps"][0]["hours"] == hours


def test_paths_with_blanks_can_be_pasted(deploy):
    done = deploy("#!/bin/sh\nbesom agent X\n", "--out", "my jobs")
    assert json.loads(done.stdout)["sweeps"][0]["sbatch_command"] == "sbatch 'my jobs/besom-SWEEP.sbatch'"


@pytest.mark.parametrize("script, arguments, said", [
    ("#!/bin/sh\r\nbesom agent X\r\n", (), "base script.sbatch:1:10: a line break of DOS"),
    ("#!/bin/sh\n#SBATCH -a0-3\nbesom agent X\n", ("--nodes", "2"), "base script.sbatch:2:1: the template makes a job array already"),
    ("besom agent X\n", (), "base script.sbatch:1:1: a batch script begins with '#!'"),
    ("#!/bin/sh\nbesom agent X\n", ("--nodes", "0"), "--nodes: 0 is out of range"),
    ("#!/bin/sh\nbesom agent X\n", ("--hours-per-run", "-1"), "--hours-per-run is no negative number"),
    ("#!/bin/sh\nbesom agent X\n", ("--hours-per-run", "nan"), "--hours-per-run: 'nan' is not a number"),
    ("#!/bin/sh\nbesom agent X\n", ("--out", ""), "--out is empty"),
])
def test_what_cannot_be_is_refused(deploy, script, arguments, said):
    done = deploy(script, *arguments)
    assert done.returncode == 2 and said in done.stderr, done.stderr
