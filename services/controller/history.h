/*
 * What a reader of metrics sees: one snapshot says, of each metric and each
 * attempt, which chunks there are and what the inbox holds. The chunks are
 * read later, up to what the snapshot saw: points keep their places when they
 * are packed. An inbox that is too much to hold is only counted.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_HISTORY_H
#define BESOM_CONTROLLER_HISTORY_H

#include <stdbool.h>

#include "services/controller/gate.h"
#include "services/controller/series.h"

/* Most points of the inbox that are decoded at a time. */
#define HISTORY_INBOX_POINTS 262144
#define HISTORY_INBOX_ROWS 32768
/* Most metrics of all attempts that a snapshot lists. */
#define HISTORY_METRICS_MAX 100000
/* Most bytes of all snapshots of a process. */
#define HISTORY_HELD_MAX ((size_t)256 << 20)

/* Points of one attempt, in order of logging: chunks up to `last_chunk`, of that one only `last_points`, then
 * the inbox. */
struct history_source {
    int32_t attempt;
    bool has_chunks;
    int64_t last_chunk;
    int32_t last_points;
    struct pack_columns inbox; /* empty when it is too much */
    int64_t inbox_counted;     /* points in the inbox that are not held */
    int64_t inbox_least_step;  /* of those */
};

struct history_metric {
    const char *name;
    struct history_source *sources; /* in order of attempt */
    size_t source_count;
};

struct history {
    const char *sweep_id, *run_id;
    struct series_filter filter;
    struct history_metric *metrics; /* in order of name */
    size_t metric_count;
    size_t held; /* bytes that count until history_drop */
};

/* Takes the snapshot; `attempt` 0 = all of the run. Ids and filter must outlive it; all else lives in the
 * arena, whose bytes count as held. NOT_FOUND, INVALID (HISTORY_METRICS_MAX), EXHAUSTED (HISTORY_HELD_MAX).
 */
enum status history_read(struct gate *gate, struct arena *arena, int32_t attempt, struct history *history,
                         struct err *err) MUST_USE;
/* When its arena is freed; harmless for one that was not read. */
void history_drop(struct history *history);

#endif
