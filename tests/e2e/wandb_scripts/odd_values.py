# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers that JSON has not, nested dicts, and values that are no numbers."""
import wandb


class Scalar:
    """Behaves like an element of an array library."""

    shape = ()

    def __init__(self, value):
        self.value = value

    def item(self):
        return self.value

    def tolist(self):
        return self.value


wandb.init()
wandb.log({"loss": float("nan"), "up": float("inf"), "down": float("-inf"), "ok": True})
wandb.log({"loss": 1, "outer": {"inner": {"deep": 2.5}}, "text": "good", "list": [1, 2], "nothing": None})
wandb.log({"loss": Scalar(3.5), "big": 2 ** 70, "a key/with space": 1, "ünï": 2})
wandb.summary["nested"] = {"a": {"b": [1, {"c": None}]}}
try:
    wandb.log([1, 2])
    raise SystemExit("a list was taken")
except ValueError as error:
    assert str(error) == "wandb.log must be passed a dictionary", error
try:
    wandb.log({1: 2})
    raise SystemExit("a number as name was taken")
except ValueError as error:
    assert str(error) == "Key values passed to `wandb.log` must be strings.", error
