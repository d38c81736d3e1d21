/*
 * Replaying draws of one suggestion: a named stream of lib/base's counter-based
 * generator, read from its start.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_DRAWS_H
#define BESOM_OPTIM_DRAWS_H

#include <gsl/gsl_cdf.h>

#include "base/random.h"

struct draws {
    uint64_t seed;
    uint64_t ordinal;
    const char *name; /* borrowed */
    uint32_t next;
};

/* In [0, 1). */
static inline double draws_unit(struct draws *draws)
{
    return random_draw_unit(draws->seed, draws->ordinal, draws->name, draws->next++);
}

static inline size_t draws_below(struct draws *draws, size_t bound)
{
    return (size_t)(draws_unit(draws) * (double)bound);
}

static inline double draws_normal(struct draws *draws)
{
    return gsl_cdf_ugaussian_Pinv(draws_unit(draws) + 0x1p-54);
}

#endif
