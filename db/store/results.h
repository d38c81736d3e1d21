/*
 * What a model of a sweep learns from: results in the order of their numbers,
 * runs without one, and runs of other sweeps that it began with. All take an
 * open transaction (one snapshot: store_read); texts live in its arena.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_DB_STORE_RESULTS_H
#define BESOM_DB_STORE_RESULTS_H

#include <stddef.h>

#include "db/store/store.h"

struct store_result {
    int64_t number; /* 0 of a prior run */
    const char *params_json, *state;
    double objective;   /* NaN = none */
    const char *run_id; /* NULL of a prior run */
    double latest;      /* last value of the metric of a run that failed; NaN = none, or another run */
};

/* Numbers above `after` up to `until`. Left out: runs that go on again, or were deleted. */
enum status store_list_results(struct store_tx *tx, const char *sweep_id, int64_t after, int64_t until,
                               struct store_result **out, size_t *count, struct err *err) MUST_USE;
/* Changes when a result with a number up to `until` does. */
enum status store_digest_results(struct store_tx *tx, const char *sweep_id, int64_t until, int64_t *out,
                                 struct err *err) MUST_USE;
/* Configurations of runs of lower ordinals without a result up to a number, in order of ordinal. */
enum status store_list_open_params(struct store_tx *tx, const char *sweep_id, int64_t ordinal,
                                   int64_t result_cursor, const char ***out, size_t *count,
                                   struct err *err) MUST_USE;
/* In the order in which they were given. */
enum status store_list_prior_runs(struct store_tx *tx, const char *sweep_id, struct store_result **out,
                                  size_t *count, struct err *err) MUST_USE;

#endif
