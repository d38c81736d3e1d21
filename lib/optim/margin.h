/*
 * A margin for whole numbers: however small the distribution has become, both
 * neighbours of the mean's level keep some probability.
 *
 * R. Hamano and others: "CMA-ES with margin: lower-bounding marginal
 * probability for mixed-integer black-box optimization" (GECCO 2022), section
 * 4.2: binary dimensions and outermost levels move the mean, others mean and
 * the scale a of their coordinate. alpha = 1 / (lambda dims).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_MARGIN_H
#define BESOM_OPTIM_MARGIN_H

#include "optim/cma.h"
#include "optim/dims.h"

/* Coordinate i of the distribution is an ORDERED dimension of two levels or more. */
void margin_keep(struct cma *cma, size_t i, const struct optim_dim *dim, double alpha);

#endif
