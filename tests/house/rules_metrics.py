# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics' tables, their page, and what alerts and dashboards ask for name the same metrics."""

import re

PAGE = "docs/metrics.md"
RUNBOOK = "docs/operations.md"
TABLES = re.compile(r"services/\w+/(\w+_)?metrics\.c$")
ROW = re.compile(r'\{\s*\.name\s*=\s*"(\w+)",\s*\.type\s*=\s*METRIC_(\w+),(.*?)\.help\s*=', re.S)
LABEL = re.compile(r'(\w+)\s*=\s*(?:METRIC_LABEL\(\s*|\{\s*\.name\s*=\s*)"(\w+)"')
DOCUMENTED = re.compile(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \| [^|]+ \|$")
ASKED = re.compile(r"\b(?:besom|process)_[a-z0-9_]+\b")
SUFFIXES = ("_bucket", "_sum", "_count")


def declared(tree):
    """name → (place, type, labels) of every row of every table."""
    found = {}
    for name in tree.files:
        if not TABLES.match(name):
            continue
        text = tree.text(name)
        labels = dict(LABEL.findall(text))
        for match in ROW.finditer(text):
            used = re.search(r"\.labels\s*=\s*\{([^}]*)\}", match.group(3))
            names = re.findall(r"&(\w+)", used.group(1)) if used else []
            place = f"{name}:{text.count(chr(10), 0, match.start()) + 1}"
            found[match.group(1)] = (place, match.group(2).lower(), [labels.get(label, label) for label in names])
    return found


def documented(tree):
    for number, line in enumerate(tree.lines(PAGE), 1):
        match = DOCUMENTED.match(line)
        if match:
            yield match.group(1), (f"{PAGE}:{number}", match.group(2), re.findall(r"`(\w+)`", match.group(3)))


def page_agrees(metrics, page):
    for name, (place, kind, labels) in metrics.items():
        if name not in page:
            yield f"{place}: {name} has no row in {PAGE}"
        elif page[name][1:] != (kind, labels):
            yield f"{page[name][0]}: {name} is a {kind} with the labels {', '.join(labels) or 'none'}"
    for name, (place, _, _) in page.items():
        if name not in metrics:
            yield f"{place}: no table has {name}"


def is_known(name, metrics):
    for suffix in SUFFIXES:
        base = name.removesuffix(suffix)
        if base != name and metrics.get(base, ("", "", []))[1] == "histogram":
            return True
    return name in metrics and metrics[name][1] != "histogram"


def asked(tree):
    """(place, name) of what alert rules and dashboards ask for."""
    for name in tree.files:
        if name.startswith(("deploy/prometheus/", "deploy/grafana/", "helm/")) and name.endswith((".yaml", ".json")):
            for number, line in enumerate(tree.lines(name), 1):
                wanted = re.search(r'\bexpr"?: *(.*)', line)
                for match in ASKED.finditer(wanted.group(1) if wanted else ""):
                    yield f"{name}:{number}", match.group(0)


def runbooks(tree):
    """(place, anchor) of the runbooks that alerts name."""
    for name in tree.files:
        if name.startswith("deploy/prometheus/") and name.endswith(".yaml"):
            for number, line in enumerate(tree.lines(name), 1):
                match = re.search(r"runbook(?:_url)?:.*\bdocs/operations\.md#([\w-]+)", line)
                if match:
                    yield f"{name}:{number}", match.group(1)


def without_runbook(tree):
    """(place, alert) of the alerts that name no runbook of their own."""
    for name in tree.files:
        if name.startswith("deploy/prometheus/") and name.endswith(".rules.yaml"):
            named = set(re.findall(r"docs/operations\.md#([\w-]+)", tree.text(name)))
            for number, line in enumerate(tree.lines(name), 1):
                match = re.match(r"\s*- alert: (\w+)", line)
                if match and match.group(1).lower() not in named:
                    yield f"{name}:{number}", match.group(1)


def anchors(tree):
    if not tree.exists(RUNBOOK):
        return set()
    headings = [line.lstrip("# ").strip().lower() for line in tree.lines(RUNBOOK) if line.startswith("#")]
    return {re.sub(r"[^\w -]", "", heading).replace(" ", "-") for heading in headings}


def metrics(tree):
    known = declared(tree)
    yield from page_agrees(known, dict(documented(tree)) if tree.exists(PAGE) else {})
    for place, name in asked(tree):
        if not is_known(name, known):
            yield f"{place}: no table has {name}"
    for place, alert in without_runbook(tree):
        yield f"{place}: {alert} names no runbook docs/operations.md#{alert.lower()}"
    there = anchors(tree)
    for place, anchor in runbooks(tree):
        if anchor not in there:
            yield f"{place}: {RUNBOOK} has no heading for #{anchor}"
