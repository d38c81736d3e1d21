// SPDX-License-Identifier: GPL-3.0-or-later
#include "db/store/metrics.h"
#include "db/store/query.h"

static const struct field KEY_FIELDS[] = {
    FIELD(TEXT, struct store_compaction, sweep_id),
    FIELD(TEXT, struct store_compaction, run_id),
    FIELD(I32, struct store_compaction, attempt),
};
static const struct shape KEY = {KEY_FIELDS, ARRAY_LEN(KEY_FIELDS), sizeof(struct store_compaction)};
static const struct field INBOX_FIELDS[] = {
    FIELD(TEXT, struct store_inbox_row, sweep_id),
    FIELD(TEXT, struct store_inbox_row, run_id),
    FIELD(I32, struct store_inbox_row, attempt),
    FIELD(I32, struct store_inbox_row, points),
    FIELD(I64, struct store_inbox_row, sequence),
    FIELD_WITH(BYTES, struct store_inbox_row, payload, payload_length),
};
static const struct field CHUNK_FIELDS[] = {
    FIELD(TEXT, struct store_chunk, name),      FIELD(I64, struct store_chunk, chunk),
    FIELD(I64, struct store_chunk, first_step), FIELD(I64, struct store_chunk, last_step),
    FIELD(I32, struct store_chunk, points),     FIELD(I16, struct store_chunk, encoding),
    FIELD(F64, struct store_chunk, min),        FIELD(F64, struct store_chunk, max),
    FIELD(F64, struct store_chunk, last),       FIELD_WITH(BYTES, struct store_chunk, data, length),
};

static const struct field DUE_FIELDS[] = {
    FIELD(TEXT, struct store_compaction, sweep_id),
    FIELD(TEXT, struct store_compaction, run_id),
    FIELD(I32, struct store_compaction, attempt),
    FIELD(BOOL, struct store_compaction, due),
};
static const struct field RUN_FIELDS[] = {
    FIELD(TEXT, struct store_metric_key, sweep_id),
    FIELD(TEXT, struct store_metric_key, run_id),
    FIELD(I32, struct store_metric_key, first_attempt),
    FIELD(I32, struct store_metric_key, last_attempt),
};
static const struct field METRIC_FIELDS[] = {
    FIELD(I32, struct store_metric, attempt),
    FIELD(TEXT, struct store_metric, name),
    FIELD(I64, struct store_metric, chunk),
    FIELD(I32, struct store_metric, points),
};
#define CHUNK SHAPE(struct store_chunk, CHUNK_FIELDS)
#define INBOX_ROW SHAPE(struct store_inbox_row, INBOX_FIELDS)

static struct params key_params(struct store_tx *tx, const struct store_compaction *key)
{
    struct params params = params_begin(tx);
    params_row(&params, KEY, key);
    return params;
}

static struct params run_params(struct store_tx *tx, const struct store_metric_key *key)
{
    struct params params = params_begin(tx);
    params_row(&params, SHAPE(struct store_metric_key, RUN_FIELDS), key);
    return params;
}

enum status store_list_compactions(struct store_tx *tx, const struct store_compaction *after, int limit,
                                   const struct store_pack_rule *rule, struct store_compaction **out,
                                   size_t *count, struct err *err)
{
    struct params params = key_params(tx, after);
    params_i32(&params, limit);
    params_i64(&params, rule->metric_points);
    params_i64(&params, rule->points);
    return query_rows(tx, QUERY_LIST_COMPACTIONS, &params, SHAPE(struct store_compaction, DUE_FIELDS), out,
                      count, err);
}

enum status store_take_inbox(struct store_tx *tx, const struct store_compaction *key,
                             struct store_inbox_limit limit, struct store_inbox_row **out, size_t *count,
                             struct err *err)
{
    struct params params = key_params(tx, key);
    params_i32(&params, limit.rows);
    params_i64(&params, limit.points);
    return query_rows(tx, QUERY_TAKE_INBOX, &params, INBOX_ROW, out, count, err);
}

enum status store_read_inbox(struct store_tx *tx, const struct store_metric_key *key, int32_t after_attempt,
                             int64_t after_sequence, struct store_inbox_limit limit,
                             struct store_inbox_row **out, size_t *count, struct err *err)
{
    struct params params = run_params(tx, key);
    params_i32(&params, after_attempt);
    params_i64(&params, after_sequence);
    params_i32(&params, limit.rows);
    params_i64(&params, limit.points);
    return query_rows(tx, QUERY_READ_INBOX, &params, INBOX_ROW, out, count, err);
}

enum status store_list_last_chunks(struct store_tx *tx, const struct store_compaction *key,
                                   const char *const *names, size_t name_count, int32_t data_below,
                                   struct store_chunk **out, size_t *count, struct err *err)
{
    struct params params = key_params(tx, key);
    params_texts(&params, names, name_count);
    params_i32(&params, data_below);
    return query_rows(tx, QUERY_LIST_LAST_CHUNKS, &params, CHUNK, out, count, err);
}

enum status store_put_chunks(struct store_tx *tx, const struct store_compaction *key,
                             const struct store_chunk *rows, size_t count, struct err *err)
{
    struct params params = key_params(tx, key);
    params_columns(&params, CHUNK, rows, count);
    return query_change(tx, QUERY_PUT_CHUNKS, &params, NULL, err);
}

enum status store_list_metrics(struct store_tx *tx, const struct store_metric_key *key,
                               const char *const *names, size_t name_count, int limit,
                               struct store_metric **out, size_t *count, struct err *err)
{
    struct params params = run_params(tx, key);
    params_texts(&params, names, name_count);
    params_i32(&params, limit);
    return query_rows(tx, QUERY_LIST_METRICS, &params, SHAPE(struct store_metric, METRIC_FIELDS), out, count,
                      err);
}

static struct params range_params(struct store_tx *tx, const struct store_chunk_range *range, int limit)
{
    struct params params = key_params(tx, &range->key);
    params_text(&params, range->name);
    params_i64(&params, range->first_chunk);
    params_i64(&params, range->last_chunk);
    params_i32(&params, limit);
    return params;
}

enum status store_list_chunks(struct store_tx *tx, const struct store_chunk_range *range, int limit,
                              struct store_chunk **out, size_t *count, struct err *err)
{
    struct params params = range_params(tx, range, limit);
    return query_rows(tx, QUERY_LIST_CHUNKS, &params, CHUNK, out, count, err);
}

enum status store_read_chunks(struct store_tx *tx, const struct store_chunk_range *range, int limit,
                              struct store_chunk **out, size_t *count, struct err *err)
{
    struct params params = range_params(tx, range, limit);
    return query_rows(tx, QUERY_READ_CHUNKS, &params, CHUNK, out, count, err);
}
