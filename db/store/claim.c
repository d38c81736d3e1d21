// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "db/store/query.h"
#include "db/store/runs.h"
#include "db/store/sweeps.h"

static const struct field KEY_FIELDS[] = {
    FIELD(TEXT, struct store_claim_key, agent_id),
    FIELD(I32, struct store_claim_key, slot),
    FIELD(I64, struct store_claim_key, counter),
};
static const int VERDICT_COLUMN = 0, FIRST_CLAIM_COLUMN = 1, FIRST_SWEEP_COLUMN = 10;
static const struct field CLAIM_FIELDS[] = {
    FIELD(TEXT, struct store_claim, run_id),   FIELD(TEXT, struct store_claim, params_json),
    FIELD(I32, struct store_claim, attempt),   FIELD(I32, struct store_claim, spec_version),
    FIELD(I64, struct store_claim, ordinal),   FIELD(I64, struct store_claim, run_seed),
    FIELD(BOOL, struct store_claim, started),  FIELD(BOOL, struct store_claim, fresh),
    FIELD(I64, struct store_claim, next_step),
};
static const struct field SWEEP_FIELDS[] = {
    FIELD(TEXT, struct store_claim_sweep, state),
    FIELD(TEXT, struct store_claim_sweep, state_reason),
    FIELD(BOOL, struct store_claim_sweep, exhausted),
    FIELD(I64, struct store_claim_sweep, concurrency),
};
static const struct field COUNT_FIELDS[] = {
    FIELD(I64, struct store_claim_sweep, queued),   FIELD(I64, struct store_claim_sweep, live),
    FIELD(I64, struct store_claim_sweep, running),  FIELD(I64, struct store_claim_sweep, handed_out),
    FIELD(I64, struct store_claim_sweep, expected),
};

static enum status read_claims(struct store_tx *tx, const struct result *result, struct store_claim *claims,
                               bool *any_without, struct err *err)
{
    *any_without = false;
    for (int row = 0; row < result_count(result); row++) {
        struct store_claim *claim = &claims[row];
        memset(claim, 0, sizeof *claim);
        TRY(result_row(result, row, FIRST_CLAIM_COLUMN, SHAPE(struct store_claim, CLAIM_FIELDS), claim,
                       tx->arena, err));
        claim->verdict = (enum store_claim_verdict)result_i32(result, row, VERDICT_COLUMN);
        *any_without |= claim->verdict == STORE_CLAIM_NONE;
    }
    return STATUS_OK;
}

static enum status read_counts(struct store_tx *tx, const char *sweep_id, struct store_claim_sweep *sweep,
                               struct err *err)
{
    CLEANUP(result_clear) struct result result = {NULL};
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    TRY(query_run(tx, QUERY_READ_CLAIM_SWEEP, &params, &result, err));
    if (result_count(&result) == 0)
        return err_set(err, STATUS_NOT_FOUND, "no such sweep: %s", sweep_id);
    return result_row(&result, 0, 0, SHAPE(struct store_claim_sweep, COUNT_FIELDS), sweep, tx->arena, err);
}

int64_t store_claim_room(const struct store_claim_sweep *sweep)
{
    int64_t room = sweep->concurrency - sweep->running;
    if (sweep->concurrency == 0 || room > sweep->queued)
        return sweep->queued;
    return room > 0 ? room : 0;
}

/* Attempts after the first take over how far those before them came. */
static enum status inherit(struct store_tx *tx, const char *sweep_id, struct store_claim *claims,
                           size_t count, struct err *err)
{
    static const struct field FIELDS[] = {
        FIELD(TEXT, struct store_claim, run_id),
        FIELD(I32, struct store_claim, attempt),
    };
    CLEANUP(result_clear) struct result result = {NULL};
    struct params params = params_begin(tx);
    struct store_claim *later = arena_calloc(tx->arena, count + 1, sizeof *later);
    size_t *places = arena_calloc(tx->arena, count + 1, sizeof *places), later_count = 0;
    if (later == NULL || places == NULL)
        return err_set(err, STATUS_NO_MEMORY, "no memory for %zu claims", count);
    for (size_t i = 0; i < count; i++)
        if (claims[i].fresh && claims[i].attempt > 1) {
            later[later_count] = claims[i];
            places[later_count++] = i;
        }
    if (later_count == 0)
        return STATUS_OK;
    params_text(&params, sweep_id);
    params_columns(&params, SHAPE(struct store_claim, FIELDS), later, later_count);
    TRY(query_run(tx, QUERY_INHERIT_ATTEMPTS, &params, &result, err));
    for (int row = 0; row < result_count(&result); row++)
        claims[places[result_i64(&result, row, 0) - 1]].next_step = result_i64(&result, row, 1);
    return STATUS_OK;
}

