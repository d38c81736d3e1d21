/*
 * The categories of method cmaes: an independent distribution for each
 * dimension, moved towards what the better points of a generation have.
 *
 * R. Hamano and others: "CatCMA: stochastic optimization for mixed-category
 * problems" (GECCO 2024): the natural gradient step q += eta sum w (onehot - q)
 * and the margin (1 - 0.73^(1/N)) / (K - 1) below which no category of K in N
 * dimensions falls. Deviation: eta is fixed, the rate at which the covariance
 * learns, instead of adapted.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_CHOICES_H
#define BESOM_OPTIM_CHOICES_H

#include "base/err.h"
#include "optim/dims.h"

struct choices {
    size_t count;       /* dimensions */
    const size_t *dims; /* borrowed; which of the space */
    const struct optim_space *space;
    double **chances; /* owned; of each level, by dimension */
    double *room;     /* owned; what `chances` points into, then scratch for the widest dimension */
    size_t levels;    /* in all */
};

enum status choices_init(struct choices *choices, const struct optim_space *space, const size_t *dims,
                         size_t count, struct err *err) MUST_USE;
void choices_release(struct choices *choices);
/* As likely as before any result. */
void choices_reset(struct choices *choices);

/* The level of dimension `k` of them at u in [0,1). */
double choices_draw(const struct choices *choices, size_t k, double u);
/* Rows of `count` levels each, best first, OPTIM_INACTIVE where a point has none; weights of the first `mu`.
 */
void choices_update(struct choices *choices, const double *rows, const double *weights, size_t mu,
                    double eta);

#endif
