/*
 * Queries about early stopping: numbered rung values, the decider row, and
 * decisions with the directives that follow from them.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_DB_STORE_STOPS_H
#define BESOM_DB_STORE_STOPS_H

#include <stddef.h>

#include "db/store/store.h"

struct store_rung_value {
    const char *sweep_id, *run_id;
    int64_t number; /* given by the database */
    int32_t attempt, band_index;
    int64_t band;
    double value, best, mean; /* at the row, best and mean up to it */
};
/* Gives gapless numbers per sweep in the order of `rows` (sorted by sweep_id). One counter update per sweep.
 */
enum status store_add_rung_values(struct store_tx *tx, struct store_rung_value *rows, size_t count,
                                  struct err *err) MUST_USE;
/* After `after`, in order, at most limit. */
enum status store_list_rung_values(struct store_tx *tx, const char *sweep_id, int64_t after, int limit,
                                   struct store_rung_value **out, size_t *count, struct err *err) MUST_USE;
/* Live sweeps whose newest rung value has no decision yet. */
enum status store_list_undecided(struct store_tx *tx, const char ***sweep_ids, size_t *count,
                                 struct err *err) MUST_USE;

/* As store_take_refill. *decided = number of the last decision. */
enum status store_take_decider(struct store_tx *tx, const char *sweep_id, const char *owner, int64_t hold_ms,
                               bool *taken, int64_t *epoch, int64_t *decided, struct err *err) MUST_USE;

struct store_decision {
    const char *sweep_id, *run_id, *rivals_json, *reason;
    int64_t number, band, reached;
    int32_t attempt, band_index;
    double value, compared, threshold;
    bool stop;
    int64_t decided_us; /* reading only */
};
/*
 * Checks owner and epoch of the decider row (CONFLICT when they changed), writes the decisions, a stop_early
 * directive for each that stops an attempt which is current and live, and advances `decided`. *stops counts
 * the directives; *agent_ids are their agents.
 */
enum status store_record_decisions(struct store_tx *tx, const char *sweep_id, const char *owner,
                                   int64_t epoch, const struct store_decision *decisions, size_t count,
                                   int64_t *stops, const char ***agent_ids, size_t *agent_count,
                                   struct err *err) MUST_USE;
enum status store_list_decisions(struct store_tx *tx, const char *sweep_id, const char *run_id,
                                 struct store_decision **out, size_t *count, struct err *err) MUST_USE;

#endif
