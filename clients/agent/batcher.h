/*
 * Gathers metrics and output of one attempt into numbered TrackBatch messages
 * and puts them into the spool: at 100 points, or 256 KiB of output, or 100 ms
 * after the first item. Past the spool's bound output is dropped line by line
 * and counted; metrics are kept, and the reader of the run socket is told to
 * wait. Used by the shim alone; not thread-safe.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_BATCHER_H
#define BESOM_AGENT_BATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "spool.h"

#define BATCHER_DELAY_MS 100

struct batcher;

/* The spool stays the caller's. NO_MEMORY. */
enum status batcher_new(struct spool_writer *spool, int64_t limit_bytes, struct batcher **out,
                        struct err *err) MUST_USE;
void batcher_free(struct batcher *batcher);

/* One value. Names longer than 256 bytes are cut by the caller's check. */
void batcher_add_metric(struct batcher *batcher, const char *name, int64_t step, double value,
                        int64_t time_us);
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
