# SPDX-License-Identifier: GPL-3.0-or-later
"""Sweep files that people published: each gets the verdict that its manifest asks for, at the right place.

The files are other people's and no part of the project. BESOM_CORPUS names their folder, else it is
`shared/corpus` beside the project's. What is expected of a file is worked out from its manifest line (what W&B's
own checks say) and from PyYAML's reading of the file, never from what besom says.
"""
import csv
import difflib
import json
import math
import os
import re
import subprocess

import pytest
import yaml

from localstack import BIN

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CORPUS = os.environ.get("BESOM_CORPUS") or os.path.join(os.path.dirname(ROOT), "shared", "corpus")
# Misspelling one of these changes what is searched, stopped or run.
DECISIVE = "method metric parameters early_terminate run_cap command program".split()
# What a file without a fault may be told besides: keys of early_terminate that the rule does not use.
REMARKS = re.compile("^(s|max_iter|min_iter) is ignored")


def rows():
    path = os.path.join(CORPUS, "manifest.tsv")
    if not os.path.exists(path):
        reason = f"no {path}: BESOM_CORPUS names a folder with manifest.tsv and files/"
        return [pytest.param(None, id="corpus", marks=pytest.mark.skip(reason=reason))]
    with open(path, newline="") as file:
        return [pytest.param(row, id=row["id"]) for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]


def path_of(row):
    for ending in ("yaml", "json"):
        path = os.path.join(CORPUS, "files", f"{row['id']}.{ending}")
        if os.path.exists(path):
            return path
    pytest.fail(f"{row['id']} is in the manifest and not in files/")
    return None


def check(path, *options):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("BESOM_", "WANDB_"))}
    return subprocess.run([os.path.join(BIN, "besom"), "check", *options, path], capture_output=True, text=True,
                          env=environment, stdin=subprocess.DEVNULL, timeout=20)


# ---- what the file says, by PyYAML ----

def is_number_as_text(node):
    """A plain scalar such as 1e-5: text for YAML 1.1, a number for everybody else."""
    if not isinstance(node, yaml.ScalarNode) or node.style is not None or node.tag != "tag:yaml.org,2002:str":
        return False
    return re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+", node.value) is not None


