# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples as a newcomer runs them, on a machine whose first Python in PATH has no scikit-learn."""
import os

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


@pytest.fixture
def poor_pythons(shared_stack, tmp_path):
    """Puts a python and a python3 that can do nothing first in the stack's PATH."""
    for name in ("python", "python3"):
        path = tmp_path / name
        path.write_text("#!/bin/sh\necho 'no scikit-learn here' >&2\nexit 1\n")
        path.chmod(0o755)
    before = shared_stack.environment.get("PATH", "/usr/bin:/bin")
    shared_stack.environment["PATH"] = f"{tmp_path}:{before}"
    yield
    shared_stack.environment["PATH"] = before


@pytest.mark.parametrize("example, runs", [("digits/grid.yaml", 12), ("shell/sweep.yaml", 12)])
def test_example_runs_to_its_end(shared_stack, poor_pythons, monkeypatch, example, runs):
    folder, name = os.path.split(os.path.join(ROOT, "examples", example))
    monkeypatch.chdir(folder)
    done = shared_stack.command("run", name, "-j", "2")
    said = done.stdout + done.stderr
    assert f"{runs} runs ended, {runs} finished, 0 stopped early, 0 failed" in said, said
    assert "Best run:" in said
