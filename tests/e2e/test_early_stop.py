# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that the bands stop: SIGTERM soon after the logged value, and the reasons for it."""
import json
import statistics

from localstack import LocalStack, wait_for
from steady import ORDER, run_steadily

# Point k logs k every 0.1 s, so that greater points are worse at every band. A stopped one notes when SIGTERM came.
TRAIN = '''
import json, os, signal, socket, sys, time
point = int(sys.argv[1].split("=")[1])
logged = {}
def stopped(signal_number, frame):
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(json.dumps({"run": os.environ["BESOM_RUN_ID"], "point": point, "logged": logged,
                                "stopped": time.time()}) + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, stopped)
run = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
run.connect(os.environ["BESOM_RUN_SOCKET"])
for row in range(1, 31):
    logged[row] = time.time()
    run.sendall((json.dumps({"log": {"loss": float(point)}}) + "\\n").encode())
    time.sleep(0.1 if row < 30 or point < 3 else 5)
'''
SWEEP = """
method: grid
metric: {{name: loss, goal: minimize}}
program: {program}
command: [/usr/bin/python3, "${{program}}", "${{args}}"]
early_terminate: {{type: hyperband, min_iter: 3, eta: 3, strict: true}}
parameters:
  point: {{values: [0, 1, 2, 3, 4, 5, 6, 7, 8]}}
"""


def test_hopeless_runs_stop_at_once_and_say_why():
    with LocalStack() as stack:
        notes = stack.write("notes", "")
        stack.environment["NOTES"] = notes
        sweep = stack.create(SWEEP.format(program=stack.write("train.py", TRAIN)))
        agent = stack.start_agent(sweep, 0, "-j", "3")
        assert agent.wait(180) == 0
        stopped = {run["run_id"]: run for run in stack.runs(sweep) if run["state"] == "stopped"}
        assert stopped, "nothing was stopped"
        for run in stopped.values():
            assert run["end_reason"] == "early_stop"
            assert run["params"]["point"] > 0, "the best run was stopped"
        told, delays = [json.loads(line) for line in open(notes)], []
        assert {note["run"] for note in told} == set(stopped)
        for note in told:
            why = stack.json("why", note["run"])
            decision = next(one for one in why["decisions"] if one["stop"])
            assert decision["value"] == note["point"] and decision["threshold"] < decision["value"]
            assert decision["band"] in (3, 9, 27) and decision["rivals"], decision
            delay = note["stopped"] - note["logged"][str(decision["band"])]
            assert 0 <= delay < 5.0, f"SIGTERM came {delay:.2f} s after row {decision['band']}"
            delays.append(delay)
            text = stack.command("why", note["run"]).stdout
            for wanted in (str(decision["band"]), "threshold", f"{decision['threshold']:g}", f"{decision['value']:g}"):
                assert wanted in text, f"{wanted!r} is not in:\n{text}"
        wait_for(lambda: stack.json("status", sweep)["state"] == "finished", 10, "the sweep is finished")
        print(f"SIGTERM came up to {max(delays):.2f} s after the value; `tests/bench/run stop_latency` measures it")


def test_best_and_status_agree_after_stops():
    with LocalStack() as stack:
        stack.environment["NOTES"] = stack.write("notes", "")
        sweep = stack.create(SWEEP.format(program=stack.write("train.py", TRAIN)))
        assert stack.start_agent(sweep, 0, "-j", "4").wait(180) == 0
        best = stack.json("best", sweep)
        assert best["params"] == {"point": 0} and best["objective"] == 0.0 and best["state"] == "finished"
        counts = stack.json("status", sweep)["counts"]
        assert counts["finished"] + counts["stopped"] == 9


def stopped_by(rule, stops):
    """`stops`: the row at which a point is to be stopped."""
    with LocalStack() as stack:
        sweep = run_steadily(stack, 4, 0.1, f"early_terminate: {{{rule}}}\n", stops)
        runs = stack.runs(sweep)
        stopped = {run["params"]["point"] for run in runs if run["state"] == "stopped"}
        words = {run["params"]["point"]: stack.command("why", run["run_id"]).stdout for run in runs}
        return stopped, words


