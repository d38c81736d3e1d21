# SPDX-License-Identifier: GPL-3.0-or-later
"""The command of a run: every macro with every type of value, through a real agent, and what a dry run says of it.

What is expected comes from CPython itself (str, json.dumps), because W&B's agent is Python: an argument is the str()
of a value.
"""
import json
import os
import shutil
import stat
import subprocess

import pytest
import yaml

from localstack import BIN, LocalStack

SECONDS = 30

VALUES = {
    "int_zero": 0,
    "int_negative": -3,
    "int_large": 9007199254740993,
    "int_largest": 2**63 - 1,
    "int_smallest": -2**63,
    "float_tenth": 0.1,
    "float_whole": 3.0,
    "float_small": 1e-05,
    "float_not_small": 0.0001,
    "float_large": 1e16,
    "float_not_large": 1e15,
    "float_largest": 1.7976931348623157e308,
    "float_smallest": 5e-324,
    "float_negative_zero": -0.0,
    "float_digits": 0.30000000000000004,
    "text_plain": "adam",
    "text_empty": "",
    "text_spaces": " two  words ",
    "text_single_quote": "it's",
    "text_double_quote": 'say "hi"',
    "text_both_quotes": "it's \"both\"",
    "text_unicode": "Größe π 🧹",
    "text_line_break": "one\ntwo\r\n",
    "text_shell": "$HOME `id` $(id) * ; & | > \\ ${args} ${envvar:HOME}",
    "text_escapes": "\\ud83e\\uddf9 \\n \x7f",
    "text_like_number": "1e-5",
    "text_like_null": "None",
    "text_dashes": "--help",
    "text_equals": "a=b",
    "bool_yes": True,
    "bool_no": False,
    "null": None,
    "list_empty": [],
    "list_mixed": [1, 2.0, 1e-05, "a b", "it's", "\"'", "tab\t\x7f\xa0\u200b🧹", None, True, [1, [2]]],
    "map": {"b": 1, "a": {"d": None, "c": [False, 1e16]}, "a key": "it's"},
    "dotted.name": 1,
    "hyphen-name": 2,
}
NESTED = {"optimizer": {"parameters": {"name": {"value": "adam"}, "betas": {"parameters": {"one": {"value": 0.9}}}}}}


def ordered(value):
    """Keys in the order in which besom keeps them, at every depth."""
    if isinstance(value, dict):
        return {key: ordered(value[key]) for key in sorted(value)}
    return [ordered(item) for item in value] if isinstance(value, list) else value


CONFIG = ordered({**VALUES, "optimizer": {"name": "adam", "betas": {"one": 0.9}}})


def no_boolean_flags(config):
    for key, value in config.items():
        if value is True:
            yield f"--{key}"
        elif value is not False:
            yield f"--{key}={value}"


MACROS = {
    "${env}": ["/usr/bin/env"],
    "${program}": ["a program.py"],
    "${args}": [f"--{key}={value}" for key, value in CONFIG.items()],
    "${args_no_equals}": [word for key, value in CONFIG.items() for word in (f"--{key}", str(value))],
    "${args_no_hyphens}": [f"{key}={value}" for key, value in CONFIG.items()],
    "${args_no_boolean_flags}": list(no_boolean_flags(CONFIG)),
    "${args_json}": [json.dumps(CONFIG)],
    "${args_append_hydra}": [f"+{key}={value}" for key, value in CONFIG.items()],
    "${args_override_hydra}": [f"++{key}={value}" for key, value in CONFIG.items()],
    "${envvar:A_COLOUR}": ["light blue"],
    "x-${envvar:A_COLOUR}-${envvar:A_COLOUR}": ["x-light blue-light blue"],
    "--seen=${envvar:NOT_SET_ANYWHERE}": ["--seen=NOT_SET_ANYWHERE"],
    "${envvar:lower}": ["${envvar:lower}"],
    "${envvar:BESOM_TOKEN}": ["BESOM_TOKEN"],
    "--lr=${lr}": ["--lr=${lr}"],
    "${args} ": ["${args} "],
    "$HOME": ["$HOME"],
    "two words": ["two words"],
    "": [""],
}
REPORT = """\
#!/usr/bin/python3
import json, os, sys
names = ("BESOM_PARAMS_FILE", "WANDB_SWEEP_PARAM_PATH", "WANDB_SWEEP_ID", "WANDB_RUN_ID")
files = {name: open(os.environ[name], newline="").read() for name in names[:2]}
last = sys.argv[-1]
with open(os.environ["A_REPORT"], "w") as out:
    json.dump({"argv": sys.argv[1:], "files": files, "environment": dict(os.environ),
               "last": open(last).read() if os.path.isabs(last) else None}, out)
"""


