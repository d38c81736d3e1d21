# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems beside those that constants of lib/optim were chosen on. They had a word in a few choices, so they are not unseen.

Each is hard in one way. All least losses are known by construction.
"""
import math

from problems import problem, well, with_noise
from spaces import category, real, whole


def easy_category(p):
    """Two of three categories are good at once wherever one looks; the third is poor but in one place, and best there."""
    away = (p["x"] - 0.7) ** 2 + (p["y"] - 0.2) ** 2
    if p["kind"] == "easy":
        return 0.30 + 0.1 * away + 0.02 * p["z"] ** 2
    if p["kind"] == "fair":
        return 0.35 + 0.2 * (p["x"] - 0.3) ** 2 + 0.02 * p["z"] ** 2
    return 0.8 * (1 - math.exp(-away / 0.03)) + 0.2 * (p["z"] - 0.5) ** 2


def branches(p):
    """Each branch has parameters of its own, and the shared rate is best elsewhere in each."""
    rate = math.log10(p["lr"])
    if p["model"] == "tree":
        return 0.05 + 0.04 * (rate + 1) ** 2 + 0.004 * (p["leaves"] - 20) ** 2 / 10 + 0.3 * (p["share"] - 0.7) ** 2
    if p["model"] == "net":
        return 0.08 * (rate + 3) ** 2 + 0.02 * (math.log2(p["units"]) - 7) ** 2 + 0.4 * (p["drop"] - 0.3) ** 2
    return 0.12 + 0.01 * (rate + 2) ** 2 + 0.02 * (math.log10(p["penalty"]) + 1) ** 2


def log_valley(p):
    """Only a product of powers must be met closely; along the valley the loss falls slowly."""
    a, b, c, d = (math.log10(p[name]) for name in "abcd")
    return 30 * (a + b - 0.5 * c + 4) ** 2 + 0.1 * (a + 3.5) ** 2 + 0.1 * (c - 1) ** 2 + 0.05 * (d + 2) ** 2


def plateau(p):
    """A small basin in a plain where values tell nothing but noise."""
    distance = math.sqrt((math.log10(p["lr"]) + 2.8) ** 2 / 0.8 + (p["a"] - 0.35) ** 2 / 0.06 + (p["b"] - 0.6) ** 2 / 0.08
                         + (p["c"] - 0.5) ** 2 / 0.5)
    return 1 - math.exp(-0.5 * distance ** 2)


def beside_half(p):
    x, y, z = p["x"], p["y"], p["z"]
    return (x + y - 1) ** 2 * 2 + (x - 0.8) ** 2 + 0.5 * (z - 0.3) ** 2 + 0.2 * (math.log10(p["w"]) + 2) ** 2 + 0.1 * (p["k"] - 4) ** 2 / 9


def half_fails(p, _random):
    """All beyond a plane through the optimum's neighbourhood, about half of the space."""
    return p["x"] + p["y"] > 1.03


def lattice(p):
    target = (13, 4, 27, 9, 2, 18)
    numbers = [p[f"n{i}"] for i in range(6)]
    off = [(n - t) / s for n, t, s in zip(numbers, target, (31, 15, 63, 15, 7, 31))]
    return 4 * (off[0] - off[1]) ** 2 + sum(abs(v) for v in off) + 0.5 * (off[2] + off[3]) ** 2 + (0.1 if numbers[4] % 2 else 0)


def sparse(p):
    """Twenty parameters, four of which count."""
    x = [p[f"x{i}"] for i in (2, 7, 11, 16)]
    return 3 * (x[0] - 0.3) ** 2 + 2 * (x[1] - 0.8) ** 2 + 4 * (x[2] - x[0] - 0.2) ** 2 + well(x[3] - 0.6, 0.1)


WELLS = ((0, 30, (0.72, 0.28, 0.61, 0.44)), (0.12, 6, (0.22, 0.71, 0.33, 0.58)), (0.2, 12, (0.15, 0.2, 0.8, 0.3)),
         (0.16, 20, (0.85, 0.8, 0.2, 0.75)), (0.25, 4, (0.5, 0.5, 0.5, 0.9)), (0.08, 40, (0.4, 0.9, 0.85, 0.15)))


def wells(p):
    """Six parabolas of different width; the deepest is not the widest."""
    x = [p[f"x{i}"] for i in range(4)]
    return min(depth + steep * sum((a - b) ** 2 for a, b in zip(x, centre)) / 4 for depth, steep, centre in WELLS)


def heavy_bowl(p):
    return (0.5 * (math.log10(p["lr"]) + 3) ** 2 + 2 * (p["a"] - 0.4 - 0.1 * (math.log10(p["lr"]) + 3)) ** 2 + 3 * (p["b"] - 0.55) ** 2
            + 0.02 * (p["n"] - 6) ** 2 + {"p": 0, "q": 0.1, "r": 0.3}[p["kind"]])


def with_heavy_tails(loss, random):
    """Student's noise with two degrees of freedom, so far too low as well as far too high."""
    return loss + 0.03 * random.gauss(0, 1) / math.sqrt(-math.log(1 - random.random()))


APART = {entry.name: entry for entry in (
    problem("easy_category4", [category("kind", "easy", "fair", "hard"), real("x", 0, 1), real("y", 0, 1), real("z", 0, 1)],
            easy_category, 0),
    problem("branches7", [category("model", "tree", "net", "linear"), real("lr", 1e-5, 1, True),
                          whole("leaves", 2, 64, when={"model": "tree"}), real("share", 0.1, 1, when={"model": "tree"}),
                          whole("units", 8, 1024, True, when={"model": "net"}), real("drop", 0, 0.8, when={"model": "net"}),
                          real("penalty", 1e-5, 1e2, True, when={"model": "linear"})], branches, 0),
    problem("log_valley4", [real("a", 1e-6, 1, True), real("b", 1e-5, 1e3, True), real("c", 1e-2, 1e4, True),
                            real("d", 1e-6, 1, True)], log_valley, 0),
    problem("plateau4", [real("lr", 1e-6, 1, True), real("a", 0, 1), real("b", 0, 1), real("c", 0, 1)], plateau, 0, with_noise(0.05)),
    problem("half_fails5", [real("x", 0, 1), real("y", 0, 1), real("z", 0, 1), real("w", 1e-5, 1, True), whole("k", 1, 10)],
            beside_half, 0, fails=half_fails),
    problem("lattice6", [whole("n0", 0, 31), whole("n1", 0, 15), whole("n2", 0, 63), whole("n3", 0, 15), whole("n4", 0, 7),
                         whole("n5", 0, 31)], lattice, 0),
    problem("sparse20", [real(f"x{i}", 0, 1) for i in range(20)], sparse, 0),
    problem("wells4", [real(f"x{i}", 0, 1) for i in range(4)], wells, 0),
    problem("heavy_bowl5", [real("lr", 1e-6, 1, True), real("a", 0, 1), real("b", 0, 1), whole("n", 1, 16), category("kind", "p", "q", "r")],
            heavy_bowl, 0, with_heavy_tails),
)}
