/*
 * What a next point is worth: the logarithm of expected improvement over the
 * best posterior mean (where values are noisy, over draws of the likely best
 * ones), averaged over what pending points may give, times the chance that the
 * point does not fail. Or, in place of that logarithm, an upper confidence
 * bound: BOUND_SCALE (mean + BOUND_WIDTH deviation - best), whose exponential
 * is averaged likewise.
 *
 * N. Srinivas, A. Krause, S. Kakade, M. Seeger: "Gaussian process optimization
 * in the bandit setting" (ICML 2010), eq. 5, the width a constant. The bound is
 * worth less out of reach of what is known (reach.h).
 *
 * J. Snoek, H. Larochelle, R. Adams: "Practical Bayesian optimization of
 * machine learning algorithms" (NeurIPS 2012), section 3.2: pending points are
 * drawn from the posterior, S joint draws that Sobol points make smooth. In
 * the factor, a drawn point's half is its standard normal number, so draws need
 * no solve: half = L^-1 y splits into a common part and one column a draw.
 *
 * Failures only remove variance: they stand in the process with the mean that
 * is believed there, at most the median. The chance of success is a kernel
 * estimate, p = (0.9 + sum_ok c) / (1 + sum_ok c + sum_failed c), c = exp(-r^2/2)
 * with length scales of at most 0.25 sqrt(D).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_ACQUISITION_H
#define BESOM_OPTIM_ACQUISITION_H

#include <stdint.h>

#include "optim/gp.h"
#include "optim/log_ei.h"

#define ACQUISITION_DRAWS 32

/* One level of a category, as if it had no other: improvement is over the best that is known of it. */
struct focus {
    size_t dim;
    double level;
};

enum acquisition_rule { ACQUISITION_IMPROVEMENT, ACQUISITION_BOUND };

struct acquisition {
    enum acquisition_rule rule;
    struct gp gp; /* successes, then failures, then latent */
    size_t known; /* successes and failures */
    size_t successes;
    size_t failures;
    size_t latent;      /* drawn: pending, and rivals where there is noise */
    size_t draws;       /* 1 without latent points */
    double reach;       /* of successes; infinite: everywhere */
    double *normals;    /* latent x draws, by columns */
    double *best;       /* of each draw */
    double *weights_ok; /* 1 / l^2 of the chance of success */
    double *column;     /* scratch: gp.capacity each */
    double *slopes;
    double *combined;
    double *room; /* 2 * dims */
};

/* Points as rows of coordinates. */
struct acquisition_input {
    enum acquisition_rule rule;
    size_t dims;
    const bool *category; /* borrowed */
    const double *theta;
    size_t successes, failures, pending;
    const double *success_rows, *failure_rows, *pending_rows;
    const double *values; /* z of successes */
    double *factors;      /* of their noises; outliers are marked here if mark_outliers */
    bool mark_outliers;
    uint64_t seed;             /* of the draws */
    const struct focus *focus; /* borrowed; NULL: none */
};

/* Everything from the arena. NO_MEMORY. */
enum status acquisition_init(struct acquisition *acquisition, const struct acquisition_input *input,
                             struct arena *arena, struct err *err) MUST_USE;

/* At x; the gradient (dims numbers, 0 for categories) if not NULL. Not for two threads at once. */
double acquisition_at(const struct acquisition *acquisition, const double *x, double *gradient);

/* The logarithm of expected improvement times the chance of success at x, whatever the rule. */
double acquisition_log_improvement(const struct acquisition *acquisition, const double *x);

/* At `count` rows of coordinates. */
enum status acquisition_at_rows(const struct acquisition *acquisition, const double *rows, size_t count,
                                double *out, struct err *err) MUST_USE;

/* The model's belief at x by what was told; pending points change nothing. */
void acquisition_belief(const struct acquisition *acquisition, const double *x, double *mean,
                        double *deviation, double *chance);

#endif
