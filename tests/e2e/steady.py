# SPDX-License-Identifier: GPL-3.0-or-later
"""A grid of eight points whose runs come one after the other, each logging its point row by row."""

HEAD = """
method: grid
metric: {{name: loss, goal: minimize}}
program: {program}
command: [/usr/bin/python3, "${{program}}", "${{args}}"]
parameters:
  point: {{values: [0, 4, 1, 5, 2, 6, 3, 7]}}
"""
ORDER = (0, 4, 1, 5, 2, 6, 3, 7)
# From row 21 on the worst are the best. WAITS has the rows that a point stays at until it is stopped: "5:4,7:4".
STEADY = '''
import json, os, socket, sys, time
point = float(sys.argv[1].split("=")[1])
waits = {float(one.split(":")[0]): int(one.split(":")[1]) for one in os.environ["WAITS"].split(",") if one}
run = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
run.connect(os.environ["BESOM_RUN_SOCKET"])
for row in range(int(os.environ["ROWS"])):
    run.sendall((json.dumps({"log": {"loss": point if row < 20 else -point, "other": 1}}) + "\\n").encode())
    time.sleep(20 if waits.get(point) == row + 1 else float(os.environ["PAUSE"]))
'''


def run_steadily(stack, rows, pause, rule="", stops=None):
    """Runs the sweep to its end with one agent. `stops`: at which row a point is to be stopped; gives the sweep."""
    waits = ",".join(f"{point}:{row}" for point, row in (stops or {}).items())
    stack.environment.update(ROWS=str(rows), PAUSE=str(pause), WAITS=waits)
    sweep = stack.create(HEAD.format(program=stack.write("train.py", STEADY)) + rule)
    assert stack.start_agent(sweep, len(stack.agents)).wait(240) == 0
    return sweep
