/*
 * Which of many points a model is made of. Sorted indexes, chosen by values and
 * by replaying draws, so the same history gives the same subset.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_SUBSET_H
#define BESOM_OPTIM_SUBSET_H

#include "base/arena.h"
#include "optim/history.h"

#define SUBSET_FIT_MAX 256
#define SUBSET_MODEL_MAX 512

struct subset {
    size_t *indexes; /* owned by the arena; ascending */
    size_t count;
};

/* Of the first `count` successes: all of up to `most`, else the best and some of the latest, the rest at
 * random. */
enum status subset_for_fit(const struct history *history, size_t count, size_t most, uint64_t seed,
                           struct subset *out, struct arena *arena, struct err *err) MUST_USE;

/* The same for predictions: all of up to SUBSET_MODEL_MAX, else the best, the neighbours of the very best,
 * some at random. */
enum status subset_for_model(const struct history *history, uint64_t seed, struct subset *out,
                             struct arena *arena, struct err *err) MUST_USE;

#endif
