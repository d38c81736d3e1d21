/*
 * Whether the values of generations still change: EqualFunValues, Stagnation
 * and TolFun of the tutorial's B.3 (cma.h).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_STAGNATION_H
#define BESOM_OPTIM_STAGNATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct stagnation {
    size_t dims, lambda;
    double *best, *median; /* owned; of each generation since the restart */
    double *sorted;        /* owned; scratch */
    size_t count, capacity;
    bool flat; /* the newest generation's values lie within TolFun */
};

/* Zeroed is fine to begin with. */
void stagnation_reset(struct stagnation *stagnation, size_t dims, size_t lambda);
void stagnation_release(struct stagnation *stagnation);
size_t stagnation_bytes(const struct stagnation *stagnation);

/* A generation's values, best first, NaN at the end; the first is a number. NO_MEMORY. */
enum status stagnation_add(struct stagnation *stagnation, const double *values, size_t count,
                           struct err *err) MUST_USE;
bool stagnation_is_over(struct stagnation *stagnation);

#endif
