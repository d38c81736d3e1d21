/*
 * Decides the early stops of sweeps, one decider per sweep at a time: it takes
 * the sweep's decider row, feeds the undecided rung values in order to the
 * sweep's rule and records what that says. Whoever loses the row drops what it
 * knows. Thread-safe; calls block on the database.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SCHEDULER_DECIDER_H
#define BESOM_SERVICES_SCHEDULER_DECIDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "db/store/store.h"

struct decider;

struct decider_outcome {
    int64_t decided;        /* number of the last value with a decision */
    int64_t made;           /* decisions of this call */
    int64_t stops;          /* directives that followed from them */
    const char **agent_ids; /* their agents; in the caller's arena */
    size_t agent_count;
};

/* `owner` is unique to the process and outlives the decider. NO_MEMORY. */
enum status decider_new(struct store *store, const char *owner, size_t cache_bytes, struct decider **out,
                        struct err *err) MUST_USE;
/* Gives the rows that it holds to others. NULL is fine. */
void decider_free(struct decider *decider);

/* Decides all that is undecided. CONFLICT: another owner decides this sweep. NOT_FOUND, PRECONDITION (no
 * early termination), or as store_transaction. */
enum status decider_run(struct decider *decider, const char *sweep_id, struct arena *arena,
                        struct decider_outcome *out, struct err *err) MUST_USE;

/* Decides every sweep that has undecided values: what a lost call left over. A ticker_work. */
void decider_reconcile(void *decider);

#endif
