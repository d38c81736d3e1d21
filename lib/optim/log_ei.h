/*
 * Logarithm of the expected improvement, exact to rounding where the
 * improvement itself is far below the smallest double.
 *
 * S. Ament, S. Daulton, D. Eriksson, M. Balandat, E. Bakshy: "Unexpected
 * improvements to expected improvement for Bayesian optimization" (NeurIPS
 * 2023), eq. 9: log EI = log s + log h(u), u = (mean - best) / s, h(u) = phi(u)
 * + u Phi(u). Where they use erfcx and a branch for large |u|, the continued
 * fraction of Mills' ratio serves here, which loses no digits.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_LOG_EI_H
#define BESOM_OPTIM_LOG_EI_H

/* Of a belief with a mean and a deviation. */
struct worth {
    double value;
    double by_mean;      /* derivative by the mean */
    double by_deviation; /* derivative by the deviation */
};

/* log h(u), -inf only where |u| overflows its square. */
double log_ei_h(double u);

/* Of a normal with this mean and deviation > 0 over `best`; larger is better. */
struct worth log_ei(double mean, double deviation, double best);

#endif
