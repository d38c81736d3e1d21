// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "db/store/decisions.h"
#include "db/store/directives.h"
#include "db/store/query.h"
#include "db/store/stops.h"

static const struct field FIELDS[] = {
    FIELD(TEXT, struct store_verdict, run_id),     FIELD(I64, struct store_verdict, ordinal),
    FIELD(I64, struct store_verdict, cohort),      FIELD(I32, struct store_verdict, bracket),
    FIELD(I32, struct store_verdict, band_index),  FIELD(I64, struct store_verdict, band),
    FIELD(I64, struct store_verdict, number),      FIELD(BOOL, struct store_verdict, promoted),
    FIELD(I64, struct store_verdict, rank),        FIELD(I64, struct store_verdict, planned),
    FIELD(F64, struct store_verdict, value),       FIELD(F64, struct store_verdict, threshold),
    FIELD(TIME, struct store_verdict, decided_us),
};
#define VERDICT SHAPE(struct store_verdict, FIELDS)
/* Without the time, which the database knows. */
#define WRITTEN_VERDICT ((struct shape){FIELDS, (int)ARRAY_LEN(FIELDS) - 1, sizeof(struct store_verdict)})

/* What is to become of a run. */
struct change {
    const char *run_id, *what, *reason;
    int32_t band_index;
};
static const struct field CHANGE_FIELDS[] = {
    FIELD(TEXT, struct change, run_id),
    FIELD(TEXT, struct change, what),
    FIELD(I32, struct change, band_index),
};

/* The verdict on the run in this batch is about a rung at or beyond the one at which it is to pause. */
static bool is_judged(const struct store_verdicts *verdicts, const struct store_decision *decision)
{
    for (size_t i = 0; i < verdicts->verdict_count; i++)
        if (strcmp(verdicts->verdicts[i].run_id, decision->run_id) == 0 &&
            (!verdicts->verdicts[i].promoted || verdicts->verdicts[i].band_index >= decision->band_index))
            return true;
    return false;
}

static size_t list_changes(const struct store_verdicts *verdicts, struct change *out)
{
    size_t count = 0;
    for (size_t i = 0; i < verdicts->decision_count; i++) {
        const struct store_decision *decision = &verdicts->decisions[i];
        if ((decision->pause && !is_judged(verdicts, decision)) || decision->stop)
            out[count++] = (struct change){.run_id = decision->run_id,
                                           .what = decision->stop ? "stop" : "pause",
                                           .reason = decision->reason,
                                           .band_index = decision->band_index};
    }
    for (size_t i = 0; i < verdicts->verdict_count; i++) {
        const struct store_verdict *verdict = &verdicts->verdicts[i];
        if (verdict->run_id[0] != '\0')
            out[count++] = (struct change){.run_id = verdict->run_id,
                                           .what = verdict->promoted ? "promote" : "stop",
                                           .reason = verdict->reason,
                                           .band_index = verdict->band_index};
    }
    return count;
}

/* Each run once, the first of its changes of that kind. */
static size_t list_orders(const struct change *changes, size_t count, const char *what, struct order *out)
{
    size_t orders = 0;
    for (size_t i = 0; i < count; i++) {
        bool known = strcmp(changes[i].what, what) != 0;
        for (size_t k = 0; k < orders && !known; k++)
            known = strcmp(out[k].run_id, changes[i].run_id) == 0;
        if (!known)
            out[orders++] = (struct order){.run_id = changes[i].run_id, .reason = changes[i].reason};
    }
    return orders;
}

static enum status lock_runs(struct store_tx *tx, const char *sweep_id, const struct change *changes,
                             size_t count, struct err *err)
{
    struct params params = params_begin(tx);
    const char **ids = arena_calloc(tx->arena, count + 1, sizeof(*ids));
    const char **locked;
    size_t locked_count;
    if (ids == NULL)
        return err_set(err, STATUS_NO_MEMORY, "no memory for %zu verdicts", count);
    for (size_t i = 0; i < count; i++)
        ids[i] = changes[i].run_id;
    params_text(&params, sweep_id);
    params_texts(&params, ids, count);
    return query_texts(tx, QUERY_LOCK_RUNS, &params, &locked, &locked_count, err);
}

static enum status settle(struct store_tx *tx, const char *sweep_id, const struct change *changes,
                          size_t count, int64_t *changed, struct err *err)
{
    struct params params = params_begin(tx);
    TRY(lock_runs(tx, sweep_id, changes, count, err));
    params_text(&params, sweep_id);
    params_columns(&params, SHAPE(struct change, CHANGE_FIELDS), changes, count);
    return query_change(tx, QUERY_SETTLE_RUNS, &params, changed, err);
}

struct told {
    const char **agents;
    size_t agent_count;
    int64_t orders;
};

