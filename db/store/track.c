// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "db/store/query.h"
#include "db/store/runs.h"

/* What open_run says of an attempt. */
struct opened {
    const char *agent_id, *state;
    int64_t last_sequence;
    bool current, revivable;
};
static const struct field OPENED_FIELDS[] = {
    FIELD(TEXT, struct opened, agent_id),     FIELD(BOOL, struct opened, current),
    FIELD(I64, struct opened, last_sequence), FIELD(TEXT, struct opened, state),
    FIELD(BOOL, struct opened, revivable),
};

static enum status revive(struct store_tx *tx, const char *sweep_id, const char *run_id, int32_t attempt,
                          bool started, int64_t lease_ms, struct store_open_attempt *out, struct err *err)
{
    CLEANUP(result_clear) struct result result = {NULL};
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_text(&params, run_id);
    params_i32(&params, attempt);
    params_bool(&params, started);
    params_i64(&params, lease_ms);
    TRY(query_run(tx, QUERY_REVIVE_RUN, &params, &result, err));
    if (result_count(&result) == 0)
        return STATUS_OK;
    out->current = true;
    out->run_state = result_text(&result, 0, 0, tx->arena);
    return out->run_state == NULL ? err_set(err, STATUS_NO_MEMORY, "no memory for a run's state") : STATUS_OK;
}

enum status store_open_run(struct store_tx *tx, const char *sweep_id, const char *run_id, int32_t attempt,
                           const char *agent_id, int64_t started_us, int64_t lease_ms,
                           struct store_open_attempt *out, struct err *err)
{
    struct opened opened;
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_text(&params, run_id);
    params_i32(&params, attempt);
    params_text(&params, agent_id);
    params_bool(&params, started_us != 0);
    params_i64(&params, lease_ms);
    TRY(query_row(tx, QUERY_OPEN_RUN, &params, SHAPE(struct opened, OPENED_FIELDS), &opened,
                  "no such attempt of a run", err));
    if (strcmp(opened.agent_id, agent_id) != 0)
        return err_set(err, STATUS_NOT_FOUND, "attempt %d of run %s belongs to agent %s", (int)attempt,
                       run_id, opened.agent_id);
    *out = (struct store_open_attempt){
        .current = opened.current, .last_sequence = opened.last_sequence, .run_state = opened.state};
    if (opened.revivable)
        return revive(tx, sweep_id, run_id, attempt, started_us != 0, lease_ms, out, err);
    return STATUS_OK;
}

static const struct field KEY_FIELDS[] = {
    FIELD(TEXT, struct store_attempt, sweep_id),
    FIELD(TEXT, struct store_attempt, run_id),
    FIELD(I32, struct store_attempt, attempt),
};
static const struct field STATE_FIELDS[] = {
    FIELD(BOOL, struct store_attempt, found),
    FIELD(BOOL, struct store_attempt, current),
    FIELD(BOOL, struct store_attempt, ended),
    FIELD(I64, struct store_attempt, last_sequence),
    FIELD(I64, struct store_attempt, metric_rows),
    FIELD(I64, struct store_attempt, log_bytes),
    FIELD(I64, struct store_attempt, dropped_lines),
    FIELD_WITH(MAYBE_F64, struct store_attempt, best_value, has_best),
    FIELD(BOOL, struct store_attempt, preempting),
    FIELD(BOOL, struct store_attempt, was_preempting),
    FIELD(I32, struct store_attempt, bands_reached),
    FIELD(I64, struct store_attempt, next_step),
    FIELD(BOOL, struct store_attempt, has_facts),
    FIELD(F64, struct store_attempt, metric_total),
};
static const struct field SAVED_FIELDS[] = {
    FIELD(I64, struct store_attempt, last_sequence),
    FIELD(I64, struct store_attempt, metric_rows),
    FIELD(I64, struct store_attempt, log_bytes),
    FIELD(I64, struct store_attempt, dropped_lines),
    FIELD_WITH(MAYBE_F64, struct store_attempt, best_value, has_best),
    FIELD(BOOL, struct store_attempt, preempting),
    FIELD(I32, struct store_attempt, bands_reached),
    FIELD(I64, struct store_attempt, next_step),
    FIELD(BOOL, struct store_attempt, has_facts),
    FIELD(F64, struct store_attempt, metric_total),
};
static const struct field MARK_FIELDS[] = {
    FIELD(TEXT, struct store_attempt, sweep_id),
    FIELD(TEXT, struct store_attempt, run_id),
    FIELD(I32, struct store_attempt, attempt),
    FIELD(BOOL, struct store_attempt, preempting),
};

enum status store_lock_attempts(struct store_tx *tx, struct store_attempt *keys, size_t count,
                                struct err *err)
{
    CLEANUP(result_clear) struct result result = {NULL};
    struct params params = params_begin(tx);
    params_columns(&params, SHAPE(struct store_attempt, KEY_FIELDS), keys, count);
    TRY(query_run(tx, QUERY_LOCK_ATTEMPTS, &params, &result, err));
    for (size_t i = 0; i < count; i++)
        keys[i].found = keys[i].current = keys[i].ended = false;
    for (int row = 0; row < result_count(&result); row++) {
        size_t i = (size_t)result_i64(&result, row, 0) - 1;
        TRY(result_row(&result, row, 1, SHAPE(struct store_attempt, STATE_FIELDS), &keys[i], tx->arena, err));
    }
    return STATUS_OK;
}

static bool any_mark_changed(const struct store_attempt *attempts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (attempts[i].current && attempts[i].preempting != attempts[i].was_preempting)
            return true;
    return false;
}

enum status store_save_attempts(struct store_tx *tx, const struct store_attempt *attempts, size_t count,
                                int64_t lease_ms, struct err *err)
{
    struct params params = params_begin(tx);
    params_columns(&params, SHAPE(struct store_attempt, KEY_FIELDS), attempts, count);
    params_columns(&params, SHAPE(struct store_attempt, SAVED_FIELDS), attempts, count);
    params_i64(&params, lease_ms);
    if (any_mark_changed(attempts, count)) {
        struct params marks = params_begin(tx);
        params_columns(&marks, SHAPE(struct store_attempt, MARK_FIELDS), attempts, count);
        TRY(query_change(tx, QUERY_MARK_PREEMPTING, &marks, NULL, err));
    }
    return query_change(tx, QUERY_SAVE_ATTEMPTS, &params, NULL, err);
}

static const struct field LEASE_FIELDS[] = {
    FIELD(TEXT, struct store_lease_key, sweep_id),
    FIELD(TEXT, struct store_lease_key, run_id),
    FIELD(I32, struct store_lease_key, attempt),
};

enum status store_renew_leases(struct store_tx *tx, const struct store_lease_key *keys, size_t count,
                               int64_t lease_ms, struct err *err)
{
    struct params params = params_begin(tx);
    params_columns(&params, SHAPE(struct store_lease_key, LEASE_FIELDS), keys, count);
    params_i64(&params, lease_ms);
    return query_change(tx, QUERY_RENEW_LEASES, &params, NULL, err);
}
