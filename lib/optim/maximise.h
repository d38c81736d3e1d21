/*
 * The point that is worth most, among those not seen: scrambled Sobol points
 * and small steps from the best known ones, then from a few of them a local
 * search, which alternates bounded L-BFGS over the continuous dimensions with
 * a line search over each discrete one. Small discrete spaces are searched
 * whole.
 *
 * While successes are few, and within a focus (of a few Sobol points of that
 * level and small steps from its best), the most worth is taken without a local
 * search: where little is known, that would end in the corners of the cube.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_MAXIMISE_H
#define BESOM_OPTIM_MAXIMISE_H

#include "optim/acquisition.h"
#include "optim/dims.h"
#include "optim/seen.h"

struct maximise_input {
    const struct optim_space *space;
    const struct acquisition *acquisition;
    const struct seen *seen;
    const struct focus *focus; /* NULL: none */
    const double *best_points; /* settled, best first */
    size_t best_count;
    uint64_t seed;
    uint64_t ordinal;
};

/* *found is false when every point that was tried had been seen. `out_point` is settled. */
enum status maximise(const struct maximise_input *input, double *out_point, bool *found,
                     struct err *err) MUST_USE;

#endif
