#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes test_optim_reference.h: a Gaussian process of scikit-learn and the expected improvement of mpmath.

    tests/unit/optim_reference.py > tests/unit/test_optim_reference.h

Needs python3-sklearn and python3-mpmath. A category is written out as one-hot columns scaled so that two
different ones are at distance 1."""
import math

import mpmath
import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

POINTS, QUERIES, LEVELS = 24, 8, 3
SCALES = [0.31, 0.83, 1.7]  # the last is the category's
AMPLITUDE, NOISE = 1.3, 0.02
EI_NOISE = 1e-4  # little, so that the best mean counts as known
STEPS = [0.4, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.3, 0.15, 0.08, 0.04, 0.015, 0.008, 0.004, 0.0015, 0]
US = [5, 1, 0.25, 0, -0.5, -0.999, -1.001, -1.5, -2.999, -3.001, -5, -10, -20, -30, -36.9, -100, -1e3, -1e4, -1e6]


def columns(x):
    hot = np.eye(LEVELS)[x[:, 2].astype(int)] / math.sqrt(2)
    return np.hstack([x[:, :2], hot])


def array(name, values):
    rows = ",\n    ".join(float(v).hex() for v in np.ravel(values))
    print(f"static const double {name}[] = {{\n    {rows}}};")


def log_h(u):
    u = mpmath.mpf(u)
    return mpmath.log(mpmath.npdf(u) + u * mpmath.erfc(-u / mpmath.sqrt(2)) / 2)


def covariance(a, b):
    squared = sum(((mpmath.mpf(p) - mpmath.mpf(q)) / l) ** 2 for p, q, l in zip(a[:2], b[:2], SCALES)) + (a[2] != b[2]) / mpmath.mpf(SCALES[2]) ** 2
    r = mpmath.sqrt(5 * squared)
    return AMPLITUDE * (1 + r + r * r / 3) * mpmath.exp(-r)


def log_improvements(points, values, queries):
    """The logarithm of expected improvement over the best posterior mean, by a Gaussian process of 60 digits."""
    n = len(points)
    k = mpmath.matrix(n, n)
    for i in range(n):
        for j in range(n):
            k[i, j] = covariance(points[i], points[j])
    noisy = k + (mpmath.mpf(EI_NOISE) + mpmath.mpf(1e-10)) * mpmath.eye(n)
    weights = mpmath.lu_solve(noisy, mpmath.matrix([mpmath.mpf(v) for v in values]))
    best = max(k * weights)
    out = []
    for q in queries:
        column = mpmath.matrix([covariance(q, p) for p in points])
        deviation = mpmath.sqrt(AMPLITUDE - (column.T * mpmath.lu_solve(noisy, column))[0])
        u = ((column.T * weights)[0] - best) / deviation
        out.append(mpmath.log(deviation) + (log_h(u) if u > -100 else asymptotic(u)))
    return out


def main():
    rng = np.random.default_rng(5)
    draw = lambda n: np.column_stack([rng.random((n, 2)), rng.integers(0, LEVELS, n)])
    x, queries = draw(POINTS), draw(QUERIES)
    y = np.sin(5 * x[:, 0]) + x[:, 1] ** 2 + 0.3 * x[:, 2] - 1
    kernel = ConstantKernel(AMPLITUDE) * Matern(SCALES[:2] + SCALES[2:] * LEVELS, nu=2.5)
    model = GaussianProcessRegressor(kernel, alpha=NOISE + 1e-10, optimizer=None).fit(columns(x), y)
    mean, deviation = model.predict(columns(queries), return_std=True)
    print("/*\n * Written by optim_reference.py. Points have two numbers and a category.\n */")
    print("// SPDX-License-Identifier: GPL-3.0-or-later")
    print("#ifndef BESOM_TEST_OPTIM_REFERENCE_H\n#define BESOM_TEST_OPTIM_REFERENCE_H\n")
    print("// clang-format off")
    print(f"#define GP_POINTS {POINTS}\n#define GP_QUERIES {QUERIES}\n#define GP_DIMS 3")
    print(f"#define GP_AMPLITUDE {AMPLITUDE}\n#define GP_NOISE {NOISE}")
    array("gp_scales", SCALES)
    for name, values in (("points", x), ("values", y), ("queries", queries), ("means", mean), ("variances", deviation ** 2)):
        array("gp_" + name, values)
    mpmath.mp.dps = 60
    near = np.array([x[j % POINTS] + [step, -step / 2, 0] for j, step in enumerate(STEPS)])
    print(f"#define EI_QUERIES {len(STEPS)}\n#define EI_NOISE {EI_NOISE}")
    array("ei_queries", near)
    array("ei_values", log_improvements(x, y, near))
    # the expected improvement of mean u and deviation 1 is exp of -690: 1e-300
    array("ei_u", US)
    with mpmath.workdps(2000):
        array("ei_log_h", [log_h(u) if abs(u) < 1e3 else asymptotic(u) for u in US])
    print("// clang-format on\n\n#endif")


def asymptotic(u):
    """1 - t Mills(t) = 1/t^2 - 3/t^4 + 15/t^6 - ... for t = -u."""
    t, term, total = mpmath.mpf(-u), 1 / mpmath.mpf(u) ** 2, mpmath.mpf(0)
    for k in range(1, 40):
        total += term
        term *= -(2 * k + 1) / t ** 2
    return -t * t / 2 - mpmath.log(2 * mpmath.pi) / 2 + mpmath.log(total)


if __name__ == "__main__":
    main()
