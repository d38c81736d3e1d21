/*
 * Queries about sweeps: create, change, read, and the single-writer row of a
 * sweep's refill. All take an open transaction; texts in results live in its
 * arena.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_DB_STORE_SWEEPS_H
#define BESOM_DB_STORE_SWEEPS_H

#include <stddef.h>

#include "db/store/store.h"

/* Times are microseconds since 1970 UTC, 0 = NULL. */
struct store_sweep {
    const char *sweep_id, *project, *name, *state, *state_reason, *method, *metric, *program;
    bool maximize, exhausted, has_grid_count;
    int32_t spec_version;
    uint64_t seed;
    int64_t run_cap, grid_count, next_ordinal;
    int64_t created_us, started_us, ended_us;
};

struct store_run_counts {
    int64_t queued;  /* pending with attempt 0 */
    int64_t pending; /* pending with attempt > 0 */
    int64_t running, finished, stopped, failed, killed, crashed, unreachable;
    int64_t run_time_ms; /* of ended attempts plus those running now */
    int64_t paused;      /* at a rung; nobody runs them */
};

struct store_sweep_new {
    const char *sweep_id, *project, *name, *method, *metric, *program, *file_name, *spec_json, *request_id;
    bool maximize, has_grid_count, learns; /* learns: suggestions depend on results */
    bool pauses;                           /* its runs pause at rungs */
    bool learns_rungs;                     /* it learns, from rung values in their order instead of results */
    uint64_t seed;
    int64_t run_cap, grid_count, concurrency; /* 0 = no cap, no limit */
    const void *source;
    size_t source_length;
};

/* Inserts the project when missing, the sweep, its spec version 1, counter, refill and decider rows. With a
 * request_id known already: *existing_id is that sweep's id and nothing is inserted. */
enum status store_create_sweep(struct store_tx *tx, const struct store_sweep_new *sweep,
                               const char **existing_id, struct err *err) MUST_USE;
/* The sweep of method "none" of a project; *sweep_id NULL: there is none. Two that are created at once are a
 * CONFLICT. */
enum status store_find_single_runs(struct store_tx *tx, const char *project, const char **sweep_id,
                                   struct err *err) MUST_USE;
/* NOT_FOUND. `lock`: FOR UPDATE. */
enum status store_get_sweep(struct store_tx *tx, const char *sweep_id, bool lock, struct store_sweep *out,
                            struct err *err) MUST_USE;
struct store_spec {
    const char *json;
    int64_t first_ordinal; /* index 0 of a grid of this version */
};
/* NOT_FOUND. */
enum status store_get_spec(struct store_tx *tx, const char *sweep_id, int32_t version, struct store_spec *out,
                           struct err *err) MUST_USE;
/* Newest first, after (created_us, sweep_id) when after_id is not NULL; project "" = all, reach NULL =
 * everything. */
enum status store_list_sweeps(struct store_tx *tx, const char *project, const struct store_reach *reach,
                              int64_t after_us, const char *after_id, int limit, struct store_sweep **out,
                              size_t *count, struct err *err) MUST_USE;
/* Sweeps that are pending, running or paused, or ended with runs still live: what a replica looks after. */
enum status store_list_live_sweeps(struct store_tx *tx, struct store_sweep **out, size_t *count,
                                   struct err *err) MUST_USE;
enum status store_count_runs(struct store_tx *tx, const char *sweep_id, struct store_run_counts *out,
                             struct err *err) MUST_USE;
/* Counts of many sweeps in one query; out[i] belongs to ids[i]. */
enum status store_count_runs_of(struct store_tx *tx, const char *const *sweep_ids, size_t count,
                                struct store_run_counts *out, struct err *err) MUST_USE;
/* Sets state and reason, and started_at (first running) or ended_at (finished, canceled; cleared on resume).
 */
enum status store_set_sweep_state(struct store_tx *tx, const char *sweep_id, const char *state,
                                  const char *reason, struct err *err) MUST_USE;
struct store_sweep_update {
    const char *sweep_id, *name, *program, *file_name, *spec_json;
    bool has_grid_count;
    int64_t run_cap, grid_count, concurrency; /* 0 = no cap, no limit */
    const void *source;
    size_t source_length;
};
/* Makes a new version of the spec the current one, after store_get_sweep has locked the sweep. Runs that were
 * never handed out are deleted (*dropped): the new version prepares its own from its index 0 on, and a grid
 * leaves out what was run. */