/* `locked`: the sweep's row was locked by a statement before this one. */
static enum status claim(struct store_tx *tx, const char *sweep_id, const struct store_claim_key *keys,
                         size_t count, int64_t lease_ms, bool locked, struct store_claim *claims,
                         struct store_claim_sweep *sweep, bool *any_without, struct err *err)
{
    CLEANUP(result_clear) struct result result = {NULL};
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_i64(&params, lease_ms);
    params_columns(&params, SHAPE(struct store_claim_key, KEY_FIELDS), keys, count);
    params_bool(&params, locked);
    memset(sweep, 0, sizeof *sweep);
    *any_without = false;
    TRY(query_run(tx, QUERY_CLAIM_RUNS, &params, &result, err));
    if ((size_t)result_count(&result) != count)
        return err_set(err, STATUS_NOT_FOUND, "no such sweep: %s", sweep_id);
    if (count == 0)
        return STATUS_OK;
    TRY(read_claims(tx, &result, claims, any_without, err));
    TRY(inherit(tx, sweep_id, claims, count, err));
    TRY(result_row(&result, 0, FIRST_SWEEP_COLUMN, SHAPE(struct store_claim_sweep, SWEEP_FIELDS), sweep,
                   tx->arena, err));
    return *any_without ? read_counts(tx, sweep_id, sweep, err) : STATUS_OK;
}

enum status store_claim_runs(struct store_tx *tx, const char *sweep_id, const struct store_claim_key *keys,
                             size_t count, int64_t lease_ms, struct store_claim *claims,
                             struct store_claim_sweep *sweep, struct err *err)
{
    bool any_without;
    TRY(claim(tx, sweep_id, keys, count, lease_ms, false, claims, sweep, &any_without, err));
    if (!any_without || sweep->concurrency == 0 || store_claim_room(sweep) == 0)
        return STATUS_OK;
    struct store_sweep locked;
    TRY(store_get_sweep(tx, sweep_id, true, &locked, err));
    return claim(tx, sweep_id, keys, count, lease_ms, true, claims, sweep, &any_without, err);
}

enum status store_submit_run(struct store_tx *tx, const struct store_submission *submission, int64_t lease_ms,
                             struct err *err)
{
    static const struct field FIELDS[] = {
        FIELD(TEXT, struct store_submission, sweep_id),     FIELD(TEXT, struct store_submission, run_id),
        FIELD(TEXT, struct store_submission, key.agent_id), FIELD(I32, struct store_submission, key.slot),
        FIELD(I64, struct store_submission, key.counter),   FIELD(I64, struct store_submission, ordinal),
        FIELD(TEXT, struct store_submission, params_json),  FIELD(HASH, struct store_submission, config_hash),
        FIELD(I64, struct store_submission, run_seed),      FIELD(TEXT, struct store_submission, name),
    };
    struct params params = params_begin(tx);
    params_row(&params, SHAPE(struct store_submission, FIELDS), submission);
    params_i64(&params, lease_ms);
    return query_change(tx, QUERY_SUBMIT_RUN, &params, NULL, err);
}

enum status store_get_claim_sweep(struct store_tx *tx, const char *sweep_id, struct store_claim_sweep *out,
                                  struct err *err)
{
    CLEANUP(result_clear) struct result result = {NULL};
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    memset(out, 0, sizeof *out);
    TRY(query_run(tx, QUERY_READ_CLAIM_SWEEP, &params, &result, err));
    if (result_count(&result) == 0)
        return err_set(err, STATUS_NOT_FOUND, "no such sweep: %s", sweep_id);
    TRY(result_row(&result, 0, 0, SHAPE(struct store_claim_sweep, COUNT_FIELDS), out, tx->arena, err));
    return result_row(&result, 0, (int)ARRAY_LEN(COUNT_FIELDS), SHAPE(struct store_claim_sweep, SWEEP_FIELDS),
                      out, tx->arena, err);
}
