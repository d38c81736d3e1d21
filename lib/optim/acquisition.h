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
 * Where several sets of parameters are as likely, improvement is averaged over
 * them, and so are bounds: J. Snoek, H. Larochelle, R. Adams: "Practical
 * Bayesian optimization of machine learning algorithms" (NeurIPS 2012), section
 * 3.1. The mean of the bounds' exponentials would let the widest decide.
 *
 * The chance of success is a kernel estimate, p = (0.9 + sum_ok c) / (1 +
 * sum_ok c + sum_failed c), c = exp(-r^2/2) with length scales of at most 0.25
 * sqrt(D).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_ACQUISITION_H
#define BESOM_OPTIM_ACQUISITION_H

#include "optim/posterior.h"
#include "optim/surrogate.h"

#define ACQUISITION_PARAMETERS (1 + POSTERIOR_DRAWS) /* sets of them, at most */

enum acquisition_rule { ACQUISITION_IMPROVEMENT, ACQUISITION_BOUND };

struct acquisition {
    enum acquisition_rule rule;
    struct surrogate *surrogates; /* one a set of parameters, the most likely first */
    size_t count;                 /* of them */
    size_t successes;
    size_t known;       /* successes and failures */
    double reach;       /* of successes; infinite: everywhere */
    double *weights_ok; /* 1 / l^2 of the chance of success */
    double *gradients;  /* scratch: dims for each surrogate */
    double *room;       /* scratch: 2 * dims */
};

struct acquisition_input {
    enum acquisition_rule rule;
    const double *theta; /* borrowed; the most likely parameters */
    const double *draws; /* borrowed; draw_count more sets of them, THETA_COUNT each */
    size_t draw_count;   /* at most POSTERIOR_DRAWS */
    struct evidence evidence;
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

/* What is believed of a point by what was told; pending points change nothing. */
struct acquisition_belief {
    double mean, deviation; /* of all sets of parameters together */
    double bound;           /* the mean of their means plus BOUND_WIDTH deviations */
    double success;         /* the chance that it does not fail */
};

struct acquisition_belief acquisition_believe(const struct acquisition *acquisition, const double *x);

#endif
