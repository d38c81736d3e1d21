# SPDX-License-Identifier: GPL-3.0-or-later
"""A program with a checkpoint, and what it did, for tests of runs that pause."""
import collections
import json

TRAIN = '''
import json, os, socket, sys, time
settings = dict(one.lstrip("-").split("=", 1) for one in sys.argv[1:])
x, epochs, pace = float(settings["x"]), int(os.environ["EPOCHS"]), float(os.environ["PACE_S"])
checkpoint = os.path.join(os.environ["BESOM_RUN_DIR"], "epoch")
begun = int(open(checkpoint).read()) if os.path.exists(checkpoint) else 0
def note(what, epoch):
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(json.dumps({"what": what, "run": os.environ["BESOM_RUN_ID"], "x": x, "epoch": epoch,
                                "attempt": int(os.environ["BESOM_ATTEMPT"]),
                                "resume": os.environ.get("BESOM_RESUME")}) + "\\n")
note("begun", begun)
run = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
run.connect(os.environ["BESOM_RUN_SOCKET"])
for epoch in range(begun + 1, epochs + 1):
    time.sleep(pace)
    if x >= float(os.environ.get("FAILS_FROM", "inf")):
        note("failed", epoch)
        sys.exit(3)
    with open(checkpoint + ".new", "w") as file:
        file.write(str(epoch))
    os.replace(checkpoint + ".new", checkpoint)
    note("epoch", epoch)
    run.sendall((json.dumps({"log": {"loss": x + 1 / epoch, "epoch": epoch}}) + "\\n").encode())
    if str(epoch) in os.environ["RUNGS"].split(","):  # an order to pause may come late
        time.sleep(float(os.environ["PATIENCE_S"]))
note("done", epochs)
'''
SWEEP = """
method: {method}
metric: {{name: loss, goal: minimize}}
program: {program}
resume: true
{rule}
parameters:
  x: {x}
"""


def read(path):
    return [json.loads(line) for line in open(path)]


RULE = "early_terminate: {{type: hyperband_full, max_iter: {epochs}, step_metric: epoch}}"


def begin(stack, x, method="grid", epochs=9, pace=0.4, more="", fails_from=None, rule=RULE, rungs="", patience=0):
    """Makes the sweep and says where its runs take notes. They wait `patience` s after each epoch of `rungs`."""
    notes = stack.write("notes", "")
    stack.environment.update(NOTES=notes, EPOCHS=str(epochs), PACE_S=str(pace), RUNGS=rungs, PATIENCE_S=str(patience))
    if fails_from is not None:
        stack.environment["FAILS_FROM"] = str(fails_from)
    text = SWEEP.format(program=stack.write("train.py", TRAIN), method=method, x=x,
                        rule=(rule or "").format(epochs=epochs)) + more
    return stack.create(text), notes


def check_notes(notes):
    """Each attempt but the first went on from the epoch that was the last; gives the epochs of each run."""
    last = collections.defaultdict(int)
    for note in read(notes):
        if note["what"] == "begun":
            assert note["epoch"] == last[note["run"]], note
            assert note["resume"] == ("1" if note["attempt"] > 1 else None), note
        elif note["what"] == "epoch":
            assert note["epoch"] == last[note["run"]] + 1, note
            last[note["run"]] = note["epoch"]
    return dict(last)
