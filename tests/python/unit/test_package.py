# SPDX-License-Identifier: Apache-2.0
"""The package as a whole: examples in its docstrings, what it imports, its version."""
import doctest
import glob
import importlib
import os
import re
import subprocess
import sys

import pytest

import besom

PACKAGE = os.path.dirname(os.path.abspath(besom.__file__))
MODULES = sorted(os.path.basename(path)[:-3] for path in glob.glob(os.path.join(PACKAGE, "*.py")) if "__" not in path)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, clean, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module("besom." + name)
    assert doctest.testmod(module, extraglobs={"besom": besom}).failed == 0


def test_nothing_foreign_is_imported():
    """Nor anything that makes starting slow: what needs more imports it itself."""
    program = "import sys; before = set(sys.modules); import besom; print(*sorted(set(sys.modules) - before))"
    names = subprocess.check_output([sys.executable, "-S", "-c", program], universal_newlines=True).split()
    assert not {"ctypes", "asyncio", "multiprocessing", "numpy", "yaml", "wandb"} & set(names)


def test_public_names():
    for name in besom.__all__:
        assert name in ("run", "config", "summary") or hasattr(besom, name), name
    assert besom.run is None
    with pytest.raises(AttributeError):
        besom.nothing


def test_version_is_the_projects():
    lists = os.path.join(PACKAGE, "..", "..", "..", "CMakeLists.txt")
    with open(lists) as file:
        assert re.search(r"project\(besom VERSION ([\d.]+)", file.read()).group(1) == besom.__version__
