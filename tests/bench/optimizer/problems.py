# SPDX-License-Identifier: GPL-3.0-or-later
"""The problems that served to choose the constants of lib/optim: standard functions, and tuning tasks as formulas.

A problem has a loss to minimise with a known least value. What an optimiser is told may differ from the loss: noise, values
that are far too high, failures.
"""
import collections
import math

from rotation import OPTIMUM, ROTATION
from spaces import category, real, whole

Problem = collections.namedtuple("Problem", "name space loss least observe fails")


def exactly(loss, _random):
    return loss


def with_noise(deviation):
    return lambda loss, random: loss + random.gauss(0, deviation)


def never(_point, _random):
    return False


def problem(name, space, loss, least, observe=exactly, fails=never):
    return Problem(name, space, loss, least, observe, fails)


def of_vector(name, function, low, high, count, least):
    """A problem of `count` real parameters x0, x1, … in one interval, or in one interval each."""
    lows = low if isinstance(low, tuple) else (low,) * count
    highs = high if isinstance(high, tuple) else (high,) * count
    names = [f"x{i}" for i in range(count)]
    space = [real(*bounds) for bounds in zip(names, lows, highs)]
    return problem(name, space, lambda point: function([point[key] for key in names]), least)


def branin(x):
    bend = x[1] - 5.1 / (4 * math.pi ** 2) * x[0] ** 2 + 5 / math.pi * x[0] - 6
    return bend ** 2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x[0]) + 10


def hartmann(steepness, peaks):
    heights = (1.0, 1.2, 3.0, 3.2)

    def loss(x):
        total = 0
        for height, steep, peak in zip(heights, steepness, peaks):
            total -= height * math.exp(-sum(a * (v - p * 1e-4) ** 2 for a, v, p in zip(steep, x, peak)))
        return total
    return loss


HARTMANN3 = hartmann(((3, 10, 30), (0.1, 10, 35), (3, 10, 30), (0.1, 10, 35)),
                     ((3689, 1170, 2673), (4699, 4387, 7470), (1091, 8732, 5547), (381, 5743, 8828)))
HARTMANN6 = hartmann(((10, 3, 17, 3.5, 1.7, 8), (0.05, 10, 17, 0.1, 8, 14), (3, 3.5, 1.7, 10, 17, 8), (17, 8, 0.05, 10, 0.1, 14)),
                     ((1312, 1696, 5569, 124, 8283, 5886), (2329, 4135, 8307, 3736, 1004, 9991),
                      (2348, 1451, 3522, 2883, 3047, 6650), (4047, 8828, 8732, 5743, 1091, 381)))


def shifted(function, *optimum):
    return lambda x: function([v - o for v, o in zip(x, optimum)])


def ackley(z):
    n = len(z)
    return (20 + math.e - 20 * math.exp(-0.2 * math.sqrt(sum(v * v for v in z) / n))
            - math.exp(sum(math.cos(2 * math.pi * v) for v in z) / n))


def rosenbrock(x):
    return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in zip(x, x[1:]))


def levy(z):
    w = [1 + v / 4 for v in z]
    middle = sum((v - 1) ** 2 * (1 + 10 * math.sin(math.pi * v + 1) ** 2) for v in w[:-1])
    return math.sin(math.pi * w[0]) ** 2 + middle + (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2)


def rastrigin(z):
    return sum(10 + v * v - 10 * math.cos(2 * math.pi * v) for v in z)


def styblinski_tang(x):
    return sum(v ** 4 - 16 * v * v + 5 * v for v in x) / 2


def ellipsoid(z):
    """Axes turned, their curvatures from 1 to 1e6."""
    turned = [sum(r * v for r, v in zip(row, z)) for row in ROTATION]
    return sum(10 ** (6 * i / 9) * v * v for i, v in enumerate(turned))


def well(distance, width):
    return 1 - math.exp(-distance * distance / width)


def mlp(p):
    """A network's loss: the best rate depends on optimiser and depth, width and depth make its capacity, which dropout tames."""
    capacity = math.log2(p["units"]) * math.sqrt(p["layers"])
    best_rate = {"sgd": -0.7, "momentum": -1.6, "adam": -3.0, "rmsprop": -3.4}[p["opt"]] - 0.08 * (p["layers"] - 1)
    off = math.log10(p["lr"]) - best_rate
    small, large = max(0, 14 - capacity), max(0, capacity - 14)
    loss = 0.08 + {"sgd": 0.03, "momentum": 0.01, "adam": 0, "rmsprop": 0.006}[p["opt"]]
    loss += 0.25 * well(off, 0.5) + 0.35 * (1 - math.exp(-4 * max(0, off - 0.6) ** 2)) + 0.004 * (1 - math.cos(5 * off))
    loss += 0.008 * small ** 1.3 + 0.012 * large * math.exp(-3 * p["dropout"])
    loss += 0.10 * (p["dropout"] - 0.15 - 0.02 * large) ** 2
    return loss + (0.004 if p["opt"] == "adam" else 0.008) * (math.log10(p["wd"]) + 4) ** 2


