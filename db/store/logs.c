// SPDX-License-Identifier: GPL-3.0-or-later
#include "db/store/metrics.h"
#include "db/store/query.h"

static const struct field LOG_FIELDS[] = {
    FIELD(TEXT, struct store_log_row, sweep_id),  FIELD(TEXT, struct store_log_row, run_id),
    FIELD(I32, struct store_log_row, attempt),    FIELD(I64, struct store_log_row, first_byte),
    FIELD(BOOL, struct store_log_row, is_stderr), FIELD_WITH(BYTES, struct store_log_row, text, length),
};

static struct params attempt_params(struct store_tx *tx, const char *sweep_id, const char *run_id,
                                    int32_t attempt, int64_t bytes)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_text(&params, run_id);
    params_i32(&params, attempt);
    params_i64(&params, bytes);
    return params;
}

enum status store_append_logs(struct store_tx *tx, const struct store_log_row *rows, size_t count,
                              struct err *err)
{
    struct params params = params_begin(tx);
    params_columns(&params, SHAPE(struct store_log_row, LOG_FIELDS), rows, count);
    return query_change(tx, QUERY_APPEND_LOGS, &params, NULL, err);
}

enum status store_read_logs(struct store_tx *tx, const char *sweep_id, const char *run_id, int32_t attempt,
                            int64_t offset, int limit, struct store_log_row **out, size_t *count,
                            struct err *err)
{
    struct params params = attempt_params(tx, sweep_id, run_id, attempt, offset);
    params_i32(&params, limit);
    return query_rows(tx, QUERY_READ_LOGS, &params, SHAPE(struct store_log_row, LOG_FIELDS), out, count, err);
}

enum status store_trim_logs(struct store_tx *tx, const char *sweep_id, const char *run_id, int32_t attempt,
                            int64_t keep_bytes, struct err *err)
{
    struct params params = attempt_params(tx, sweep_id, run_id, attempt, keep_bytes);
    return query_change(tx, QUERY_TRIM_LOGS, &params, NULL, err);
}
