/*
 * How far from what is known a point may be while little is: cubes around the
 * successes, which grow with their number until they fill the space. Away from
 * them a process says no more than its prior, which in many dimensions makes
 * the corners of the space look best.
 *
 * X. Song and others: "The Vizier Gaussian process bandit algorithm" (2024,
 * arXiv 2408.11527): their trust region, with a slope outside of it in place
 * of a wall, so that a point of a discrete space can always be chosen.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_REACH_H
#define BESOM_OPTIM_REACH_H

#include "optim/kernel.h"

/* Half a side of the cubes in units of coordinates; infinite once they are as large as they get. */
double reach_for(size_t successes, size_t dims);

/* What x loses by its distance to the nearest cube, at most 0, as a logarithm; the gradient is added if not
 * NULL. `successes` are the first ones of `points`; categories have no distance. */
double reach_loss(const struct kernel *kernel, const struct points *points, size_t successes, double reach,
                  const double *x, double *gradient);

#endif
