// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "db/store/decisions.h"
#include "db/store/directives.h"
#include "db/store/query.h"
#include "db/store/stops.h"

static const struct field VALUE_FIELDS[] = {
    FIELD(TEXT, struct store_rung_value, sweep_id), FIELD(TEXT, struct store_rung_value, run_id),
    FIELD(I32, struct store_rung_value, attempt),   FIELD(I32, struct store_rung_value, band_index),
    FIELD(I64, struct store_rung_value, band),      FIELD(F64, struct store_rung_value, value),
    FIELD(F64, struct store_rung_value, best),      FIELD(F64, struct store_rung_value, mean),
};
static const struct field NUMBERED_FIELDS[] = {
    FIELD(TEXT, struct store_rung_value, sweep_id),  FIELD(TEXT, struct store_rung_value, run_id),
    FIELD(I64, struct store_rung_value, number),     FIELD(I32, struct store_rung_value, attempt),
    FIELD(I32, struct store_rung_value, band_index), FIELD(I64, struct store_rung_value, band),
    FIELD(F64, struct store_rung_value, value),      FIELD(F64, struct store_rung_value, best),
    FIELD(F64, struct store_rung_value, mean),       FIELD(TEXT, struct store_rung_value, kind),
    FIELD(I64, struct store_rung_value, ordinal),    FIELD(I64, struct store_rung_value, age_us),
};
#define DECISION_FIELDS                                                                            \
    FIELD(TEXT, struct store_decision, run_id), FIELD(TEXT, struct store_decision, rivals_json),   \
        FIELD(TEXT, struct store_decision, reason), FIELD(I64, struct store_decision, number),     \
        FIELD(I64, struct store_decision, band), FIELD(I64, struct store_decision, reached),       \
        FIELD(I32, struct store_decision, attempt), FIELD(I32, struct store_decision, band_index), \
        FIELD(F64, struct store_decision, value), FIELD(F64, struct store_decision, compared),     \
        FIELD(F64, struct store_decision, threshold), FIELD(BOOL, struct store_decision, stop),    \
        FIELD(BOOL, struct store_decision, pause), FIELD(I64, struct store_decision, cohort),      \
        FIELD(I32, struct store_decision, bracket), FIELD(I64, struct store_decision, planned)
static const struct field WRITTEN_FIELDS[] = {DECISION_FIELDS};
static const struct field READ_FIELDS[] = {
    FIELD(TEXT, struct store_decision, sweep_id),
    DECISION_FIELDS,
    FIELD(TIME, struct store_decision, decided_us),
};

enum status store_add_rung_values(struct store_tx *tx, struct store_rung_value *rows, size_t count,
                                  struct err *err)
{
    CLEANUP(result_clear) struct result result = {NULL};
    struct params params = params_begin(tx);
    params_columns(&params, SHAPE(struct store_rung_value, VALUE_FIELDS), rows, count);
    TRY(query_run(tx, QUERY_ADD_RUNG_VALUES, &params, &result, err));
    if ((size_t)result_count(&result) != count)
        return err_set(err, STATUS_NOT_FOUND, "a rung value's sweep is gone");
    for (size_t i = 0; i < count; i++)
        rows[i].number = result_i64(&result, (int)i, 0);
    return STATUS_OK;
}

enum status store_list_rung_values(struct store_tx *tx, const char *sweep_id, int64_t after, int limit,
                                   struct store_rung_value **out, size_t *count, struct err *err)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_i64(&params, after);
    params_i32(&params, limit);
    return query_rows(tx, QUERY_LIST_RUNG_VALUES, &params, SHAPE(struct store_rung_value, NUMBERED_FIELDS),
                      out, count, err);
}

enum status store_list_undecided(struct store_tx *tx, const char ***sweep_ids, size_t *count, struct err *err)
{
    struct params params = params_begin(tx);
    return query_texts(tx, QUERY_LIST_UNDECIDED, &params, sweep_ids, count, err);
}

enum status store_take_decider(struct store_tx *tx, const char *sweep_id, const char *owner, int64_t hold_ms,
                               bool *taken, int64_t *epoch, int64_t *decided, struct err *err)
{
    CLEANUP(result_clear) struct result result = {NULL};
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_text(&params, owner);
    params_i64(&params, hold_ms);
    TRY(query_run(tx, QUERY_TAKE_DECIDER, &params, &result, err));
    *taken = result_count(&result) == 1;
    *epoch = *taken ? result_i64(&result, 0, 0) : 0;
    *decided = *taken ? result_i64(&result, 0, 1) : 0;
    return STATUS_OK;
}

