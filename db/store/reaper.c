// SPDX-License-Identifier: GPL-3.0-or-later
#include "db/store/query.h"
#include "db/store/runs.h"

static const struct field EXPIRED_FIELDS[] = {
    FIELD(TEXT, struct store_expired, sweep_id), FIELD(TEXT, struct store_expired, run_id),
    FIELD(TEXT, struct store_expired, agent_id), FIELD(TEXT, struct store_expired, state),
    FIELD(I32, struct store_expired, attempt),   FIELD(I32, struct store_expired, spec_version),
    FIELD(I64, struct store_expired, silent_ms),
};

enum status store_list_expired(struct store_tx *tx, int64_t after_ms, int limit, struct store_expired **out,
                               size_t *count, struct err *err)
{
    struct params params = params_begin(tx);
    params_i64(&params, after_ms);
    params_i32(&params, limit);
    return query_rows(tx, QUERY_LIST_EXPIRED, &params, SHAPE(struct store_expired, EXPIRED_FIELDS), out,
                      count, err);
}

static struct params expired_params(struct store_tx *tx, const char *sweep_id, const char *run_id,
                                    int32_t attempt, int64_t after_ms)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_text(&params, run_id);
    params_i32(&params, attempt);
    params_i64(&params, after_ms);
    return params;
}

enum status store_release_unstarted(struct store_tx *tx, const char *sweep_id, const char *run_id,
                                    int32_t attempt, int64_t after_ms, bool *released, struct err *err)
{
    struct params params = expired_params(tx, sweep_id, run_id, attempt, after_ms);
    int64_t changed;
    TRY(query_change(tx, QUERY_RELEASE_UNSTARTED, &params, &changed, err));
    *released = changed == 1;
    return STATUS_OK;
}

enum status store_lose_run(struct store_tx *tx, const struct store_finish *item, int64_t after_ms,
                           struct store_finish_result *result, struct err *err)
{
    CLEANUP(result_clear) struct result locked = {NULL};
    struct params params = expired_params(tx, item->sweep_id, item->run_id, item->attempt, after_ms);
    TRY(query_run(tx, QUERY_LOCK_EXPIRED, &params, &locked, err));
    if (result_count(&locked) == 0) {
        *result = (struct store_finish_result){.verdict = STORE_FINISH_AGAIN, .state = "", .end_reason = ""};
        return STATUS_OK;
    }
    return store_finish_runs(tx, item, 1, result, err);
}

enum status store_get_uptime(struct store_tx *tx, int64_t *uptime_ms, int64_t *now_us, struct err *err)
{
    struct uptime {
        int64_t uptime_ms, now_us;
    } row;
    static const struct field FIELDS[] = {FIELD(I64, struct uptime, uptime_ms),
                                          FIELD(TIME, struct uptime, now_us)};
    struct params params = params_begin(tx);
    TRY(query_row(tx, QUERY_GET_UPTIME, &params, SHAPE(struct uptime, FIELDS), &row, "no uptime", err));
    *uptime_ms = row.uptime_ms;
    *now_us = row.now_us;
    return STATUS_OK;
}

enum status store_finish_idle_sweeps(struct store_tx *tx, const char ***sweep_ids, size_t *count,
                                     struct err *err)
{
    struct params params = params_begin(tx);
    return query_texts(tx, QUERY_FINISH_IDLE_SWEEPS, &params, sweep_ids, count, err);
}
