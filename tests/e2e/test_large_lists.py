# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists that are larger than one message."""

MANY_NAMES = """
method: grid
command: [python3, -c, "import json, os, socket; s = socket.socket(socket.AF_UNIX); \
s.connect(os.environ['BESOM_RUN_SOCKET']); \
s.sendall((json.dumps({'log': {'%0200d' % i: i for i in range(2000)}}) + chr(10)).encode()); s.close()", "${args}"]
parameters: {x: {min: 1, max: 25}}
"""


def test_runs_with_thousands_of_metrics_are_listed(shared_stack):
    sweep = shared_stack.create(MANY_NAMES)
    assert shared_stack.start_agent(sweep, sweep, "-j", "4").wait(60) == 0, shared_stack.agent_text(sweep)
    runs = shared_stack.runs(sweep)
    assert [run["params"]["x"] for run in runs] == list(range(1, 26))
    assert all(len(run["metrics"]) > 1000 and len(run["summary"]) == 2000 for run in runs)
    limited = shared_stack.json("runs", sweep, "-n", "20")["runs"]
    assert [run["run_id"] for run in limited] == [run["run_id"] for run in runs[:20]]
    text = shared_stack.command("runs", sweep).stdout
    assert len(text.splitlines()) == 26


def test_configurations_that_no_message_holds_together_are_handed_out(shared_stack):
    sweep = shared_stack.create(f"""
method: grid
command: ["true"]
parameters:
  x: {{min: 1, max: 20}}
  text: {{value: "{'long ' * 80000}"}}
""")
    assert shared_stack.start_agent(sweep, sweep, "-j", "2", "--quiet").wait(120) == 0, shared_stack.agent_text(sweep)
    assert shared_stack.json("status", sweep)["counts"]["finished"] == 20
