// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "db/store/query.h"
#include "db/store/runs.h"

static const struct field KEY_FIELDS[] = {
    FIELD(TEXT, struct store_finish, sweep_id),
    FIELD(TEXT, struct store_finish, run_id),
    FIELD(I32, struct store_finish, attempt),
};
static const struct field END_FIELDS[] = {
    FIELD(TEXT, struct store_finish, sweep_id),   FIELD(TEXT, struct store_finish, run_id),
    FIELD(I32, struct store_finish, attempt),     FIELD(TEXT, struct store_finish, state),
    FIELD(TEXT, struct store_finish, end_reason), FIELD(TEXT, struct store_finish, error_text),
    FIELD(I32, struct store_finish, exit_code),   FIELD(I32, struct store_finish, signal),
    FIELD(I64, struct store_finish, run_time_ms), FIELD(BOOL, struct store_finish, may_retry),
    FIELD(I64, struct store_finish, retries_max), FIELD(BOOL, struct store_finish, has_objective),
};
/* A row of lock_ends; `index` counts from 1. */
struct locked_end {
    const char *agent_id, *state, *end_reason;
    int64_t index, last_sequence, result_number;
    bool superseded, over, revivable;
};
static const struct field LOCKED_FIELDS[] = {
    FIELD(I64, struct locked_end, index),         FIELD(TEXT, struct locked_end, agent_id),
    FIELD(BOOL, struct locked_end, superseded),   FIELD(BOOL, struct locked_end, over),
    FIELD(BOOL, struct locked_end, revivable),    FIELD(I64, struct locked_end, last_sequence),
    FIELD(TEXT, struct locked_end, state),        FIELD(TEXT, struct locked_end, end_reason),
    FIELD(I64, struct locked_end, result_number),
};
static const struct field RESULT_FIELDS[] = {
    FIELD(TEXT, struct store_finish_result, state),
    FIELD(TEXT, struct store_finish_result, end_reason),
    FIELD(BOOL, struct store_finish_result, requeued),
    FIELD(I64, struct store_finish_result, result_number),
};

#define REVIVED_LEASE_MS 60000 /* it ends in the same transaction */

static enum status revive(struct store_tx *tx, const struct store_finish *item, bool *revived,
                          struct err *err)
{
    CLEANUP(result_clear) struct result result = {NULL};
    struct params params = params_begin(tx);
    params_text(&params, item->sweep_id);
    params_text(&params, item->run_id);
    params_i32(&params, item->attempt);
    params_bool(&params, true);
    params_i64(&params, REVIVED_LEASE_MS);
    TRY(query_run(tx, QUERY_REVIVE_RUN, &params, &result, err));
    *revived = result_count(&result) == 1;
    return STATUS_OK;
}

/* Fills the result of an attempt that cannot end now or has ended; *ends when it is to end. */
static enum status judge(struct store_tx *tx, const struct store_finish *item,
                         const struct locked_end *locked, struct store_finish_result *result, bool *ends,
                         struct err *err)
{
    bool foreign =
        item->agent_id != NULL && item->agent_id[0] != '\0' && strcmp(item->agent_id, locked->agent_id) != 0;
    *ends = false;
    *result = (struct store_finish_result){
        .verdict = STORE_FINISH_DONE,
        .state = locked->state,
        .end_reason = locked->end_reason,
        .requeued = strcmp(locked->state, "pending") == 0,
        .last_sequence = locked->last_sequence,
        .result_number = locked->result_number,
    };
    if (foreign || locked->superseded) {
        result->verdict = STORE_FINISH_SUPERSEDED;
        result->requeued = false;
    } else if (locked->last_sequence < item->final_sequence && (!locked->over || locked->revivable)) {
        result->verdict = STORE_FINISH_AGAIN;
        result->requeued = false;
    } else if (locked->revivable) {
        return revive(tx, item, ends, err);
    } else {
        *ends = !locked->over;
    }
    return STATUS_OK;
}

static enum status write_ends(struct store_tx *tx, const struct store_finish *ends, const size_t *places,
                              size_t count, struct store_finish_result *results, struct err *err)
{
    CLEANUP(result_clear) struct result result = {NULL};
    struct params params = params_begin(tx);
    params_columns(&params, SHAPE(struct store_finish, END_FIELDS), ends, count);
    TRY(query_run(tx, QUERY_FINISH_RUNS, &params, &result, err));
    for (int row = 0; row < result_count(&result); row++) {
        size_t end = (size_t)result_i64(&result, row, 0) - 1;
        TRY(result_row(&result, row, 1, SHAPE(struct store_finish_result, RESULT_FIELDS),
                       &results[places[end]], tx->arena, err));
    }
    return STATUS_OK;
}

enum status store_finish_runs(struct store_tx *tx, const struct store_finish *items, size_t count,
                              struct store_finish_result *results, struct err *err)
{
    struct params params = params_begin(tx);
    struct locked_end *locked;
    size_t locked_count, end_count = 0;
    params_columns(&params, SHAPE(struct store_finish, KEY_FIELDS), items, count);
    TRY(query_rows(tx, QUERY_LOCK_ENDS, &params, SHAPE(struct locked_end, LOCKED_FIELDS), &locked,
                   &locked_count, err));
    struct store_finish *ends = arena_calloc(tx->arena, count + 1, sizeof *ends);
    size_t *places = arena_calloc(tx->arena, count + 1, sizeof *places);
    if (ends == NULL || places == NULL)
        return err_set(err, STATUS_NO_MEMORY, "no memory for %zu ends", count);
    for (size_t i = 0; i < count; i++)
        results[i] =
            (struct store_finish_result){.verdict = STORE_FINISH_SUPERSEDED, .state = "", .end_reason = ""};
    for (size_t i = 0; i < locked_count; i++) {
        size_t place = (size_t)locked[i].index - 1;
        bool is_end;
        TRY(judge(tx, &items[place], &locked[i], &results[place], &is_end, err));
        if (!is_end)
            continue;
        ends[end_count] = items[place];
        ends[end_count].end_reason = items[place].end_reason == NULL ? "" : items[place].end_reason;
        ends[end_count].error_text = items[place].error_text == NULL ? "" : items[place].error_text;
        places[end_count++] = place;
    }
    if (end_count > 0)
        TRY(write_ends(tx, ends, places, end_count, results, err));
    for (size_t i = 0; i < end_count; i++)
        results[places[i]].ended_now = true;
    return STATUS_OK;
}

enum status store_get_end_facts(struct store_tx *tx, const char *sweep_id, const char *run_id,
                                int32_t attempt, struct store_end_facts *out, struct err *err)
{
    static const struct field FIELDS[] = {
        FIELD(TEXT, struct store_end_facts, directive_kind),
        FIELD(TEXT, struct store_end_facts, directive_reason),
        FIELD(BOOL, struct store_end_facts, preempting),
        FIELD(I32, struct store_end_facts, spec_version),
    };
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_text(&params, run_id);
    params_i32(&params, attempt);
    return query_row(tx, QUERY_GET_END_FACTS, &params, SHAPE(struct store_end_facts, FIELDS), out,
                     "no such attempt of a run", err);
}

enum status store_kill_pending_run(struct store_tx *tx, const char *sweep_id, const char *run_id,
                                   bool *killed, struct err *err)
{
    struct params params = params_begin(tx);
    int64_t changed;
    params_text(&params, sweep_id);
    params_text(&params, run_id);
    TRY(query_change(tx, QUERY_KILL_PENDING_RUN, &params, &changed, err));
    *killed = changed == 1;
    return STATUS_OK;
}
