/*
 * Reads a sweep or run with what readers see of it (counts, bands, canonical
 * spec, best run, summaries, what its program said) inside one transaction, as messages in its arena.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_PICTURE_H
#define BESOM_CONTROLLER_PICTURE_H

#include "services/controller/messages.h"

#define PICTURE_BYTES_MAX (3u << 20)      /* of a listing; a message may have 4 MiB */
#define PICTURE_MESSAGE_MAX (4000u << 10) /* of a message with all that is in it */
#define PICTURE_LIST_FACTS_MAX \
    (64 << 10) /* of a run's summary, and of what its program added to its configuration */
#define PICTURE_RUN_FACTS_MAX (512 << 10) /* the same where it is alone, and of its summaries */

/* As store_get_sweep, with the id in a NOT_FOUND. */
enum status picture_get_sweep(struct store_tx *tx, const char *sweep_id, bool lock, struct store_sweep *out,
                              struct err *err) MUST_USE;

/* NOT_FOUND. */
enum status picture_sweep(struct store_tx *tx, const char *sweep_id, Besom__V1__Sweep **out,
                          struct err *err) MUST_USE;
/* *out NULL when no run has a value. */
enum status picture_best(struct store_tx *tx, const char *sweep_id, Besom__V1__Run **out,
                         struct err *err) MUST_USE;
/* sweep_id "" resolves a bare id. */
enum status picture_run(struct store_tx *tx, const char *sweep_id, const char *run_id, Besom__V1__Run **out,
                        struct err *err) MUST_USE;
/* Messages of a listing, each with at most 1000 summaries: the first ones that have `bytes_max` bytes
 * together, *fitting of them. */
enum status picture_runs(struct store_tx *tx, const char *sweep_id, const struct store_run *runs,
                         size_t count, size_t bytes_max, Besom__V1__Run ***out, size_t *fitting,
                         struct err *err) MUST_USE;

#endif