def three_models(p):
    """Parameters of the two families that were not chosen have no effect, and nobody is told."""
    if p["model"] == "gbtree":
        slope = math.log10(p["eta"]) + 1 + 0.1 * (p["depth"] - 6)
        return (0.10 + 0.05 * slope ** 2 + 0.003 * (p["depth"] - 6) ** 2 + 0.2 * (p["subsample"] - 0.8) ** 2
                + 0.004 * math.log10(p["lambda"]) ** 2)
    if p["model"] == "linear":
        return 0.16 + 0.006 * (math.log10(p["alpha"]) + 2) ** 2 + 0.05 * (p["l1"] - 0.3) ** 2
    return (0.11 + 0.12 * well(math.log10(p["lr"]) + 3, 0.3) + 0.012 * (math.log2(p["hidden"]) - 6) ** 2
            + 0.25 * (p["drop"] - 0.25) ** 2)


def effective_rate(p):
    """What counts of rate, batch and momentum is their quotient."""
    rate = math.log10(p["lr"]) - math.log10(p["batch"]) - math.log10(p["one_minus_mom"])
    return (0.2 + 0.35 * well(rate + 4, 1.2) + 0.02 * math.log10(p["batch"] / 128) ** 2 / 0.09
            + 0.03 * (math.log10(p["one_minus_mom"]) + 1) ** 2 + 0.012 * (math.log10(p["wd"]) + 3.5) ** 2
            + 0.15 * (p["aug"] - 0.4) ** 2)


def speed_of(p):
    return math.log10(p["lr"]) + 0.5 * math.log10(p["width"] / 256) - 0.2 * math.log10(p["clip"])


def beside_cliff(p):
    capacity = math.log2(p["width"]) + 0.6 * p["layers"]
    act = {"relu": 0.02, "tanh": 0.05, "gelu": 0, "silu": 0.008}[p["act"]]
    return (0.3 + act + 0.07 * (speed_of(p) + 1) ** 2 + 0.006 * (capacity - 14) ** 2 + 0.01 * (p["layers"] - 5) ** 2 / 4
            + 0.03 * math.log10(p["clip"]) ** 2)


def diverges(p, random):
    """Beyond the cliff, out of memory, or by accident."""
    return speed_of(p) > 0.5 or p["layers"] * p["width"] ** 2 > 9e7 or random.random() < 0.02


def smooth_mixed(p):
    rate = math.log10(p["lr"]) + 2.5
    return (1 + {"a": 0, "b": 0.15, "c": 0.4, "d": 0.25}[p["kind"]] + 0.5 * rate ** 2
            + 100 * (p["gamma"] - 0.9 - 0.02 * rate) ** 2 + 0.05 * (p["depth"] - 7) ** 2
            + 0.3 * (math.log10(p["reg"]) + 2 - 0.3 * rate) ** 2)


def far_too_high(loss, random):
    """One value in eight is too high by 1 to 1,000."""
    return loss + random.gauss(0, 0.02) + (10 ** random.uniform(0, 3) if random.random() < 0.12 else 0)


PROBLEMS = {entry.name: entry for entry in (
    of_vector("branin2", branin, (-5, 0), (10, 15), 2, 0.39788735772973816),
    of_vector("hartmann3", HARTMANN3, 0, 1, 3, -3.862782147820755),
    of_vector("hartmann6", HARTMANN6, 0, 1, 6, -3.3223680114155147),
    of_vector("ackley5", shifted(ackley, 7.3, -11.2, 3.9, -5.6, 14.8), -32.768, 32.768, 5, 0),
    of_vector("rosenbrock4", rosenbrock, -5, 10, 4, 0),
    of_vector("levy8", shifted(levy, 3.1, -4.2, 5.5, -1.7, 2.6, -6.1, 0.9, -3.3), -10, 10, 8, 0),
    of_vector("rastrigin4", shifted(rastrigin, 1.37, -2.21, 0.64, -3.05), -5.12, 5.12, 4, 0),
    of_vector("stybtang6", styblinski_tang, -5, 5, 6, -39.16616570377142 * 6),
    of_vector("ellipsoid10", shifted(ellipsoid, *OPTIMUM), -5, 5, 10, 0),
    problem("mlp_mixed6", [real("lr", 1e-5, 1, True), category("opt", "sgd", "momentum", "adam", "rmsprop"), whole("layers", 1, 8),
                           whole("units", 16, 1024, True), real("dropout", 0, 0.8), real("wd", 1e-7, 1e-1, True)], mlp, 0.08),
    problem("cond_flat10", [category("model", "gbtree", "linear", "mlp"), real("eta", 1e-3, 1, True), whole("depth", 1, 12),
                            real("subsample", 0.3, 1), real("lambda", 1e-3, 1e2, True), real("alpha", 1e-6, 10, True),
                            real("l1", 0, 1), real("lr", 1e-5, 1, True), whole("hidden", 8, 512, True), real("drop", 0, 0.8)],
            three_models, 0.10),
    problem("noisy5", [real("lr", 1e-5, 1, True), real("one_minus_mom", 1e-3, 0.5, True), category("batch", 32, 64, 128, 256, 512),
                       real("wd", 1e-7, 1e-1, True), real("aug", 0, 1)], effective_rate, 0.2, with_noise(0.03)),
    problem("fail5", [real("lr", 1e-5, 10, True), whole("layers", 1, 10), whole("width", 16, 4096, True), real("clip", 0.1, 10, True),
                      category("act", "relu", "tanh", "gelu", "silu")], beside_cliff, 0.3, fails=diverges),
    problem("heavytail5", [real("lr", 1e-5, 1, True), real("gamma", 0.5, 1), category("kind", "a", "b", "c", "d"),
                           whole("depth", 1, 20), real("reg", 1e-6, 1e2, True)], smooth_mixed, 1, far_too_high),
)}
