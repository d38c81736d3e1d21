/*
 * One numbered batch of a run: checked against the bounds and reduced to what
 * is stored (inbox payload, running figures, output, values that count towards
 * bands). Pure.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_BATCH_H
#define BESOM_CONTROLLER_BATCH_H

#include <besom/v1/run_service.pb-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "db/store/metrics.h"
#include "db/store/stops.h"

#define BATCH_POINTS_MAX 100000
#define BATCH_NAME_MAX 256
#define BATCH_LOG_MAX (1u << 20)
#define BATCH_FACTS_MAX 1000
#define BATCH_FACT_MAX (64u << 10) /* bytes of a value */

struct batch_log {
    int64_t first_byte;
    bool is_stderr;
    const void *text;
    size_t length;
};

struct batch_fact {
    const char *kind; /* as stored */
    const char *name, *value;
};

/* Everything lives in the arena that it was made with. */
struct batch {
    int64_t sequence;
    int32_t points;
    const void *payload; /* TrackBatch with its series only */
    size_t payload_length;
    struct store_summary *figures; /* all but the attempt's key; one per series */
    size_t figure_count;
    struct batch_log *logs;
    size_t log_count;
    int64_t log_bytes, dropped_lines;
    struct batch_fact *facts; /* in order; they stand after the figures */
    size_t fact_count, fact_bytes;
    double *values; /* finite values of the sweep's metric, in order */
    double *units;  /* the resource beside each, NAN = none in this batch so far; NULL: bands count rows */
    size_t value_count;
    double newest_units; /* of the resource; NAN = none in this batch */
    int64_t next_step;   /* above every step of it, 0 without points */
    bool preempting;
};

/* Why the batch can never be stored, NULL when it can. */
const char *batch_refusal(const Besom__V1__TrackBatch *message);

/* What a sweep goes by. */
struct batch_metrics {
    const char *metric;      /* "" = none */
    const char *step_metric; /* the resource that bands count; NULL = rows that hold the metric */
};

/* NO_MEMORY. */
enum status batch_make(const Besom__V1__TrackBatch *message, const struct batch_metrics *metrics,
                       struct arena *arena, struct batch *out, struct err *err) MUST_USE;

/* A batch that counts its number and holds nothing. */
struct batch batch_empty(int64_t sequence);

/* How far the attempt is towards its bands. */
struct batch_progress {
    int64_t rows; /* finite values of the metric so far */
    bool has_best;
    double best;
    double total; /* sum of those values */
    double units; /* the resource at the last of them, when bands count one */
    int32_t bands_reached;
};

/* What the row that reaches a band brings. */
struct batch_rung {
    int32_t band_index;
    double value, best, mean; /* at it, best and mean up to it */
};

/* Adds the batch's values, calling `reached` for each band that one of them reaches. */
void batch_advance(struct batch_progress *progress, const struct batch *batch, bool maximize,
                   const int64_t *bands, size_t band_count,
                   void (*reached)(void *context, const struct batch_rung *rung), void *context);

/* Merges equal keys of sorted figures of batches in order of sequence; returns how many are left. */
size_t batch_merge_figures(struct store_summary *figures, size_t count);
/* Order of store_merge_summaries; equal keys keep their order when the sort is stable. */
int batch_compare_figures(const struct store_summary *a, const struct store_summary *b);

#endif
