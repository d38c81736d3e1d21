// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "db/store/query.h"
#include "db/store/runs.h"

static const struct field RUN_FIELDS[] = {
    FIELD(TEXT, struct store_run, sweep_id),
    FIELD(TEXT, struct store_run, run_id),
    FIELD(TEXT, struct store_run, state),
    FIELD(TEXT, struct store_run, end_reason),
    FIELD(TEXT, struct store_run, params_json),
    FIELD(TEXT, struct store_run, agent_id),
    FIELD(TEXT, struct store_run, host),
    FIELD(TEXT, struct store_run, error_text),
    FIELD(I64, struct store_run, ordinal),
    FIELD(TIME, struct store_run, created_us),
    FIELD(TIME, struct store_run, started_us),
    FIELD(TIME, struct store_run, ended_us),
    FIELD(I64, struct store_run, result_number),
    FIELD(I64, struct store_run, run_time_ms),
    FIELD(I32, struct store_run, attempt),
    FIELD(I32, struct store_run, exit_code),
    FIELD(I32, struct store_run, signal),
    FIELD(I32, struct store_run, spec_version),
    FIELD(BOOL, struct store_run, unreachable),
    FIELD_WITH(MAYBE_F64, struct store_run, objective, has_objective),
    FIELD(TEXT, struct store_run, name),
    FIELD(TEXT, struct store_run, notes),
    FIELD(TEXT, struct store_run, tags_json),
    FIELD(TEXT, struct store_run, hidden_tags_json),
};
static const struct shape RUN = {RUN_FIELDS, ARRAY_LEN(RUN_FIELDS), sizeof(struct store_run)};

static const enum query ORDERS[] = {
    [STORE_BY_ORDINAL] = QUERY_LIST_RUNS_BY_ORDINAL,
    [STORE_BY_OBJECTIVE] = QUERY_LIST_RUNS_BY_OBJECTIVE,
    [STORE_BY_NEWEST] = QUERY_LIST_RUNS_BY_NEWEST,
};

static struct params run_params(struct store_tx *tx, const char *sweep_id, const char *run_id)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_text(&params, run_id);
    return params;
}

enum status store_get_run(struct store_tx *tx, const char *sweep_id, const char *run_id,
                          struct store_run *out, struct err *err)
{
    struct params params = run_params(tx, sweep_id, run_id);
    struct store_run *runs;
    size_t count;
    TRY(query_rows(tx, QUERY_GET_RUN, &params, RUN, &runs, &count, err));
    if (count == 0)
        return err_set(err, STATUS_NOT_FOUND, "no such run: %s", run_id);
    if (count > 1)
        return err_set(err, STATUS_ALREADY_EXISTS, "run %s is in sweeps %s and %s (say which)", run_id,
                       runs[0].sweep_id, runs[1].sweep_id);
    *out = runs[0];
    return STATUS_OK;
}

enum status store_list_runs(struct store_tx *tx, const char *sweep_id, const char *states,
                            enum store_run_order order, int64_t offset, int limit, struct store_run **out,
                            size_t *count, struct err *err)
{
    struct params params = run_params(tx, sweep_id, states);
    params_i64(&params, offset);
    params_i32(&params, limit);
    params_i64(&params, STORE_RUNS_BYTES);
    return query_rows(tx, ORDERS[order], &params, RUN, out, count, err);
}

enum status store_list_runs_of(struct store_tx *tx, const char *sweep_id, const char *const *run_ids,
                               size_t run_count, struct store_run **out, size_t *count, struct err *err)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_texts(&params, run_ids, run_count);
    return query_rows(tx, QUERY_LIST_RUNS_OF, &params, RUN, out, count, err);
}

enum status store_get_best_run(struct store_tx *tx, const char *sweep_id, struct store_run *out,
                               struct err *err)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    return query_row(tx, QUERY_GET_BEST_RUN, &params, RUN, out, "no run has a value of the sweep's metric",
                     err);
}

enum status store_count_recent_ends(struct store_tx *tx, const char *sweep_id, int64_t *out, struct err *err)
{
    static const struct field FIELDS[] = {{FIELD_I64, 0, 0}};
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    return query_row(tx, QUERY_COUNT_RECENT_ENDS, &params, SHAPE(int64_t, FIELDS), out, "no count", err);
}

static bool is_live(const char *state)
{
    static const char *const LIVE[] = {"assigned", "running", "preempting", "paused"};
    for (size_t i = 0; i < ARRAY_LEN(LIVE); i++)
        if (strcmp(state, LIVE[i]) == 0)
            return true;
    return false;
}

enum status store_delete_run(struct store_tx *tx, const char *sweep_id, const char *run_id, struct err *err)
{
    struct params params = run_params(tx, sweep_id, run_id);
    const char **states;
    size_t count;
    TRY(query_texts(tx, QUERY_LOCK_RUN_FOR_DELETE, &params, &states, &count, err));
    if (count == 0)
        return err_set(err, STATUS_NOT_FOUND, "no such run: %s", run_id);
    if (is_live(states[0]))
        return err_set(err, STATUS_PRECONDITION, "run %s is %s (stop it first)", run_id, states[0]);
    return query_change(tx, QUERY_DELETE_RUN, &params, NULL, err);
}

enum status store_list_attempts(struct store_tx *tx, const char *sweep_id, const char *run_id,
                                struct store_attempt_row **out, size_t *count, struct err *err)
{
    static const struct field FIELDS[] = {
        FIELD(I32, struct store_attempt_row, attempt),
        FIELD(TEXT, struct store_attempt_row, agent_id),
        FIELD(TEXT, struct store_attempt_row, host),
        FIELD(TEXT, struct store_attempt_row, end_reason),
        FIELD(TIME, struct store_attempt_row, claimed_us),
        FIELD(TIME, struct store_attempt_row, started_us),
        FIELD(TIME, struct store_attempt_row, ended_us),
        FIELD(I64, struct store_attempt_row, last_sequence),
    };
    struct params params = run_params(tx, sweep_id, run_id);
    return query_rows(tx, QUERY_LIST_ATTEMPTS, &params, SHAPE(struct store_attempt_row, FIELDS), out, count,
                      err);
}

enum status store_get_suggestion(struct store_tx *tx, const char *sweep_id, int64_t ordinal,
                                 const char **why_json, struct err *err)
{
    static const struct field FIELDS[] = {{FIELD_TEXT, 0, 0}};
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_i64(&params, ordinal);
    return query_row(tx, QUERY_GET_SUGGESTION, &params, SHAPE(const char *, FIELDS), why_json,
                     "no suggestion with this ordinal", err);
}
