/*
 * The interval of places that rounds to a level of an ORDERED dimension, and
 * normal probabilities of intervals. Pure.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_CELL_H
#define BESOM_OPTIM_CELL_H

#include "optim/dims.h"

/* Half way to the neighbours; -HUGE_VAL below the first level, HUGE_VAL above the last. */
void cell_bounds(const struct optim_dim *dim, uint64_t level, double *low, double *high);

/* Phi(high) - Phi(low) of a standard normal, exact in both tails; infinities are fine. */
double cell_mass(double low, double high);

/* The number of a standard normal that lies between low and high and has the share u of that mass below it.
 */
double cell_quantile(double low, double high, double u);

#endif