enum status store_update_sweep(struct store_tx *tx, const struct store_sweep_update *update, int64_t *dropped,
                               struct err *err) MUST_USE;
/* Configurations of all runs but those never handed out, as JSON texts, at most `limit`. */
enum status store_list_used_params(struct store_tx *tx, const char *sweep_id, int64_t limit,
                                   const char ***params_json, size_t *count, struct err *err) MUST_USE;
/* Copies ended runs of other sweeps, which must be of `project` unless it is "". NOT_FOUND names the first
 * that is none. A grid leaves out their configurations. */
enum status store_add_prior_runs(struct store_tx *tx, const char *sweep_id, const char *project,
                                 const char *const *run_ids, size_t count, struct err *err) MUST_USE;
/* Everything of the sweep, inbox and summaries included; its events stay. NOT_FOUND. */
enum status store_delete_sweep(struct store_tx *tx, const char *sweep_id, struct err *err) MUST_USE;
enum status store_add_event(struct store_tx *tx, const char *sweep_id, const char *kind, const char *actor,
                            const char *subject, const char *detail, struct err *err) MUST_USE;

/* ---- refill: one owner at a time ---- */

/* Takes the refill row when it is free, expired, or already `owner`'s (the epoch goes up when it changes
 * hands). *taken false: someone else holds it. */
enum status store_take_refill(struct store_tx *tx, const char *sweep_id, const char *owner, int64_t hold_ms,
                              bool *taken, int64_t *epoch, struct err *err) MUST_USE;
struct store_refill_need {
    const char *sweep_id;
    int64_t queued; /* runs that wait for an agent, retries included */
    int64_t next_ordinal;
    int32_t spec_version;
    int64_t result_cursor; /* of the rung values where its model learns from these */
    int64_t room;          /* runs that run_cap still allows to prepare; INT64_MAX without one */
    bool learns;           /* suggestions depend on results */
    int64_t stale;         /* prepared before the newest result came, never handed out; not among queued */
};
/* Sweeps in state pending or running with stale runs, or not exhausted with fewer than low_water queued runs
 * and room > 0. */
enum status store_list_refill_needs(struct store_tx *tx, int64_t low_water, struct store_refill_need **out,
                                    size_t *count, struct err *err) MUST_USE;
struct store_new_run {
    const char *run_id;
    int64_t ordinal;
    const char *params_json, *why_json;
    const unsigned char *config_hash; /* 32 bytes */
    uint64_t run_seed;
};
/*
 * Locks the sweep's row, checks epoch, that state is pending or running and that runs[0].ordinal is
 * next_ordinal (CONFLICT when they changed: the caller drops its work), and run_cap; inserts runs and
 * suggestions (a grid point whose hash exists already is skipped, its ordinal used up), advances next_ordinal
 * by what was taken, sets exhausted. *inserted counts runs. Runs of a sweep that learns are fresh up to
 * result_cursor.
 */
enum status store_insert_runs(struct store_tx *tx, const char *sweep_id, const char *owner, int64_t epoch,
                              int32_t spec_version, int64_t result_cursor, bool unique_config,
                              const struct store_new_run *runs, size_t count, bool exhausted,
                              int64_t *inserted, struct err *err) MUST_USE;
/* What a refill works with once stale runs are gone. */
struct store_queue {
    int64_t dropped, queued, next_ordinal;
    int32_t spec_version;
    int64_t result_cursor; /* as of store_refill_need */
    int64_t room;          /* what run_cap, and the most runs at once, allow to prepare now */
    bool exhausted;
};
/*
 * Deletes runs of a sweep that learns, prepared before the newest result came and never handed out, under the
 * sweep's lock and after the checks of store_insert_runs (CONFLICT). They count as never prepared. The last
 * ordinals among them are used again; a sweep that was exhausted by them is not any more. May run twice.
 */
enum status store_drop_stale_runs(struct store_tx *tx, const char *sweep_id, const char *owner, int64_t epoch,
                                  struct store_queue *out, struct err *err) MUST_USE;
/* After store_insert_runs: its runs may be handed out although results have come, until `more` further ones.
 */
enum status store_keep_runs(struct store_tx *tx, const char *sweep_id, int64_t first_ordinal, int64_t more,
                            struct err *err) MUST_USE;
/* Gives the refill row up before its deadline; nothing when it is not `owner`'s. */
enum status store_release_refill(struct store_tx *tx, const char *sweep_id, const char *owner,
                                 struct err *err) MUST_USE;

#endif