def program(stack, name="report.py"):
    path = stack.write(name, REPORT)
    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
    return path


def text_of(sweep_file):
    """As JSON, which is YAML too; the broom as itself and not as a pair of escapes."""
    return json.dumps(sweep_file).replace("\\ud83e\\uddf9", "🧹")


def run_once(stack, sweep_file, name):
    """Creates the sweep, runs its single configuration, and returns the sweep's id and what the program saw."""
    report = os.path.join(stack.home, f"{name}.json")
    sweep = stack.json("sweep", stack.write(f"{name}.json", text_of(sweep_file)))["sweep_id"]
    agent = start_agent(stack, sweep, name, A_COLOUR="light blue", A_REPORT=report)
    assert agent.wait(SECONDS) == 0, stack.agent_text(name)
    with open(report) as file:
        return sweep, json.load(file)


def start_agent(stack, sweep, name, **environment):
    before = stack.environment
    stack.environment = {**before, **environment}
    try:
        return stack.start_agent(sweep, name)
    finally:
        stack.environment = before


@pytest.fixture(scope="module")
def every_macro(shared_stack):
    """One sweep of one configuration whose command holds every macro, each behind a mark."""
    command = [program(shared_stack)]
    for number, item in enumerate(MACROS):
        command += [f"<{number}>", item]
    command += ["<interpreter>", "${interpreter}", "<other items>", 3, 0.10, True, None, "<file>", "${args_json_file}"]
    sweep_file = {"method": "grid", "program": "a program.py", "command": command,
                  "parameters": {**{key: {"value": value} for key, value in VALUES.items()}, **NESTED}}
    sweep, seen = run_once(shared_stack, sweep_file, "macros")
    return shared_stack, sweep, sweep_file, seen


def between(argv, mark):
    """The items behind a mark, up to the next one."""
    start = argv.index(mark) + 1
    stop = next((at for at in range(start, len(argv)) if argv[at][:1] == "<" and argv[at][-1:] == ">"), len(argv))
    return argv[start:stop]


@pytest.mark.parametrize("number,item", list(enumerate(MACROS)), ids=[item.strip("${}") or "empty" for item in MACROS])
def test_macro(every_macro, number, item):
    assert between(every_macro[3]["argv"], f"<{number}>") == MACROS[item]


def python_of(environment):
    """python, or python3 where only that is found."""
    path = environment["PATH"]
    return "python" if shutil.which("python", path=path) or not shutil.which("python3", path=path) else "python3"


def test_interpreter_and_items_that_are_no_texts(every_macro):
    stack, _, _, seen = every_macro
    assert between(seen["argv"], "<interpreter>") == [python_of(stack.environment)]
    assert between(seen["argv"], "<other items>") == ["3", "0.1", "True", "None"]