/* The decider row, locked. */
struct decider {
    const char *owner;
    int64_t epoch, decided;
};

enum status decisions_lock(struct store_tx *tx, const char *sweep_id, const char *owner, int64_t epoch,
                           int64_t *decided, struct err *err)
{
    static const struct field FIELDS[] = {
        FIELD(TEXT, struct decider, owner),
        FIELD(I64, struct decider, epoch),
        FIELD(I64, struct decider, decided),
    };
    struct params params = params_begin(tx);
    struct decider decider;
    params_text(&params, sweep_id);
    TRY(query_row(tx, QUERY_LOCK_DECIDER, &params, SHAPE(struct decider, FIELDS), &decider, "no such sweep",
                  err));
    if (decider.epoch != epoch || strcmp(decider.owner, owner) != 0)
        return err_set(err, STATUS_CONFLICT, "the stops are decided by %s (epoch %lld) now", decider.owner,
                       (long long)decider.epoch);
    *decided = decider.decided;
    return STATUS_OK;
}

/* Those after `decided`: a transaction that is run again after its COMMIT was lost finds its own. */
enum status decisions_write(struct store_tx *tx, const char *sweep_id, int64_t epoch, int64_t decided,
                            int64_t up_to, const struct store_decision *decisions, size_t count,
                            struct err *err)
{
    struct store_decision *fresh = arena_calloc(tx->arena, count + 1, sizeof *fresh);
    size_t fresh_count = 0;
    if (fresh == NULL)
        return err_set(err, STATUS_NO_MEMORY, "no memory for %zu decisions", count);
    for (size_t i = 0; i < count; i++)
        if (decisions[i].number > decided)
            fresh[fresh_count++] = decisions[i];
    if (up_to <= decided)
        return STATUS_OK;
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_i64(&params, epoch);
    params_i64(&params, up_to);
    params_columns(&params, SHAPE(struct store_decision, WRITTEN_FIELDS), fresh, fresh_count);
    return query_change(tx, QUERY_RECORD_DECISIONS, &params, NULL, err);
}

/* One order for each attempt, the first that stops it. */
static size_t collect_stops(const struct store_decision *decisions, size_t count, struct order *orders)
{
    size_t stops = 0;
    for (size_t i = 0; i < count; i++) {
        bool known = !decisions[i].stop;
        for (size_t k = 0; k < stops && !known; k++)
            known = strcmp(orders[k].run_id, decisions[i].run_id) == 0 &&
                    orders[k].attempt == decisions[i].attempt;
        if (!known)
            orders[stops++] = (struct order){.run_id = decisions[i].run_id,
                                             .reason = decisions[i].reason,
                                             .attempt = decisions[i].attempt};
    }
    return stops;
}

enum status store_record_decisions(struct store_tx *tx, const char *sweep_id, const char *owner,
                                   int64_t epoch, const struct store_decision *decisions, size_t count,
                                   int64_t *stops, const char ***agent_ids, size_t *agent_count,
                                   struct err *err)
{
    int64_t decided, up_to = count > 0 ? decisions[count - 1].number : 0;
    TRY(decisions_lock(tx, sweep_id, owner, epoch, &decided, err));
    TRY(decisions_write(tx, sweep_id, epoch, decided, up_to, decisions, count, err));
    struct order *orders = arena_calloc(tx->arena, count + 1, sizeof *orders);
    const char **agents = arena_calloc(tx->arena, count + 1, sizeof *agents);
    if (orders == NULL || agents == NULL)
        return err_set(err, STATUS_NO_MEMORY, "no memory for %zu decisions", count);
    *stops = 0;
    *agent_ids = agents;
    *agent_count = 0;
    size_t order_count = collect_stops(decisions, count, orders), ordered_count;
    if (order_count == 0)
        return STATUS_OK;
    struct ordered *ordered;
    TRY(directives_add(tx, sweep_id, "stop_early", orders, order_count, &ordered, &ordered_count, err));
    for (size_t i = 0; i < ordered_count; i++) {
        *stops += ordered[i].fresh;
        if (i == 0 || strcmp(ordered[i].agent_id, ordered[i - 1].agent_id) != 0)
            agents[(*agent_count)++] = ordered[i].agent_id;
    }
    return STATUS_OK;
}

enum status store_list_decisions(struct store_tx *tx, const char *sweep_id, const char *run_id,
                                 struct store_decision **out, size_t *count, struct err *err)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_text(&params, run_id);
    return query_rows(tx, QUERY_LIST_DECISIONS, &params, SHAPE(struct store_decision, READ_FIELDS), out,
                      count, err);
}
