/*
 * Queries about what a run's program said of it once: entries of its summary,
 * definitions of metrics, additions to its configuration, its name and tags.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_DB_STORE_RUN_FACTS_H
#define BESOM_DB_STORE_RUN_FACTS_H

#include <stddef.h>

#include "db/store/store.h"

struct store_fact {
    const char *sweep_id, *run_id;
    const char *kind; /* "summary", "definition", "config", "about" */
    const char *name;
    const char *value; /* JSON */
    int32_t attempt;
};
/* Distinct keys of attempts that store_lock_attempts has locked; one of a kind and name replaces the one
 * before. An attempt keeps `most` facts: left_out[i], zeroed by the caller, says that row i was one more. */
enum status store_put_facts(struct store_tx *tx, const struct store_fact *rows, size_t count, int64_t most,
                            bool *left_out, struct err *err) MUST_USE;
/* Entries of summaries by name, whatever `kind` and `value` say. */
enum status store_delete_facts(struct store_tx *tx, const struct store_fact *rows, size_t count,
                               struct err *err) MUST_USE;
/* Over all attempts of runs of one sweep: the newest of each kind and name, sorted by run, kind and name
 * (strcmp); of each run and kind as many as have bytes_max bytes. */
enum status store_list_facts_of(struct store_tx *tx, const char *sweep_id, const char *const *run_ids,
                                size_t run_count, int64_t bytes_max, struct store_fact **out, size_t *count,
                                struct err *err) MUST_USE;

#endif