def test_asha_stops_what_is_not_among_the_best_share():
    """Of n that got to a band the best max(1, n // 2) go on."""
    kept, seen = {0}, [0]
    for point in ORDER[1:]:
        seen.append(point)
        if sorted(seen).index(point) < max(1, len(seen) // 2):
            kept.add(point)
    stopped, words = stopped_by("type: asha, max_iter: 9, eta: 2", {point: 1 for point in set(seen) - kept})
    assert stopped == set(seen) - kept
    assert "not among the best" in words[7]


def stopped_by_median(points, rows, least):
    """The rule read naively: one run after the other, each of its points at every row up to where it is stopped."""
    reached = {}
    for point in points:
        for row in range(1, rows + 1):
            others = sorted(reached.setdefault(row, []))
            reached[row].append(point)
            if len(others) >= least and point > statistics.median(others):
                yield point, row
                break


def test_median_stops_what_is_worse_than_half():
    stops = dict(stopped_by_median(ORDER, 4, 3))
    stopped, words = stopped_by("type: median, min_runs: 3", stops)
    assert stopped == set(stops)
    assert "worse than the median" in words[7]
    assert "3 others are needed" in words[4]


def test_grace_and_a_bound_on_stops():
    """Of up to 8 runs 2 may be stopped, from row 4 on: the 4th and the 8th are."""
    stopped, words = stopped_by("type: asha, max_iter: 9, eta: 2, grace: 4, max_stops: 0.25", {5: 4, 7: 4})
    assert stopped == {5, 7}
    assert "(grace)" in words[4] and "max_stops" in words[6]


# Four rows an epoch, from epoch 0 on; the epoch stands in a row of its own. Point k logs k.
TRAIN_EPOCHS = '''
import json, os, socket, sys, time
point = int(sys.argv[1].split("=")[1])
run = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
run.connect(os.environ["BESOM_RUN_SOCKET"])
def log(**values):
    run.sendall((json.dumps({"log": values}) + "\\n").encode())
for epoch in range(7):
    log(epoch=epoch)
    for row in range(4):
        log(loss=float(point) + 0.1 * row)
        time.sleep(0.05)
time.sleep(0 if point == 0 else 5)
'''


def test_bands_count_epochs():
    with LocalStack() as stack:
        source = SWEEP.format(program=stack.write("train.py", TRAIN_EPOCHS)).replace(
            "min_iter: 3, eta: 3, strict: true", "min_iter: 2, eta: 3, step_metric: epoch").replace(
            "[0, 1, 2, 3, 4, 5, 6, 7, 8]", "[0, 3, 6]")
        said = stack.command("check", stack.write("epochs.yaml", source)).stdout
        assert "at epoch: 2, 6, 18" in said and "EPOCH" in said and "its value at that epoch" in said, said
        sweep = stack.create(source)
        assert stack.start_agent(sweep, 0, "-j", "1").wait(120) == 0
        runs = stack.runs(sweep)
        assert {run["params"]["point"]: run["state"] for run in runs} == {0: "finished", 3: "stopped", 6: "stopped"}
        for run in runs:
            decision = stack.json("why", run["run_id"])["decisions"][0]
            # the first row of epoch 2, the ninth of all
            assert (decision["band"], decision["value"]) == (2, run["params"]["point"]), decision
            assert "at epoch 2 is" in decision["reason"]
        bands = stack.json("brackets", sweep)["bands"]
        assert [(band["band"], band["reached"], band["stopped"]) for band in bands[:2]] == [(2, 3, 2), (6, 1, 0)]
        assert stack.command("brackets", sweep).stdout.splitlines()[4].split()[0] == "EPOCH"
        # as it was, one run after the other; what is stopped logs nothing more
        told = stack.json("replay", sweep)
        assert [rule["stopped"] for rule in told["rules"]] == [0, 2]
        told = stack.json("replay", sweep, "--early-terminate", "type: asha, max_iter: 4, step_metric: epoch")
        stops = {run["rules"]["given"].get("band") for run in told["runs"]}
        assert stops == {None, 1}, told
