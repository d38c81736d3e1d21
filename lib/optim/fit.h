/*
 * The parameters of the covariance from data: the maximum a posteriori of
 * length scales, amplitude and noise, all as logarithms.
 *
 * Rasmussen, Williams (2006), eq. 5.8 and 5.9: loss = 1/2 y'K^-1 y + log|L| +
 * prior; d/dt = -1/2 tr((aa' - K^-1) dK/dt), a = K^-1 y. Priors: log l ~
 * N(log 0.5 + 1/2 log D, 1), whose growth with the dimension is C. Hvarfner, E.
 * Hellsten, L. Nardi: "Vanilla Bayesian optimization performs great in high
 * dimensions" (ICML 2024), but narrower; log s ~ N(0, 1); log noise ~
 * N(-6.9, 2.5^2).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_FIT_H
#define BESOM_OPTIM_FIT_H

#include "base/arena.h"
#include "base/err.h"
#include "optim/kernel.h"

struct fit_data {
    size_t dims;
    const bool *category;
    struct points points;
    const double *values;  /* mean 0, deviation 1 */
    const double *factors; /* of each point's noise */
};

/* What the loss needs besides theta; made once for many evaluations. */
struct fit {
    const struct fit_data *data;
    size_t pairs;
    double *squares; /* pairs x dims by columns: squared differences, 1 for unequal categories */
    double *kernel;  /* pairs: covariances */
    double *slopes;
    double *matrix; /* n x n */
    double *weights;
    double *solution; /* n */
};

/* Everything from the arena. NO_MEMORY. */
enum status fit_prepare(struct fit *fit, const struct fit_data *data, struct arena *arena,
                        struct err *err) MUST_USE;

/* Negative log posterior up to a constant, and its gradient (THETA_COUNT). */
double fit_loss(const struct fit *fit, const double *theta, double *gradient);

/* Whether theta is within the bounds. */
bool fit_allows(size_t dims, const double *theta);

/* Where a search begins when nothing is known; `scale` times the usual length scales. */
void fit_start(size_t dims, double scale, double *theta);

/* From theta to a local optimum within the bounds. */
enum status fit_improve(const struct fit *fit, int evaluations_max, double *theta, double *loss,
                        struct err *err) MUST_USE;

#endif