def test_files_of_a_run(every_macro):
    _, sweep, _, seen = every_macro
    environment = seen["environment"]
    assert environment["WANDB_SWEEP_ID"] == sweep and environment["WANDB_RUN_ID"] == environment["BESOM_RUN_ID"]
    assert between(seen["argv"], "<file>") == [environment["BESOM_PARAMS_FILE"]]
    assert json.loads(seen["last"]) == json.loads(seen["files"]["BESOM_PARAMS_FILE"]) == CONFIG
    text = seen["files"]["WANDB_SWEEP_PARAM_PATH"]
    assert text.startswith("wandb_version: 1\n\n")
    read = yaml.safe_load(text)
    assert read.pop("wandb_version") == 1
    assert read == {key: {"value": value} for key, value in CONFIG.items()}
    assert all(type(read[key]["value"]) is type(value) for key, value in CONFIG.items())
    assert "A_COLOUR" in environment and "BESOM_TOKEN" not in environment


def test_dry_run_shows_the_command_of_the_run(every_macro):
    stack, _, sweep_file, seen = every_macro
    path = stack.write("dry.json", text_of(sweep_file))
    before = stack.environment
    stack.environment = {**before, "A_COLOUR": "light blue", "BESOM_ADDRESS": "unix:/nonexistent"}
    try:
        found = stack.json("sweep", "--dry-run", path)
        text = stack.command("sweep", "--dry-run", path)
    finally:
        stack.environment = before
    one, = found["configurations"]
    assert found["grid_points"] == 1 and one["params"] == CONFIG
    assert one["argv"][1:-1] == seen["argv"][:-1] and one["argv"][-1] == "params.json"
    assert one["command"].replace("\r\n", "\n") in text.stdout and "params.json stands for" in text.stderr
    words = subprocess.run(["/bin/sh", "-c", f"printf '%s\\0' {one['command']}"], stdout=subprocess.PIPE, check=True)
    assert words.stdout.decode().split("\0")[:-1] == one["argv"]


def test_default_command(shared_stack):
    path = program(shared_stack, "train it.py")
    parameters = {"b": {"value": "x y"}, "a": {"value": 1e-05}}
    _, seen = run_once(shared_stack, {"method": "grid", "program": path, "parameters": parameters}, "default")
    assert seen["argv"] == ["--a=1e-05", "--b=x y"]


# ---- dry runs ----

@pytest.fixture(scope="module")
def offline():
    stack = LocalStack()
    yield stack
    stack.close()


RANDOM = "method: random\nprogram: train.py\nrun_cap: 3\nparameters: {x: {min: 0.0, max: 1.0}, y: {min: 1, max: 99}}\n"
GRID = "method: grid\nprogram: train.py\nparameters: {a: {values: [3, 1, 2]}, b: {values: [x, y, z]}}\n"
STOPS = "metric: {name: loss}\nearly_terminate: {type: hyperband, min_iter: 3}\n"
BAYES = RANDOM.replace("random", "bayes") + "metric: {name: loss}\n"


@pytest.mark.parametrize("seed", [7, 2**63 - 1])
def test_dry_run_draws_as_the_server_does(shared_stack, seed):
    path = shared_stack.write("draws.yaml", RANDOM.replace("program: train.py", "command: [/bin/true]"))
    shown = shared_stack.json("sweep", "--dry-run", "--seed", str(seed), path)
    sweep = shared_stack.json("sweep", "--seed", str(seed), path)["sweep_id"]
    assert shared_stack.start_agent(sweep, sweep).wait(SECONDS) == 0
    drawn = sorted((run["ordinal"], run["params"]) for run in shared_stack.runs(sweep))
    assert [params for _, params in drawn] == [one["params"] for one in shown["configurations"]]
    assert shown["seed"] == seed and len(drawn) == 3


