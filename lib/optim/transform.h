/*
 * Values as the model sees them. Larger is better throughout.
 *
 * X. Song and others: "The Vizier Gaussian process bandit algorithm" (2024,
 * arXiv 2408.11527), section 3: values below the median get the quantiles of a
 * half normal by their rank, so that how bad a bad value is does not matter;
 * then z = 1/2 - log(1 + c (best - y) / range) / log(1 + c), which spreads the
 * good ones; then mean 0 and deviation 1. Monotone, so it has an inverse.
 *
 * They fix the strength c = 1/2. Here the data choose it among a few, by the
 * posterior times the slope of the transform (E. Snelson, C. Rasmussen, Z.
 * Ghahramani: "Warped Gaussian processes", NeurIPS 2003): functions whose
 * values spread over magnitudes near their best want more.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_TRANSFORM_H
#define BESOM_OPTIM_TRANSFORM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

#define TRANSFORM_STRENGTH 0.5

struct transform_pair {
    double value;
    double warped; /* after the half-rank warp */
    size_t index;
};

struct transform {
    struct transform_pair *pairs; /* by value; owned by the arena */
    size_t count;
    double strength;
    double scale;           /* of values, against overflow */
    double best, range;     /* of warped values */
    double mean, deviation; /* of the logarithms */
};

/* z[i] of values[i], all finite. Everything from the arena. NO_MEMORY. */
enum status transform_apply(struct transform *transform, double strength, const double *values, size_t count,
                            double *z, struct arena *arena, struct err *err) MUST_USE;

/* Logarithm of dz by the warped value in units of their range, where z is. */
double transform_log_slope(const struct transform *transform, double z);

/* What a gain of z over the best value's is worth, as a share of what the best value is above the median;
 * infinite when they are equal. There is a value. */
double transform_gain(const struct transform *transform, double gain);

/* The value that has this z; below the worst value it is the worst. */
double transform_invert(const struct transform *transform, double z);

#endif