def leaves(node):
    if isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            yield from leaves(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from leaves(item)
    else:
        yield node


def entries(node):
    return {key.value: (key, value) for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}


def place(node):
    return node.start_mark.line + 1, node.start_mark.column + 1


class Expected:
    """Parts of texts that errors and warnings must have, some at a place; an error means that the file is refused."""

    def __init__(self):
        self.errors, self.warnings = [], []

    def error(self, part, at=None, line=None):
        self.errors.append((part, at, line))

    def warning(self, part, at=None):
        self.warnings.append((part, at, None))


def resembles_decisive(key):
    folded = re.sub("[-_ ]", "", key.lower())
    known = {name.replace("_", ""): name for name in DECISIVE}
    near = [known[name] for name in known if len(name) > 5 and name in folded]
    near += [known[name] for name in difflib.get_close_matches(folded, known, 1, 0.85)]
    return near[0] if near else None


def expect_unknown_key(expected, key, top):
    if key not in top:  # one level down, where nothing is ignored; these sections are refused whole
        whole = [name for name in ("scheduler", "metrics") if name in top]
        expected.error(f"{whole[0]} " if whole else f'unknown key "{key}"')
    elif key == "seed":  # a key of its own here
        if isinstance(top[key][1], yaml.MappingNode):
            expected.warning("move it under parameters")
    elif key == "metrics":
        pass  # told with the keys in it
    elif resembles_decisive(key):
        expected.error(f'unknown key "{key}": did you mean {resembles_decisive(key)}?', place(top[key][0]))
    elif key not in ("job", "image_uri"):
        expected.warning(f'unknown key "{key}", ignored', place(top[key][0]))


def expect_message(expected, text, top, parameters):
    """What one complaint of W&B's checks means here."""
    found = re.match(r"(\S+) uses (q_|inv_)?log_uniform, where", text)
    if found:
        bounds = entries(parameters[found[1]][1])
        low, high = (math.exp(float(bounds[name][1].value)) for name in ("min", "max"))
        expected.warning(f"values from {low:.4g} to {high:.4g}", place(parameters[found[1]][0]))
    for key in re.findall(r"'([^']+)'", text) if text.startswith("Additional properties") else []:
        expect_unknown_key(expected, key, top)
    found = re.match(r"'([^']*)' is not one of \['(minimize|bayes)'", text)
    if found:
        expected.error(f'unknown {"goal" if found[2] == "minimize" else "method"} "{found[1]}"')
    if text.startswith("'method' is a required"):
        expected.error("no method: add method")
    found = re.match(r"(?:invalid hyperparameter configuration: |"
                     r"ValueError: Invalid configuration for hyperparameter ')([^' ]+)", text)
    if found and found[1] in parameters:
        definition = parameters[found[1]][1]
        if not any(is_number_as_text(leaf) for leaf in leaves(definition)):
            expected.error(f"parameter {found[1]}: ")


def expectation(row, path):
    expected = Expected()
    with open(path, newline="") as file:
        text = file.read()
    if row["hosted_check"] == "yaml_error":
        with pytest.raises(yaml.MarkedYAMLError) as raised:
            yaml.safe_load(text)
        expected.error("expected", line=raised.value.problem_mark.line + 1)
        return expected
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    top = entries(root)
    parameters = entries(top["parameters"][1]) if "parameters" in top else {}
    if not path.endswith(".json"):  # there 1e-5 is a number
        for leaf in filter(is_number_as_text, leaves(top["parameters"][1])):
            expected.warning(f"{leaf.value} is text in YAML 1.1: read as the number {float(leaf.value):g}", place(leaf))
    if row["hosted_check"] != "ok":
        for names in re.findall(r"param_unknown_key:(\S+)", row["features"]):
            for name in names.split(","):
                expected.error(f'"{name}"')
        for complaint in row["official_messages"].split(" | "):
            expect_message(expected, complaint.strip(), top, parameters)
    seen = {}
    for key, _ in root.value:
        if key.value in seen and key.value in DECISIVE:
            expected.error(f'key "{key.value}" is there twice (first on line {seen[key.value]})', place(key))
        seen.setdefault(key.value, place(key)[0])
    if "method" in top and top["method"][1].value == "bayes" and "metric" not in top:
        expected.error("method bayes needs a metric")
    expect_command(expected, entries(root))
    return expected


def expect_command(expected, top):
    items = [item for item in top["command"][1].value if isinstance(item, yaml.ScalarNode)] if "command" in top else []
    uses_program = not items or any(item.value == "${program}" for item in items)
    if uses_program and "program" not in top:
        expected.warning("no program: the command needs one")
    known = "env interpreter program args args_no_equals args_no_hyphens args_json args_no_boolean_flags " \
            "args_json_file args_append_hydra args_override_hydra".split()
    for item in items:
        whole = re.fullmatch(r"\$\{(\w+)\}", item.value)
        if whole and whole[1] not in known:
            expected.error(f"unknown macro {item.value}", place(item))
        elif not whole and re.search(r"\$\{(?!envvar:)[^}]*\}", item.value):
            expected.warning("is passed as it stands", place(item))


# ---- what besom says ----

def take(problems, wanted, severity):
    """Removes the first problem that fits and returns it, or None."""
    part, at, line = wanted
    for problem in problems:
        where = (problem["line"], problem["column"])
        if problem["severity"] == severity and part in problem["text"] and at in (None, where) and \
                line in (None, where[0]):
            problems.remove(problem)
            return problem
    return None


def differences(found, expected):
    """Every way in which the findings are not those expected."""
    problems = list(found["problems"])
    lines = [f"missing {severity}: {wanted}" for severity, all_wanted in
             (("error", dict.fromkeys(expected.errors)), ("warning", expected.warnings)) for wanted in all_wanted
             if take(problems, wanted, severity) is None]
    if found["ok"] == bool(expected.errors):
        lines.append("accepted" if found["ok"] else "refused")
    # an error that nothing asked for may only be a further part of a fault that was expected
    if not expected.errors:
        lines += [f"unexpected: {problem}" for problem in problems if not REMARKS.match(problem["text"])]
    return lines


def outside_of_file(problems, path):
    with open(path, newline="") as file:
        lines = file.read().splitlines()
    return [problem for problem in problems if not (1 <= problem["line"] <= len(lines) and
            1 <= problem["column"] <= len(lines[problem["line"] - 1]) + 1)]


def assert_read_as_by_pyyaml(found, path):
    """Names, values and bounds are those of PyYAML's reading, but that text such as 1e-5 is a number."""
    with open(path, newline="") as file:
        read = yaml.safe_load(file)
    assert found["method"] == read["method"]
    assert found["metric"] == (read.get("metric") or {}).get("name")
    assert same(strip(found["spec"]["parameters"]), strip(read["parameters"]))


def strip(parameters):
    """Definitions without the distribution, which besom writes out and people may leave out."""
    if set(parameters) == {"parameters"}:
        return {"parameters": strip(parameters["parameters"])}
    return {name: strip(one) if set(one) == {"parameters"} else
            {key: value for key, value in one.items() if key != "distribution"} for name, one in parameters.items()}


def same(stored, read):
    if isinstance(read, dict):
        return isinstance(stored, dict) and set(stored) == {str(key) for key in read} and \
            all(same(stored[str(key)], value) for key, value in read.items())
    if isinstance(read, list):
        return isinstance(stored, list) and len(stored) == len(read) and all(map(same, stored, read))
    if isinstance(read, str) and isinstance(stored, float):
        return float(read) == stored
    numbers = {type(stored), type(read)} == {int, float}
    return stored == read and (type(stored) is type(read) or numbers)


@pytest.mark.parametrize("row", rows())
def test_verdict(row):
    path = path_of(row)
    done = check(path, "--json")
    found = json.loads(done.stdout)
    assert not differences(found, expectation(row, path)), json.dumps(found["problems"], indent=1)
    assert done.stderr == "" and done.returncode == (0 if found["ok"] else 2)
    assert not outside_of_file(found["problems"], path)
    if found["ok"]:
        assert_read_as_by_pyyaml(found, path)

    plain = check(path)
    told = [f"{path}:{problem['line']}:{problem['column']}: "
            f"{'warning: ' if problem['severity'] == 'warning' else ''}{problem['text']}"
            for problem in found["problems"]]
    said = [line for line in plain.stderr.splitlines() if not line.startswith("besom: ")]
    assert said == told and plain.returncode == done.returncode
    assert plain.stdout.startswith(f"besom: {path} is right: ") if found["ok"] else plain.stdout == ""
