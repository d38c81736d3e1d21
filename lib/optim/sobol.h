/*
 * Scrambled Sobol points by index, in any number of dimensions. Pure: a value
 * is a function of seed, index and dimension.
 *
 * S. Joe, F. Kuo: "Constructing Sobol sequences with better two-dimensional
 * projections" (SIAM J. Sci. Comput. 30, 2008): the direction numbers of the
 * first 40 dimensions. B. Burley: "Practical hash-based Owen scrambling" (JCGT
 * 9, 2020): scrambling, and padding: dimensions beyond 40 reuse the first ones
 * at shuffled indexes.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_SOBOL_H
#define BESOM_OPTIM_SOBOL_H

#include <stddef.h>
#include <stdint.h>

#define SOBOL_DIMENSIONS 40
#define SOBOL_BITS 32

struct sobol {
    uint64_t seed;
    uint32_t directions[SOBOL_DIMENSIONS][SOBOL_BITS];
};

void sobol_init(struct sobol *sobol, uint64_t seed);

/* Inside (0,1). */
double sobol_at(const struct sobol *sobol, uint32_t index, size_t dimension);
/* The first `count` dimensions of one point. */
void sobol_point(const struct sobol *sobol, uint32_t index, size_t count, double *out);

#endif
