// SPDX-License-Identifier: GPL-3.0-or-later
#include "db/store/run_facts.h"

#include "db/store/query.h"

static const struct field PUT_FIELDS[] = {
    FIELD(TEXT, struct store_fact, sweep_id), FIELD(TEXT, struct store_fact, run_id),
    FIELD(I32, struct store_fact, attempt),   FIELD(TEXT, struct store_fact, kind),
    FIELD(TEXT, struct store_fact, name),     FIELD(TEXT, struct store_fact, value),
};
static const struct field DELETED_FIELDS[] = {
    FIELD(TEXT, struct store_fact, sweep_id),
    FIELD(TEXT, struct store_fact, run_id),
    FIELD(I32, struct store_fact, attempt),
    FIELD(TEXT, struct store_fact, name),
};
static const struct field LISTED_FIELDS[] = {
    FIELD(TEXT, struct store_fact, sweep_id), FIELD(TEXT, struct store_fact, run_id),
    FIELD(TEXT, struct store_fact, kind),     FIELD(TEXT, struct store_fact, name),
    FIELD(TEXT, struct store_fact, value),    FIELD(I32, struct store_fact, attempt),
};

enum status store_put_facts(struct store_tx *tx, const struct store_fact *rows, size_t count, int64_t most,
                            bool *left_out, struct err *err)
{
    CLEANUP(result_clear) struct result result = {NULL};
    struct params params = params_begin(tx);
    params_columns(&params, SHAPE(struct store_fact, PUT_FIELDS), rows, count);
    params_i64(&params, most);
    TRY(query_run(tx, QUERY_PUT_FACTS, &params, &result, err));
    for (int row = 0; row < result_count(&result); row++)
        left_out[result_i64(&result, row, 0) - 1] = true;
    return STATUS_OK;
}

enum status store_delete_facts(struct store_tx *tx, const struct store_fact *rows, size_t count,
                               struct err *err)
{
    struct params params = params_begin(tx);
    params_columns(&params, SHAPE(struct store_fact, DELETED_FIELDS), rows, count);
    return query_change(tx, QUERY_DELETE_FACTS, &params, NULL, err);
}

enum status store_list_facts_of(struct store_tx *tx, const char *sweep_id, const char *const *run_ids,
                                size_t run_count, int64_t bytes_max, struct store_fact **out, size_t *count,
                                struct err *err)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_texts(&params, run_ids, run_count);
    params_i64(&params, bytes_max);
    return query_rows(tx, QUERY_LIST_FACTS_OF, &params, SHAPE(struct store_fact, LISTED_FIELDS), out, count,
                      err);
}
