/*
 * Gathers metrics, facts and output of one attempt into numbered TrackBatch
 * messages and puts them into the spool. The first item after a silence goes
 * almost at once, what follows within 100 ms; a full batch does not wait. Past
 * the spool's bound output is dropped line by line and counted; metrics are
 * kept, and the reader of the run socket is told to wait. Used by the shim
 * alone; not thread-safe.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_BATCHER_H
#define BESOM_AGENT_BATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "facts.h"
#include "spool.h"

#define BATCHER_DELAY_MS 100 /* between batches that are not full */
#define BATCHER_GATHER_MS 5  /* from the first item to its batch, when there was none for that long */

struct batcher;

/* The spool stays the caller's. NO_MEMORY. */
enum status batcher_new(struct spool_writer *spool, int64_t limit_bytes, struct batcher **out,
                        struct err *err) MUST_USE;
void batcher_free(struct batcher *batcher);

/* One value. The name's length is the caller's to check. */
void batcher_add_metric(struct batcher *batcher, const char *name, size_t length, int64_t step, double value,
                        int64_t time_us);
/* An entry of the summary ends when the metric of its name is added. INVALID: not taken. */
enum status batcher_add_fact(struct batcher *batcher, enum fact_kind kind, const char *name,
                             const char *value_json, struct err *err) MUST_USE;
/* Bytes as the command wrote them. */
void batcher_add_output(struct batcher *batcher, bool is_error, const char *bytes, size_t length);
/* The run said that it is being preempted: travels at once. */
void batcher_mark_preempting(struct batcher *batcher);

/* Milliseconds until batcher_flush is due; -1 = nothing is waiting. */
int64_t batcher_due_ms(const struct batcher *batcher);
/* Writes what waits, `final` with incomplete lines too. IO: nothing is lost, try again. */
enum status batcher_flush(struct batcher *batcher, bool final, struct err *err) MUST_USE;

/* True while no more metrics should be taken in. */
bool batcher_is_full(const struct batcher *batcher);
/* Number of the last batch in the spool. */
int64_t batcher_sequence(const struct batcher *batcher);
/* Lines of output dropped so far. */
int64_t batcher_dropped_lines(const struct batcher *batcher);

#endif
