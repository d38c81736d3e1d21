# SPDX-License-Identifier: GPL-3.0-or-later
"""Search spaces of the benchmark, and the same as a sweep file.

A parameter is a dict: name, type (float, int, cat), low and high with log, or choices. `when` ({other: choice}) says in
which case it counts; those who know no conditions are given the parameter all the same, and it has no effect.
"""
import math


def real(name, low, high, log=False, when=None):
    return {"name": name, "type": "float", "low": float(low), "high": float(high), "log": log, "when": when}


def whole(name, low, high, log=False, when=None):
    return {"name": name, "type": "int", "low": int(low), "high": int(high), "log": log, "when": when}


def category(name, *choices):
    return {"name": name, "type": "cat", "choices": list(choices), "when": None}


def of_sweep_file(parameter, conditions):
    if parameter["type"] == "cat":
        entry = {"values": parameter["choices"]}
    elif parameter["type"] == "int" and parameter["log"]:
        entry = {"distribution": "q_log_uniform_values", "min": parameter["low"], "max": parameter["high"], "q": 1}
    elif parameter["type"] == "int":
        entry = {"distribution": "int_uniform", "min": parameter["low"], "max": parameter["high"]}
    else:
        entry = {"distribution": "log_uniform_values" if parameter["log"] else "uniform",
                 "min": parameter["low"], "max": parameter["high"]}
    if conditions and parameter["when"]:
        entry["when"] = parameter["when"]
    return entry


def sweep_file(space, conditions=False, **keys):
    """The space as a sweep file; `conditions` are Besom's own and left out for others."""
    return {"method": "bayes", "metric": {"name": "loss", "goal": "minimize"}, **keys,
            "parameters": {parameter["name"]: of_sweep_file(parameter, conditions) for parameter in space}}


def draw(parameter, random):
    if parameter["type"] == "cat":
        return random.choice(parameter["choices"])
    low, high = parameter["low"], parameter["high"]
    if parameter["type"] == "int":
        if not parameter["log"]:
            return random.randint(low, high)
        value = math.exp(random.uniform(math.log(low - 0.5), math.log(high + 0.5)))
        return min(high, max(low, round(value)))
    if parameter["log"]:
        return math.exp(random.uniform(math.log(low), math.log(high)))
    return random.uniform(low, high)


def draw_point(space, random):
    return {parameter["name"]: draw(parameter, random) for parameter in space}
