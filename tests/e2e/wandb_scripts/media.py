# SPDX-License-Identifier: GPL-3.0-or-later
"""Media of every kind, where neither numpy nor PIL is installed."""
import json
import os
import struct
import sys

import wandb


class Array:
    def __init__(self, values):
        self.values = values
        self.shape = (len(values), len(values[0]))

    def tolist(self):
        return self.values


class Figure:
    """Draws itself, like a figure of matplotlib."""

    def savefig(self, target, format=None):
        target.write(b"\x89PNG drawn")


assert "numpy" not in sys.modules and "PIL" not in sys.modules
run = wandb.init()
with open("picture.jpg", "wb") as file:
    file.write(b"jpeg bytes")
table = wandb.Table(columns=["id", "picture"])
table.add_data(1, wandb.Image("picture.jpg"))
wandb.log({"loss": 0.5, "photo": wandb.Image("picture.jpg", caption="a photo"),
           "pixels": wandb.Image(Array([[0.0, 0.5], [1.0, 0.25]])), "figure": wandb.Image(Figure()),
           "table": table, "weights": wandb.Histogram([1, 2, 2, 3], num_bins=4)})
wandb.log({"loss": 0.25, "weights": wandb.Histogram(np_histogram=([1, 2], [0, 1, 2])), "raw_figure": Figure(),
           "sound": wandb.Audio([0.0, 0.5, -0.5], sample_rate=8000), "page": wandb.Html("<b>x</b>"),
           "points": wandb.Object3D([[0, 0, 1]]), "movie": wandb.Video(Array([[1, 2]]), fps=4),
           "bad": wandb.Image("there-is-no-such-file.png"), "many": [wandb.Image("picture.jpg")] * 2,
           "graph": wandb.Graph(), "molecule": wandb.Molecule("picture.jpg")})
wandb.log({"roc": wandb.plot.roc_curve([0, 1, 1], [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7]]),
           "pr": wandb.plot.pr_curve([0, 1, 1], [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7]]),
           "cm": wandb.plot.confusion_matrix(y_true=[0, 1, 1], preds=[0, 1, 0], class_names=["cat", "dog"]),
           "line": wandb.plot.line(wandb.Table(data=[[1, 2]], columns=["x", "y"]), "x", "y", title="t"),
           "series": wandb.plot.line_series([1, 2], [[3, 4]], keys=["k"])})
wandb.log({"loss": 0.125})
run.summary["final"] = wandb.Table(data=[[1]], columns=["n"])

media = {name for _, _, names in os.walk(os.path.join(run.dir, "media")) for name in names}
assert any(name.startswith("pixels") for name in media), media
with open(os.path.join(run.dir, run.summary["pixels"]["path"]), "rb") as file:
    png = file.read()
assert png[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", png[16:24]) == (2, 2)
with open(os.path.join(run.dir, run.summary["table"]["path"])) as file:
    stored = json.load(file)
assert stored["columns"] == ["id", "picture"] and stored["data"][0][1]["_type"] == "image-file", stored

artifact = wandb.Artifact("model", type="model", metadata={"acc": 1})
with artifact.new_file("weights.txt") as file:
    file.write("1 2 3")
artifact.add_file("picture.jpg", name="in/picture.jpg")
artifact.add(wandb.Table(data=[[1]], columns=["n"]), "results")
run.log_artifact(artifact, aliases=["best"]).wait()
with open(os.path.join(artifact.download(), "weights.txt")) as file:
    assert file.read() == "1 2 3"
try:
    run.use_artifact("other:latest")
    raise SystemExit("an artifact from nowhere")
except wandb.errors.CommError:
    pass
assert wandb.save("picture.jpg")
wandb.alert(title="done", text="all kinds")
wandb.watch(object())
run.log_code()
