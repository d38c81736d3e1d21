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
/* ---- of sweeps whose model learns from rung values ---- */

#define STORE_WHOLE_RUNS (-1) /* as a band index: runs that finished, by their best value */

struct store_budget {
    int32_t band_index;
    int64_t values;
};
/* How many runs have a value at each rung that any got to, up to a number of the rung values. */
enum status store_count_budgets(struct store_tx *tx, const char *sweep_id, int64_t until,
                                struct store_budget **out, size_t *count, struct err *err) MUST_USE;
/* Values at a rung as results of finished runs, and runs that failed before they got there. Numbers are those
 * of the rung values: above `after` up to `until`. */
enum status store_list_budget_results(struct store_tx *tx, const char *sweep_id, int64_t after, int64_t until,
                                      int32_t band_index, struct store_result **out, size_t *count,
                                      struct err *err) MUST_USE;
/* Changes when what the functions above give up to `until` does. */
enum status store_digest_budgets(struct store_tx *tx, const char *sweep_id, int64_t until, int64_t *out,
                                 struct err *err) MUST_USE;
/* Configurations of runs of lower ordinals that had neither ended nor come to the rung, in order of ordinal.
 */
enum status store_list_open_budget_params(struct store_tx *tx, const char *sweep_id, int64_t ordinal,
                                          int64_t until, int32_t band_index, const char ***out, size_t *count,
                                          struct err *err) MUST_USE;

/* In the order in which they were given. */
enum status store_list_prior_runs(struct store_tx *tx, const char *sweep_id, struct store_result **out,
                                  size_t *count, struct err *err) MUST_USE;

#endif
