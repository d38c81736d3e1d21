# SPDX-License-Identifier: GPL-3.0-or-later
"""The chart's README from its values.yaml: `python3 tests/deploy/chart_readme.py > helm/besom/README.md`."""
import json
import os

import yaml

CHART = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "helm", "besom")
HEAD = """\
# Helm chart of Besom

    helm install besom helm/besom

brings up controller, suggestion and scheduler with a PostgreSQL for trying out; what it prints says how to reach them. For a team
name a database that is looked after (`database.mode: external` or `cloudNativePG`) and give people tokens of their own
(`besom token create`). [docs/kubernetes.md](../../docs/kubernetes.md) goes through it: databases, certificates, agents, upgrades,
monitoring, and what was tried on which version.

The table is made from `values.yaml` by `tests/deploy/chart_readme.py`; `values.schema.json` refuses keys that are not in it.

| value | default | what |
|---|---|---|
"""


def comments(text):
    """Dotted key → its "# --" comment, for block style with two spaces a level."""
    found, path, pending = {}, [], []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# -- "):
            pending = [stripped[5:]]
        elif stripped.startswith("# ") and pending:
            pending.append(stripped[2:])
        elif stripped and not stripped.startswith("#"):
            level = (len(line) - len(line.lstrip())) // 2
            path = path[:level] + [stripped.split(":")[0]]
            found[".".join(path)] = " ".join(pending)
            pending = []
    return found


def rows(values, told, prefix=""):
    for key, value in values.items():
        name = prefix + key
        if isinstance(value, dict) and value and not told.get(name):
            yield from rows(value, told, name + ".")
        else:
            shown = json.dumps(value) if not isinstance(value, str) else value or '""'
            yield f"| `{name}` | `{shown}` | {told.get(name, '')} |"


def readme():
    with open(os.path.join(CHART, "values.yaml")) as file:
        text = file.read()
    return HEAD + "\n".join(rows(yaml.safe_load(text), comments(text))) + "\n"


if __name__ == "__main__":
    print(readme(), end="")
