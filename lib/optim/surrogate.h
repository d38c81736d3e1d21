/*
 * One Gaussian process under one set of parameters, with all that a suggestion
 * takes into account: what was told, what failed, and joint draws of what is
 * not known, pending points and, where values are noisy, the likely best ones.
 *
 * J. Snoek, H. Larochelle, R. Adams: "Practical Bayesian optimization of
 * machine learning algorithms" (NeurIPS 2012), section 3.3: pending points are
 * drawn from the posterior, S joint draws that Sobol points make smooth. In
 * the factor, a drawn point's half is its standard normal number, so draws need
 * no solve: half = L^-1 y splits into a common part and one column a draw.
 *
 * Failures only remove variance: they stand in the process with the mean that
 * is believed there, at most the median.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_SURROGATE_H
#define BESOM_OPTIM_SURROGATE_H

#include <stdint.h>

#include "optim/gp.h"

#define SURROGATE_DRAWS_MAX 32

/* One level of a category, as if it had no other: improvement is over the best that is known of it. */
struct focus {
    size_t dim;
    double level;
};

/* What a process is made from. Points as rows of coordinates; all borrowed. */
struct evidence {
    size_t dims;
    const bool *category;
    size_t successes, failures, pending;
    const double *success_rows, *failure_rows, *pending_rows;
    const double *values; /* z of successes */
    double *factors;      /* of their noises; outliers are marked here if mark_outliers */
    bool mark_outliers;
    uint64_t seed;             /* of the draws */
    const struct focus *focus; /* NULL: none */
};

struct surrogate {
    struct gp gp;    /* successes, then failures, then latent */
    size_t known;    /* successes and failures */
    size_t latent;   /* drawn: pending, and rivals where there is noise */
    size_t draws;    /* 1 without latent points */
    double *normals; /* latent x draws, by columns */
    double *best;    /* of each draw */
    double *column;  /* scratch: gp.capacity each */
    double *slopes;
    double *combined;
};

/* With so many draws of what is not known, at most SURROGATE_DRAWS_MAX. Everything from the arena. NO_MEMORY.
 */
enum status surrogate_init(struct surrogate *surrogate, const struct evidence *evidence, const double *theta,
                           size_t draws, struct arena *arena, struct err *err) MUST_USE;

/* From v = L^-1 k(x) and its mean without draws: the mean in each draw. */
void surrogate_draw_means(const struct surrogate *surrogate, const double *v, double common, double *out);

/* The gradient (dims numbers, 0 for categories) of what has these derivatives by each draw's mean and by the
 * deviation, where gp_predict has just filled `column` and `slopes`. */
void surrogate_differentiate(const struct surrogate *surrogate, const double *x, double deviation,
                             const double *by_mean, double by_deviation, double *gradient);

/* Mean and variance at x by what was told alone: what latent points may give is no knowledge. */
void surrogate_predict_known(const struct surrogate *surrogate, const double *x, double *mean,
                             double *variance);

#endif
