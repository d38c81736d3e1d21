/*
 * How much each dimension of a space matters to a function that is known at some
 * points: Sobol indices by a Gaussian process, with what is not known about them.
 *
 * With independent inputs that follow their a priori laws and V the variance of f:
 * first order S_i = Var(E(f | x_i)) / V, what x_i explains alone; total T_i =
 * E(Var(f | all but x_i)) / V, what is lost without it. An inactive dimension
 * changes nothing where it is inactive; what switches it is the dimension it
 * depends on.
 *
 * A. Saltelli and others: "Variance based sensitivity analysis of model output"
 * (Computer Physics Communications 181, 2010), table 2: S_i by (b), T_i by (f,
 * Jansen), on scrambled Sobol points. L. Le Gratiet, C. Cannamela, B. Iooss: "A
 * Bayesian approach for global sensitivity analysis of (multifidelity) computer
 * codes" (SIAM/ASA J. Uncertainty Quantification 2, 2014): the indices of
 * functions drawn from the process are draws of the index, here over its
 * covariance parameters and over scramblings too.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_IMPORTANCE_H
#define BESOM_OPTIM_IMPORTANCE_H

#include "optim/surface.h"

#define IMPORTANCE_COVERAGE 0.9

struct importance_effect {
    double value;     /* mean of its draws, 0 to 1 */
    double low, high; /* quantiles that hold IMPORTANCE_COVERAGE of them */
};

/* By dimension; owned by the arena. */
struct importance {
    struct importance_effect *total, *first;
};

/* A function of the surface alone. NO_MEMORY. */
enum status importance_compute(const struct surface *surface, struct importance *out, struct arena *arena,
                               struct err *err) MUST_USE;

/* Pearson's; NaN when one of them is constant. */
double importance_correlation(const double *x, const double *y, size_t count);

#endif
