/*
 * What an optimiser was told, in order: successes with their values, failures
 * without. One owner.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_HISTORY_H
#define BESOM_OPTIM_HISTORY_H

#include "base/err.h"
#include "optim/dims.h"

/* Settled points and their coordinates, dims numbers each. */
struct told {
    size_t count;
    size_t capacity;
    double *points;      /* owned */
    double *coordinates; /* owned */
    double *values;      /* owned; larger is better; of successes */
};

struct history {
    const struct optim_space *space; /* borrowed */
    struct told successes;
    struct told failures;
};

/* `point` is settled. NO_MEMORY leaves the history as it was. */
enum status history_add(struct history *history, const double *point, bool failed, double value,
                        struct err *err) MUST_USE;
void history_release(struct history *history);

#endif
