# SPDX-License-Identifier: Apache-2.0
"""The examples of clients/python/README.md, in its order, as one program."""
import os
import re

import besom
PACKAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "clients", "python")


def test_examples(here, program):
    with open(os.path.join(PACKAGE, "README.md"), encoding="utf-8") as file:
        examples = re.findall(r"^```python\n(.*?)^```$", file.read(), re.M | re.S)
    assert len(examples) == 3
    said, errors = program("\n".join(examples)).communicate(timeout=120)
    lines = said.splitlines()
    assert lines[0].startswith("Create sweep with ID: "), errors
    assert lines[2].startswith("finished 4 0.01 0.003") and lines[3] == "0 0.01", said + errors
    run_id, mode, summary = lines[-1].split(" ", 2)
    assert mode == "single" and summary == "{'val/loss': {'min': 0.5, 'last': 0.75}, 'best_epoch': 0}", said + errors
    run = besom.Api().run(run_id)
    assert (run.name, run.tags, run.state) == ("by hand", ["example"], "finished")
    assert run.summary == {"val/loss": {"min": 0.5, "last": 0.75}, "best_epoch": 0}
