// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "db/store/query.h"
#include "db/store/sweeps.h"

enum status store_take_refill(struct store_tx *tx, const char *sweep_id, const char *owner, int64_t hold_ms,
                              bool *taken, int64_t *epoch, struct err *err)
{
    CLEANUP(result_clear) struct result result = {NULL};
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_text(&params, owner);
    params_i64(&params, hold_ms);
    TRY(query_run(tx, QUERY_TAKE_REFILL, &params, &result, err));
    *taken = result_count(&result) == 1;
    *epoch = *taken ? result_i64(&result, 0, 0) : 0;
    return STATUS_OK;
}

static const struct field NEED_FIELDS[] = {
    FIELD(TEXT, struct store_refill_need, sweep_id),     FIELD(I64, struct store_refill_need, queued),
    FIELD(I64, struct store_refill_need, next_ordinal),  FIELD(I32, struct store_refill_need, spec_version),
    FIELD(I64, struct store_refill_need, result_cursor), FIELD(I64, struct store_refill_need, room),
    FIELD(BOOL, struct store_refill_need, learns),       FIELD(I64, struct store_refill_need, stale),
};

enum status store_list_refill_needs(struct store_tx *tx, int64_t low_water, struct store_refill_need **out,
                                    size_t *count, struct err *err)
{
    struct params params = params_begin(tx);
    params_i64(&params, low_water);
    return query_rows(tx, QUERY_LIST_REFILL_NEEDS, &params, SHAPE(struct store_refill_need, NEED_FIELDS), out,
                      count, err);
}

/* The rows under whose lock runs are inserted. */
struct queue_state {
    const char *state, *owner;
    int64_t next_ordinal, run_cap, prepared, epoch;
    int32_t spec_version;
    bool exhausted;
};
static const struct field QUEUE_FIELDS[] = {
    FIELD(TEXT, struct queue_state, state),     FIELD(I64, struct queue_state, next_ordinal),
    FIELD(BOOL, struct queue_state, exhausted), FIELD(I64, struct queue_state, run_cap),
    FIELD(I64, struct queue_state, prepared),   FIELD(I32, struct queue_state, spec_version),
    FIELD(TEXT, struct queue_state, owner),     FIELD(I64, struct queue_state, epoch),
};

static enum status check_queue(const struct queue_state *queue, const char *owner, int64_t epoch,
                               int32_t spec_version, const struct store_new_run *runs, size_t count,
                               struct err *err)
{
    if (queue->epoch != epoch || strcmp(queue->owner, owner) != 0)
        return err_set(err, STATUS_CONFLICT, "the refill belongs to %s (epoch %lld) now", queue->owner,
                       (long long)queue->epoch);
    if (strcmp(queue->state, "pending") != 0 && strcmp(queue->state, "running") != 0)
        return err_set(err, STATUS_CONFLICT, "the sweep is %s now", queue->state);
    if (queue->exhausted && count > 0)
        return err_set(err, STATUS_PRECONDITION, "nothing more can be suggested");
    if (queue->spec_version != spec_version)
        return err_set(err, STATUS_CONFLICT, "the sweep's spec is at version %d now",
                       (int)queue->spec_version);
    if (count > 0 && runs[0].ordinal != queue->next_ordinal)
        return err_set(err, STATUS_CONFLICT, "the next ordinal is %lld now", (long long)queue->next_ordinal);
    return STATUS_OK;
}

static const struct field RUN_FIELDS[] = {
    FIELD(TEXT, struct store_new_run, run_id),      FIELD(I64, struct store_new_run, ordinal),
    FIELD(TEXT, struct store_new_run, params_json), FIELD(TEXT, struct store_new_run, why_json),
    FIELD(HASH, struct store_new_run, config_hash), FIELD(I64, struct store_new_run, run_seed),
};

static enum status lock_queue(struct store_tx *tx, const char *sweep_id, struct queue_state *out,
                              struct err *err)
{
    struct params key = params_begin(tx);
    params_text(&key, sweep_id);
    return query_row(tx, QUERY_LOCK_REFILL, &key, SHAPE(struct queue_state, QUEUE_FIELDS), out,
                     "no such sweep", err);
}

enum status store_insert_runs(struct store_tx *tx, const char *sweep_id, const char *owner, int64_t epoch,
                              int32_t spec_version, int64_t result_cursor, bool unique_config,
                              const struct store_new_run *runs, size_t count, bool exhausted,
                              int64_t *inserted, struct err *err)
{
    struct queue_state queue;
    TRY(lock_queue(tx, sweep_id, &queue, err));
    TRY(check_queue(&queue, owner, epoch, spec_version, runs, count, err));
    size_t taken = count;
    if (queue.run_cap > 0 && (int64_t)count > queue.run_cap - queue.prepared)
        taken = queue.run_cap > queue.prepared ? (size_t)(queue.run_cap - queue.prepared) : 0;
    int64_t used_up = taken == 0 ? 0 : runs[taken - 1].ordinal + 1 - queue.next_ordinal;
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_i32(&params, spec_version);
    params_i64(&params, result_cursor);
    params_bool(&params, unique_config);
    params_i64(&params, epoch);
    params_bool(&params, exhausted && taken == count);
    params_i64(&params, used_up);
    params_columns(&params, SHAPE(struct store_new_run, RUN_FIELDS), runs, taken);
    CLEANUP(result_clear) struct result result = {NULL};
    TRY(query_run(tx, QUERY_INSERT_RUNS, &params, &result, err));
    *inserted = result_count(&result) == 1 ? result_i64(&result, 0, 0) : 0;
    return STATUS_OK;
}

static const struct field DROP_FIELDS[] = {
    FIELD(I64, struct store_queue, dropped),       FIELD(I64, struct store_queue, queued),
    FIELD(I64, struct store_queue, next_ordinal),  FIELD(I32, struct store_queue, spec_version),
    FIELD(I64, struct store_queue, result_cursor), FIELD(I64, struct store_queue, room),
    FIELD(BOOL, struct store_queue, exhausted),
};

enum status store_drop_stale_runs(struct store_tx *tx, const char *sweep_id, const char *owner, int64_t epoch,
                                  struct store_queue *out, struct err *err)
{
    struct queue_state queue;
    TRY(lock_queue(tx, sweep_id, &queue, err));
    TRY(check_queue(&queue, owner, epoch, queue.spec_version, NULL, 0, err));
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    return query_row(tx, QUERY_DROP_STALE_RUNS, &params, SHAPE(struct store_queue, DROP_FIELDS), out,
                     "no such sweep", err);
}

enum status store_keep_runs(struct store_tx *tx, const char *sweep_id, int64_t first_ordinal, int64_t more,
                            struct err *err)
{
    CLEANUP(result_clear) struct result result = {NULL};
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_i64(&params, first_ordinal);
    params_i64(&params, more);
    return query_run(tx, QUERY_KEEP_RUNS, &params, &result, err);
}

enum status store_release_refill(struct store_tx *tx, const char *sweep_id, const char *owner,
                                 struct err *err)
{
    CLEANUP(result_clear) struct result result = {NULL};
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_text(&params, owner);
    return query_run(tx, QUERY_RELEASE_REFILL, &params, &result, err);
}
