/*
 * An agent of a benchmark: it claims one run, streams numbered batches through
 * TrackRun as besom-agent does when its run logs faster than is stored (without
 * a pause, but only so many without acknowledgement), and finishes the run. A
 * failure ends the process.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_TESTS_BENCH_TRACKER_H
#define BESOM_TESTS_BENCH_TRACKER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "tests/bench/calls.h"

#define TRACKER_UNACKNOWLEDGED_MAX 64

struct tracker {
    besom_client *client;
    besom_stream *stream;
    const char *sweep_id;
    char agent_id[CALLS_AGENT_ID_SIZE], run_id[ID_SIZE];
    int number;
    int32_t attempt;
    bool full;                             /* the stream takes nothing now; callbacks only */
    atomic_llong sent, acknowledged, last; /* batches; none is sent after `last` */
    /* Fills in what the batch of this number holds, valid until the next call. Callbacks only. */
    void (*fill)(struct tracker *tracker, int64_t sequence, Besom__V1__TrackBatch *batch);
    void *context;
};

/* Registers the agent and claims a run; client, sweep, number, fill and context are set. */
void tracker_acquire(struct tracker *tracker);
/* Opens the stream and sends up to batch `last`. */
void tracker_open(struct tracker *tracker, int64_t last);
/* Sends on, up to another last one, all before being acknowledged. */
void tracker_go_on(struct tracker *tracker, int64_t last);
/* Sends nothing more. */
void tracker_stop(struct tracker *tracker);
/* Until all that was sent is acknowledged, and all up to `last` was sent unless tracker_stop was called.
 * Fails after so long without an acknowledgement. */
void tracker_await(struct tracker *tracker, int64_t patience_ms);
void tracker_close(struct tracker *tracker);
void tracker_finish(struct tracker *tracker);

#endif