static enum status give_orders(struct store_tx *tx, const char *sweep_id, const char *what, const char *kind,
                               const struct change *changes, size_t count, struct told *told, struct err *err)
{
    struct order *orders = arena_calloc(tx->arena, count + 1, sizeof *orders);
    struct ordered *ordered;
    size_t ordered_count;
    if (orders == NULL)
        return err_set(err, STATUS_NO_MEMORY, "no memory for %zu orders", count);
    size_t order_count = list_orders(changes, count, what, orders);
    if (order_count == 0)
        return STATUS_OK;
    TRY(directives_add(tx, sweep_id, kind, orders, order_count, &ordered, &ordered_count, err));
    for (size_t i = 0; i < ordered_count; i++) {
        told->orders += ordered[i].fresh;
        told->agents[told->agent_count++] = ordered[i].agent_id;
    }
    return STATUS_OK;
}

static enum status write_verdicts(struct store_tx *tx, const struct store_verdicts *verdicts, int64_t decided,
                                  struct err *err)
{
    struct store_verdict *fresh = arena_calloc(tx->arena, verdicts->verdict_count + 1, sizeof *fresh);
    size_t count = 0;
    if (fresh == NULL)
        return err_set(err, STATUS_NO_MEMORY, "no memory for %zu verdicts", verdicts->verdict_count);
    for (size_t i = 0; i < verdicts->verdict_count; i++)
        if (verdicts->verdicts[i].number > decided)
            fresh[count++] = verdicts->verdicts[i];
    if (count == 0)
        return STATUS_OK;
    struct params params = params_begin(tx);
    params_text(&params, verdicts->sweep_id);
    params_i64(&params, verdicts->epoch);
    params_columns(&params, WRITTEN_VERDICT, fresh, count);
    return query_change(tx, QUERY_RECORD_VERDICTS, &params, NULL, err);
}

enum status store_record_verdicts(struct store_tx *tx, const struct store_verdicts *verdicts,
                                  int64_t *changed, const char ***agent_ids, size_t *agent_count,
                                  struct err *err)
{
    const char *sweep_id = verdicts->sweep_id;
    size_t most = verdicts->decision_count + verdicts->verdict_count;
    struct change *changes = arena_calloc(tx->arena, most + 1, sizeof *changes);
    struct told told = {.agents = arena_calloc(tx->arena, 2 * most + 1, sizeof(*told.agents))};
    int64_t decided;
    *changed = 0;
    if (changes == NULL || told.agents == NULL)
        return err_set(err, STATUS_NO_MEMORY, "no memory for %zu decisions", most);
    TRY(decisions_lock(tx, sweep_id, verdicts->owner, verdicts->epoch, &decided, err));
    TRY(decisions_write(tx, sweep_id, verdicts->epoch, decided, verdicts->decided, verdicts->decisions,
                        verdicts->decision_count, err));
    TRY(write_verdicts(tx, verdicts, decided, err));
    size_t count = list_changes(verdicts, changes);
    if (count > 0) {
        TRY(settle(tx, sweep_id, changes, count, changed, err));
        TRY(give_orders(tx, sweep_id, "stop", "stop_early", changes, count, &told, err));
        TRY(give_orders(tx, sweep_id, "pause", "pause", changes, count, &told, err));
    }
    *changed += told.orders;
    *agent_ids = told.agents;
    *agent_count = told.agent_count;
    return STATUS_OK;
}

enum status store_list_verdicts(struct store_tx *tx, const char *sweep_id, const char *run_id,
                                struct store_verdict **out, size_t *count, struct err *err)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_text(&params, run_id);
    return query_rows(tx, QUERY_LIST_VERDICTS, &params, VERDICT, out, count, err);
}

enum status store_close_cohorts(struct store_tx *tx, const char ***sweep_ids, size_t *count, struct err *err)
{
    struct params none = params_begin(tx);
    TRY(query_texts(tx, QUERY_LOCK_OPEN_COHORTS, &none, sweep_ids, count, err));
    for (size_t i = 0; i < *count; i++) {
        struct params params = params_begin(tx);
        params_text(&params, (*sweep_ids)[i]);
        TRY(query_change(tx, QUERY_CLOSE_COHORTS, &params, NULL, err));
    }
    return STATUS_OK;
}

enum status store_end_paused_runs(struct store_tx *tx, const char *sweep_id, const char *state,
                                  const char *reason, struct err *err)
{
    struct params params = params_begin(tx);
    params_text(&params, sweep_id);
    params_text(&params, state);
    params_text(&params, reason);
    return query_change(tx, QUERY_END_PAUSED_RUNS, &params, NULL, err);
}

enum status store_list_left_paused(struct store_tx *tx, struct store_left_paused **out, size_t *count,
                                   struct err *err)
{
    static const struct field LEFT_FIELDS[] = {FIELD(TEXT, struct store_left_paused, sweep_id),
                                               FIELD(TEXT, struct store_left_paused, state)};
    struct params params = params_begin(tx);
    return query_rows(tx, QUERY_LIST_LEFT_PAUSED, &params, SHAPE(struct store_left_paused, LEFT_FIELDS), out,
                      count, err);
}