def test_dry_run_of_a_grid(offline):
    path = offline.write("grid.yaml", GRID + STOPS)
    found = offline.json("sweep", "--dry-run", path)
    assert (found["grid_points"], found["run_cap"], found["bands"][:3]) == (9, 0, [3, 9, 27])
    assert [tuple(one["params"].values()) for one in found["configurations"]] == [
        (3, "x"), (3, "y"), (3, "z"), (1, "x"), (1, "y")]
    assert len(offline.json("sweep", "--dry-run", "-n", "100", path)["configurations"]) == 9
    text = offline.command("sweep", "--dry-run", "-n", "1", path).stdout
    assert "Points: 9\n" in text and "3, 9, 27" in text and "nothing is created" in text and text.count("train.py") == 1
    assert f"/usr/bin/env {python_of(offline.environment)} train.py --a=3 --b=x\n" in text
    capped = offline.json("sweep", "--dry-run", offline.write("capped.yaml", GRID + "run_cap: 2\n"))
    assert capped["run_cap"] == 2 and len(capped["configurations"]) == 2


def test_dry_run_without_an_end(offline):
    path = offline.write("random.yaml", RANDOM)
    text = offline.command("sweep", "--dry-run", path).stdout
    assert "unbounded" in text and "at most 3" in text and "the server draws one" in text
    assert "the sweep's own draws" in offline.command("sweep", "--dry-run", path, "--seed", "1").stdout
    endless = offline.write("endless.yaml", RANDOM.replace("run_cap: 3\n", ""))
    assert "Runs: unbounded" in offline.command("sweep", "--dry-run", endless).stdout
    found = offline.json("sweep", "--dry-run", endless)
    assert found["grid_points"] is None and found["seed"] is None and len(found["configurations"]) == 5


@pytest.mark.parametrize("arguments,word", [
    (["-n", "3"], "--dry-run"), (["--dry-run", "-n", "0"], "-n"), (["--dry-run", "--pause"], "--pause"),
    (["--dry-run", "-n", "x"], "-n"), (["--dry-run", "--seed", "x"], "--seed"),
    (["--dry-run", "--seed", str(2**63)], "2^63 - 1"), (["--seed", str(2**63)], "2^63 - 1"),
])
def test_dry_run_refuses(offline, arguments, word):
    done = offline.command("sweep", *arguments, offline.write("random.yaml", RANDOM), check=False)
    assert done.returncode == 2 and word in done.stderr and done.stderr.count("\n") == 1 and done.stdout == ""


def test_a_file_cannot_steer_a_terminal(offline):
    name = "\x1b]0;title\x07é"
    sweep_file = {"method": "grid", "program": "t", "parameters": {name: {"value": 1}}}
    path = offline.write("steer.json", json.dumps(sweep_file))
    done = offline.command("check", path, check=False)
    assert done.returncode == 2 and "?]0;title?é" in done.stderr and "\x1b" not in done.stderr


def test_the_words_after_wandb_sweep_are_taken(offline):
    path = offline.write("words.yaml", RANDOM)
    offline.command("sweep", "-e", "team", "-p", "project", "--name", "n", "--program", "p.py", "--dry-run", path)


def test_a_command_that_no_agent_can_start(offline):
    path = offline.write("macro.yaml", GRID + 'command: ["${program}", "${arg}"]\n')
    for command in (["check"], ["sweep", "--dry-run"], ["sweep"], ["run"]):
        done = offline.command(*command, path, check=False)
        assert done.returncode == 2 and "unknown macro ${arg}: did you mean ${args}?" in done.stderr
    empty = offline.write("empty.yaml", GRID.replace("program: train.py\n", "") + 'command: ["${program}"]\n')
    done = offline.command("sweep", "--dry-run", empty, check=False)
    assert done.returncode == 2 and "nothing is left" in done.stderr


def test_bayes_without_a_server(offline):
    path = offline.write("bayes.yaml", BAYES)
    done = offline.command("check", path)
    assert "is right: bayes" in done.stdout and done.stderr == ""
    assert offline.json("check", path)["method_available"] is True
    text = offline.command("sweep", "--dry-run", path).stdout
    assert "chooses each by the results before it" in text and "at most 3" in text
    done = offline.command("sample", path, check=False)
    assert done.returncode == 2 and "before it has results" in done.stderr and done.stdout == ""
