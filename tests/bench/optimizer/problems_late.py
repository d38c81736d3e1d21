# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems that were written when nearly everything in lib/optim had been chosen: they were looked at for its last two choices.

Standard functions where their papers have the optimum, and tuning tasks as formulas. Least losses are known by construction
or from the literature (S. Surjanovic, D. Bingham: "Virtual library of simulation experiments").
"""
import math

from problems import of_vector, problem, well, with_noise
from spaces import category, real, whole


def camel(x):
    a, b = x
    return (4 - 2.1 * a * a + a ** 4 / 3) * a * a + a * b + (4 * b * b - 4) * b * b


def michalewicz(x):
    return -sum(math.sin(v) * math.sin((i + 1) * v * v / math.pi) ** 20 for i, v in enumerate(x))


SHEKEL = ((0.1, (4, 4, 4, 4)), (0.2, (1, 1, 1, 1)), (0.2, (8, 8, 8, 8)), (0.4, (6, 6, 6, 6)), (0.4, (3, 7, 3, 7)),
          (0.6, (2, 9, 2, 9)), (0.3, (5, 5, 3, 3)), (0.7, (8, 1, 8, 1)), (0.5, (6, 2, 6, 2)), (0.5, (7, 3.6, 7, 3.6)))


def shekel(x):
    """Ten narrow holes in a plain."""
    return -sum(1 / (width + sum((v - c) ** 2 for v, c in zip(x, centre))) for width, centre in SHEKEL)


def dixon_price(x):
    return (x[0] - 1) ** 2 + sum(i * (2 * b * b - a) ** 2 for i, (a, b) in enumerate(zip(x, x[1:]), 2))


def zakharov(x):
    tilt = sum(0.5 * i * v for i, v in enumerate(x, 1))
    return sum(v * v for v in x) + tilt ** 2 + tilt ** 4


def boosting(p):
    """Rounds must match the rate, depth the weight of a child; rows and columns matter little."""
    rate, rounds = math.log10(p["eta"]), math.log10(p["rounds"])
    return (0.2 * (rate + rounds - 1.4) ** 2 + 0.01 * (rate + 1.6) ** 2 + 0.004 * (p["depth"] - 5) ** 2
            + 0.01 * (math.log2(p["child"]) - 0.4 * p["depth"]) ** 2 + 0.04 * (p["rows"] - 0.75) ** 2 + 0.02 * (p["columns"] - 0.6) ** 2
            + 0.002 * (math.log10(p["lambda"]) - 0.5) ** 2)


def kernels(p):
    """A support vector machine: each kernel has a ridge of its own; the polynomial's degree counts there only."""
    cost, gamma = math.log10(p["c"]), math.log10(p["gamma"])
    if p["kernel"] == "rbf":
        return 0.06 + 0.05 * well(cost + gamma + 1.5, 2) + 0.03 * well(gamma + 2.2, 1.5)
    if p["kernel"] == "poly":
        return 0.09 + 0.04 * well(cost + p["degree"] * (gamma + 1.2), 6) + 0.01 * (p["degree"] - 3) ** 2
    return 0.14 + 0.02 * well(cost + 0.5, 3)


def footprint(p):
    return math.log2(p["width"]) * 2 + math.log2(p["batch"]) + 0.8 * p["layers"]


def large_model(p):
    """What is best fits into memory by little."""
    rate = math.log10(p["lr"]) + 0.4 * math.log2(p["width"] / 256) - 0.3 * math.log2(p["batch"] / 64)
    return (0.3 * well(rate + 3, 1.5) + 0.01 * (20.8 - math.log2(p["width"]) * 2 - 0.8 * p["layers"]) ** 2
            + 0.01 * (math.log2(p["batch"]) - 6) ** 2 + 0.05 * (math.log10(p["decay"]) + 2) ** 2 + 0.02 * (p["layers"] - 6) ** 2 / 9)


LATE = {entry.name: entry for entry in (
    of_vector("camel2", camel, (-3, -2), (3, 2), 2, -1.031628453489877),
    of_vector("michalewicz5", michalewicz, 0, math.pi, 5, -4.687658179088),
    of_vector("shekel4", shekel, 0, 10, 4, -10.536409816692),
    of_vector("dixon_price6", dixon_price, -10, 10, 6, 0),
    of_vector("zakharov8", zakharov, -5, 10, 8, 0),
    problem("boosting7", [real("eta", 1e-3, 1, True), whole("rounds", 10, 3000, True), whole("depth", 1, 12), whole("child", 1, 64, True),
                          real("rows", 0.3, 1), real("columns", 0.2, 1), real("lambda", 1e-3, 1e3, True)], boosting, 0, with_noise(0.003)),
    problem("kernels4", [category("kernel", "linear", "poly", "rbf"), real("c", 1e-3, 1e4, True), real("gamma", 1e-6, 10, True),
                         whole("degree", 2, 6, when={"kernel": "poly"})], kernels, 0.06),
    problem("memory5", [real("lr", 1e-6, 1, True), whole("width", 32, 4096, True), whole("batch", 8, 1024, True), whole("layers", 1, 16),
                        real("decay", 1e-5, 1, True)], large_model, 0, fails=lambda p, _random: footprint(p) > 27),
)}
