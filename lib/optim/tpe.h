/*
 * The two densities of tree-structured Parzen estimation: mixtures of one
 * kernel a point over the points alone, all dimensions at once, and a kernel
 * for what is believed beforehand. Private to method tpe.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_TPE_H
#define BESOM_OPTIM_TPE_H

#include "base/arena.h"
#include "base/err.h"
#include "optim/dims.h"
#include "optim/draws.h"

struct parzen {
    const struct optim_space *space;
    const double *const *points; /* settled, oldest first; borrowed */
    size_t count;
    double *means;       /* dims x (count + 1): of kernels; levels of a category, OPTIM_INACTIVE: none */
    double *deviations;  /* likewise, of numeric dimensions */
    double *log_weights; /* count + 1, the last one the prior's */
    double *cumulative;  /* likewise; the last is 1 */
    double *log_scales;  /* likewise, what makes kernels densities in their range */
    double *terms;       /* scratch; count + 1 */
};

/* Everything from the arena. NO_MEMORY. */
enum status parzen_init(struct parzen *parzen, const struct optim_space *space, const double *const *points,
                        size_t count, struct arena *arena, struct err *err) MUST_USE;

/* A value in each dimension. */
void parzen_draw(const struct parzen *parzen, struct draws *draws, double *out_full);

/* Logarithm of the density at a settled point. */
double parzen_log_density(const struct parzen *parzen, const double *point);

#endif
