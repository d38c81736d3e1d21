// SPDX-License-Identifier: GPL-3.0-or-later
#include "db/store/results.h"

#include "db/store/query.h"

static const struct field RESULT_FIELDS[] = {
    FIELD(I64, struct store_result, number),  FIELD(TEXT, struct store_result, params_json),
    FIELD(TEXT, struct store_result, state),  FIELD(F64, struct store_result, objective),
    FIELD(TEXT, struct store_result, run_id), FIELD(F64, struct store_result, latest),
};
static const struct field BUDGET_FIELDS[] = {
    FIELD(I32, struct store_budget, band_index),
    FIELD(I64, struct store_budget, values),
};

enum status store_list_results(struct store_tx *tx, const char *sweep_id, int64_t after, int64_t until,
                               struct store_result **out, size_t *count, struct err *err)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_i64(&params, after);
    params_i64(&params, until);
    return query_rows(tx, QUERY_LIST_RESULTS, &params, SHAPE(struct store_result, RESULT_FIELDS), out, count,
                      err);
}

enum status store_digest_results(struct store_tx *tx, const char *sweep_id, int64_t until, int64_t *out,
                                 struct err *err)
{
    CLEANUP(result_clear) struct result result = {NULL};
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_i64(&params, until);
    TRY(query_run(tx, QUERY_DIGEST_RESULTS, &params, &result, err));
    *out = result_i64(&result, 0, 0);
    return STATUS_OK;
}

enum status store_list_open_params(struct store_tx *tx, const char *sweep_id, int64_t ordinal,
                                   int64_t result_cursor, const char ***out, size_t *count, struct err *err)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_i64(&params, ordinal);
    params_i64(&params, result_cursor);
    return query_texts(tx, QUERY_LIST_OPEN_PARAMS, &params, out, count, err);
}

enum status store_list_prior_runs(struct store_tx *tx, const char *sweep_id, struct store_result **out,
                                  size_t *count, struct err *err)
{
    static const struct field FIELDS[] = {
        FIELD(TEXT, struct store_result, params_json),
        FIELD(TEXT, struct store_result, state),
        FIELD(F64, struct store_result, objective),
    };
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    return query_rows(tx, QUERY_LIST_PRIOR_RUNS, &params, SHAPE(struct store_result, FIELDS), out, count,
                      err);
}

/* ---- of sweeps whose model learns from rung values ---- */

enum status store_count_budgets(struct store_tx *tx, const char *sweep_id, int64_t until,
                                struct store_budget **out, size_t *count, struct err *err)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_i64(&params, until);
    return query_rows(tx, QUERY_COUNT_BUDGETS, &params, SHAPE(struct store_budget, BUDGET_FIELDS), out, count,
                      err);
}

enum status store_list_budget_results(struct store_tx *tx, const char *sweep_id, int64_t after, int64_t until,
                                      int32_t band_index, struct store_result **out, size_t *count,
                                      struct err *err)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_i64(&params, after);
    params_i64(&params, until);
    params_i32(&params, band_index);
    return query_rows(tx, QUERY_LIST_BUDGET_RESULTS, &params, SHAPE(struct store_result, RESULT_FIELDS), out,
                      count, err);
}

enum status store_digest_budgets(struct store_tx *tx, const char *sweep_id, int64_t until, int64_t *out,
                                 struct err *err)
{
    CLEANUP(result_clear) struct result result = {NULL};
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_i64(&params, until);
    TRY(query_run(tx, QUERY_DIGEST_BUDGETS, &params, &result, err));
    *out = result_i64(&result, 0, 0);
    return STATUS_OK;
}

enum status store_list_open_budget_params(struct store_tx *tx, const char *sweep_id, int64_t ordinal,
                                          int64_t until, int32_t band_index, const char ***out, size_t *count,
                                          struct err *err)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_i64(&params, ordinal);
    params_i64(&params, until);
    params_i32(&params, band_index);
    return query_texts(tx, QUERY_LIST_OPEN_BUDGET_PARAMS, &params, out, count, err);
}
