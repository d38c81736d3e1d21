/*
 * An even design: the ordinal's point of a scrambled Sobol sequence; when that
 * is taken, another one, then any point that is left.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_DESIGN_H
#define BESOM_OPTIM_DESIGN_H

#include "optim/dims.h"
#include "optim/seen.h"
#include "optim/sobol.h"

struct design {
    const struct optim_space *space;
    uint64_t seed, ordinal;
    const struct seen *seen; /* taken points; NULL: none */
    bool centre_first;       /* ordinal 0 is the centre */
    double *full, *unit;     /* scratch; a number each dimension */
    bool *active;
};

/* `out_point` is settled; false when nothing is left. */
bool design_point(const struct design *design, struct sobol *sobol, double *out_point);

#endif
