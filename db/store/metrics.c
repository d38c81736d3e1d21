// SPDX-License-Identifier: GPL-3.0-or-later
#include "db/store/metrics.h"

#include "db/store/query.h"

static const struct field INBOX_FIELDS[] = {
    FIELD(TEXT, struct store_inbox_row, sweep_id),
    FIELD(TEXT, struct store_inbox_row, run_id),
    FIELD(I32, struct store_inbox_row, attempt),
    FIELD(I64, struct store_inbox_row, sequence),
    FIELD(I32, struct store_inbox_row, points),
    FIELD_WITH(BYTES, struct store_inbox_row, payload, payload_length),
};
static const struct field SUMMARY_FIELDS[] = {
    FIELD(TEXT, struct store_summary, sweep_id), FIELD(TEXT, struct store_summary, run_id),
    FIELD(TEXT, struct store_summary, name),     FIELD(I32, struct store_summary, attempt),
    FIELD(I64, struct store_summary, points),    FIELD(I64, struct store_summary, last_step),
    FIELD(F64, struct store_summary, last),      FIELD(F64, struct store_summary, min),
    FIELD(F64, struct store_summary, max),       FIELD(F64, struct store_summary, first),
    FIELD(F64, struct store_summary, total),     FIELD(I64, struct store_summary, least_step),
    FIELD(I64, struct store_summary, finite),
};

enum status store_append_inbox(struct store_tx *tx, const struct store_inbox_row *rows, size_t count,
                               struct err *err)
{
    struct params params = params_begin(tx);
    params_columns(&params, SHAPE(struct store_inbox_row, INBOX_FIELDS), rows, count);
    return query_change(tx, QUERY_APPEND_INBOX, &params, NULL, err);
}

enum status store_merge_summaries(struct store_tx *tx, const struct store_summary *rows, size_t count,
                                  struct err *err)
{
    struct params params = params_begin(tx);
    params_columns(&params, SHAPE(struct store_summary, SUMMARY_FIELDS), rows, count);
    return query_change(tx, QUERY_MERGE_SUMMARIES, &params, NULL, err);
}

enum status store_list_summaries(struct store_tx *tx, const char *sweep_id, const char *run_id,
                                 int32_t attempt, struct store_summary **out, size_t *count, struct err *err)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_text(&params, run_id);
    params_i32(&params, attempt);
    return query_rows(tx, QUERY_LIST_SUMMARIES, &params, SHAPE(struct store_summary, SUMMARY_FIELDS), out,
                      count, err);
}

enum status store_list_summaries_of(struct store_tx *tx, const char *sweep_id, const char *const *run_ids,
                                    size_t run_count, int64_t most, struct store_summary **out, size_t *count,
                                    struct err *err)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_texts(&params, run_ids, run_count);
    params_i64(&params, most);
    return query_rows(tx, QUERY_LIST_SUMMARIES_OF, &params, SHAPE(struct store_summary, SUMMARY_FIELDS), out,
                      count, err);
}

static const struct field NEWEST_KEY_FIELDS[] = {
    FIELD(TEXT, struct store_newest_value, sweep_id),
    FIELD(TEXT, struct store_newest_value, run_id),
    FIELD(TEXT, struct store_newest_value, name),
    FIELD(I32, struct store_newest_value, attempt),
};

enum status store_list_newest_values(struct store_tx *tx, struct store_newest_value *keys, size_t count,
                                     struct err *err)
{
    CLEANUP(result_clear) struct result result = {NULL};
    struct params params = params_begin(tx);
    params_columns(&params, SHAPE(struct store_newest_value, NEWEST_KEY_FIELDS), keys, count);
    TRY(query_run(tx, QUERY_LIST_NEWEST_VALUES, &params, &result, err));
    for (int row = 0; row < result_count(&result); row++)
        keys[result_i64(&result, row, 0) - 1].value = result_f64(&result, row, 1);
    return STATUS_OK;
}
