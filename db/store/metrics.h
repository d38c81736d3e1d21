/*
 * Queries about metrics and output: inbox, packed chunks, summaries, logs.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_DB_STORE_METRICS_H
#define BESOM_DB_STORE_METRICS_H

#include <stddef.h>

#include "db/store/store.h"

struct store_inbox_row {
    const char *sweep_id, *run_id;
    int32_t attempt, points;
    int64_t sequence;
    const void *payload;
    size_t payload_length;
};
/* One statement with arrays (binary), whatever the count. */
enum status store_append_inbox(struct store_tx *tx, const struct store_inbox_row *rows, size_t count,
                               struct err *err) MUST_USE;

struct store_summary {
    const char *sweep_id, *run_id, *name;
    int32_t attempt;
    int64_t points, last_step;
    double last, min, max; /* min, max NaN when no value is finite */
    double first, total;   /* total of the finite values, of which there are `finite` */
    int64_t least_step, finite;
};
/* Adds deltas: points, total and finite summed, last replaced, first kept, min and max widened (NaN loses),
 * the least step taken. A total beyond all numbers is NaN from then on. Distinct keys, sorted. */
enum status store_merge_summaries(struct store_tx *tx, const struct store_summary *rows, size_t count,
                                  struct err *err) MUST_USE;
/* In order of name, then attempt. attempt 0 = all of the run. */
enum status store_list_summaries(struct store_tx *tx, const char *sweep_id, const char *run_id,
                                 int32_t attempt, struct store_summary **out, size_t *count,
                                 struct err *err) MUST_USE;
/* Of all attempts of many runs of one sweep, sorted by run, name (strcmp) and attempt; of each run the first
 * `most`. */
enum status store_list_summaries_of(struct store_tx *tx, const char *sweep_id, const char *const *run_ids,
                                    size_t run_count, int64_t most, struct store_summary **out, size_t *count,
                                    struct err *err) MUST_USE;

/* A metric of an attempt and its newest value, which may be no finite one. */
struct store_newest_value {
    const char *sweep_id, *run_id, *name;
    int32_t attempt;
    double value;
};
/* Fills in the values; of a metric that has none it is left as it is. */
enum status store_list_newest_values(struct store_tx *tx, struct store_newest_value *keys, size_t count,
                                     struct err *err) MUST_USE;

struct store_log_row {
    const char *sweep_id, *run_id;
    int32_t attempt;
    int64_t first_byte;
    bool is_stderr;
    const void *text;
    size_t length;
};
enum status store_append_logs(struct store_tx *tx, const struct store_log_row *rows, size_t count,
                              struct err *err) MUST_USE;
/* From the part that holds byte `offset` on, at most `limit` parts. */
enum status store_read_logs(struct store_tx *tx, const char *sweep_id, const char *run_id, int32_t attempt,
                            int64_t offset, int limit, struct store_log_row **out, size_t *count,
                            struct err *err) MUST_USE;
/* Keeps the newest keep_bytes of an attempt's output. */
enum status store_trim_logs(struct store_tx *tx, const char *sweep_id, const char *run_id, int32_t attempt,
                            int64_t keep_bytes, struct err *err) MUST_USE;

/* ---- compaction ---- */

struct store_compaction {
    const char *sweep_id, *run_id;
    int32_t attempt;
    bool due;
};
/* When an attempt that goes on is due to be packed: with about so many points of each metric, or in all. */
struct store_pack_rule {
    int64_t metric_points, points;
};
/* Attempts with anything in the inbox in order of (sweep_id, run_id, attempt), after one of them ("", "", 0 =
 * from the start), at most limit; `due` also for those that have ended and where points have waited for long.
 */
enum status store_list_compactions(struct store_tx *tx, const struct store_compaction *after, int limit,
                                   const struct store_pack_rule *rule, struct store_compaction **out,
                                   size_t *count, struct err *err) MUST_USE;

/* Most rows, and points after which no other row is given: the last one may go beyond them. */
struct store_inbox_limit {
    int rows;
    int64_t points;
};
/* Takes (deletes and returns) the attempt's first inbox rows in order of sequence. Empty when another replica
 * is at it. */
enum status store_take_inbox(struct store_tx *tx, const struct store_compaction *key,
                             struct store_inbox_limit limit, struct store_inbox_row **out, size_t *count,
                             struct err *err) MUST_USE;
struct store_chunk {
    const char *name;
    int64_t chunk, first_step, last_step;
    int32_t points;
    int16_t encoding;
    double min, max, last;
    const void *data;
    size_t length;
};
/* The last chunk of each of these metrics that has one; those of fewer than `data_below` points with data. */
enum status store_list_last_chunks(struct store_tx *tx, const struct store_compaction *key,
                                   const char *const *names, size_t name_count, int32_t data_below,
                                   struct store_chunk **out, size_t *count, struct err *err) MUST_USE;
/* Inserts, or replaces a chunk of the same number. */
enum status store_put_chunks(struct store_tx *tx, const struct store_compaction *key,
                             const struct store_chunk *rows, size_t count, struct err *err) MUST_USE;

/* ---- reading: attempts of a run from `first_attempt` to `last_attempt` ---- */

struct store_metric_key {
    const char *sweep_id, *run_id;
    int32_t first_attempt, last_attempt;
};
struct store_metric {
    int32_t attempt;
    const char *name;
    int64_t chunk;  /* its last */
    int32_t points; /* of that */
};
/* Metrics that have chunks in order of attempt; names filter, count 0 = all, then at most limit. */
enum status store_list_metrics(struct store_tx *tx, const struct store_metric_key *key,
                               const char *const *names, size_t name_count, int limit,
                               struct store_metric **out, size_t *count, struct err *err) MUST_USE;
/* Inbox rows after (after_attempt, after_sequence), without taking them, in this order. */
enum status store_read_inbox(struct store_tx *tx, const struct store_metric_key *key, int32_t after_attempt,
                             int64_t after_sequence, struct store_inbox_limit limit,
                             struct store_inbox_row **out, size_t *count, struct err *err) MUST_USE;

struct store_chunk_range {
    struct store_compaction key;
    const char *name;
    int64_t first_chunk, last_chunk;
};
/* Chunks in order of number, at most limit: without data, or with it. */
enum status store_list_chunks(struct store_tx *tx, const struct store_chunk_range *range, int limit,
                              struct store_chunk **out, size_t *count, struct err *err) MUST_USE;
enum status store_read_chunks(struct store_tx *tx, const struct store_chunk_range *range, int limit,
                              struct store_chunk **out, size_t *count, struct err *err) MUST_USE;

#endif
