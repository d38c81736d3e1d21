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

static struct params key_params(struct store_tx *tx, const struct store_compaction *key)
{
    struct params params = params_begin(tx);
    params_row(&params, KEY, key);
    return params;
}

enum status store_list_compactions(struct store_tx *tx, int64_t min_points, int limit,
                                   struct store_compaction **out, size_t *count, struct err *err)
{
    struct params params = params_begin(tx);
    params_i64(&params, min_points);
    params_i32(&params, limit);
    return query_rows(tx, QUERY_LIST_COMPACTIONS, &params, KEY, out, count, err);
}

enum status store_take_inbox(struct store_tx *tx, const struct store_compaction *key, int limit,
                             struct store_inbox_row **out, size_t *count, struct err *err)
{
    struct params params = key_params(tx, key);
    params_i32(&params, limit);
    return query_rows(tx, QUERY_TAKE_INBOX, &params, SHAPE(struct store_inbox_row, INBOX_FIELDS), out, count,
                      err);
}

enum status store_read_inbox(struct store_tx *tx, const struct store_compaction *key, int64_t after_sequence,
                             int limit, struct store_inbox_row **out, size_t *count, struct err *err)
{
    struct params params = key_params(tx, key);
    params_i64(&params, after_sequence);
    params_i32(&params, limit);
    return query_rows(tx, QUERY_READ_INBOX, &params, SHAPE(struct store_inbox_row, INBOX_FIELDS), out, count,
                      err);
}

enum status store_list_last_chunks(struct store_tx *tx, const struct store_compaction *key,
                                   struct store_chunk **out, size_t *count, struct err *err)
{
    struct params params = key_params(tx, key);
    return query_rows(tx, QUERY_LIST_LAST_CHUNKS, &params, SHAPE(struct store_chunk, CHUNK_FIELDS), out,
                      count, err);
}

enum status store_put_chunks(struct store_tx *tx, const struct store_compaction *key,
                             const struct store_chunk *rows, size_t count, struct err *err)
{
    struct params params = key_params(tx, key);
    params_columns(&params, SHAPE(struct store_chunk, CHUNK_FIELDS), rows, count);
    return query_change(tx, QUERY_PUT_CHUNKS, &params, NULL, err);
}

enum status store_read_chunks(struct store_tx *tx, const struct store_compaction *key,
                              const char *const *names, size_t name_count, const char *after_name,
                              int64_t after_chunk, int limit, struct store_chunk **out, size_t *count,
                              struct err *err)
{
    struct params params = key_params(tx, key);
    params_texts(&params, names, name_count);
    params_text(&params, after_name);
    params_i64(&params, after_chunk);
    params_i32(&params, limit);
    return query_rows(tx, QUERY_READ_CHUNKS, &params, SHAPE(struct store_chunk, CHUNK_FIELDS), out, count,
                      err);
}
