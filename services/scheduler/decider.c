// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/scheduler/decider.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/store/stops.h"
#include "db/store/sweeps.h"
#include "services/scheduler/cohorts.h"
#include "services/scheduler/judge.h"
#include "services/scheduler/metrics.h"
#include "services/scheduler/rule_cache.h"
#include "spec/spec.h"

/* Long enough that replicas do not pass an active sweep to and fro, short enough for a successor after a
 * crash. */
#define HOLD_MS 3000
#define BATCH_MAX 500
#define REPLAY_MAX 2000
/* About what a rule takes for a run that it has not seen, and for each value. */
#define BYTES_PER_RUN ((size_t)1024)
#define BYTES_PER_VALUE ((size_t)32)

struct decider {
    struct store *store;
    const char *owner;
    struct rule_cache *cache; /* owned */
};

enum status decider_new(struct store *store, const char *owner, size_t cache_bytes, struct decider **out,
                        struct err *err)
{
    struct rule_cache *cache = NULL;
    *out = NULL;
    TRY(rule_cache_new(cache_bytes, &cache, err));
    struct decider *decider = calloc(1, sizeof *decider);
    if (decider == NULL) {
        rule_cache_free(cache);
        return err_set(err, STATUS_NO_MEMORY, "decider: out of memory");
    }
    *decider = (struct decider){.store = store, .owner = owner, .cache = cache};
    *out = decider;
    return STATUS_OK;
}

/* One call about one sweep. */
struct turn {
    struct decider *decider;
    const char *sweep_id;
    struct sweep_rule *rule;
    struct arena values_arena, judged_arena, recorded_arena;
    bool taken;
    int64_t hold_ms;
    int64_t epoch;
    int64_t decided;
    struct store_rung_value *values; /* the next undecided ones; in values_arena */
    size_t count;
    int64_t read_us;                  /* monotonic: when the values were */
    struct store_decision *decisions; /* in judged_arena */
    size_t decision_count;
    struct store_verdict *verdicts; /* in judged_arena */
    size_t verdict_count;
    int64_t stops;
    const char **agent_ids; /* in recorded_arena */
    size_t agent_count;
};

static enum status take_row(struct store_tx *tx, void *context, struct err *err)
{
    struct turn *turn = context;
    turn->count = 0;
    TRY(store_take_decider(tx, turn->sweep_id, turn->decider->owner, turn->hold_ms, &turn->taken,
                           &turn->epoch, &turn->decided, err));
    if (!turn->taken) {
        struct store_sweep sweep;
        return store_get_sweep(tx, turn->sweep_id, false, &sweep, err); /* or there is none to decide */
    }
    return store_list_rung_values(tx, turn->sweep_id, turn->decided, BATCH_MAX, &turn->values, &turn->count,
                                  err);
}

static enum status take(struct turn *turn, struct err *err)
{
    TRY(store_transaction(turn->decider->store, &turn->values_arena, take_row, turn, err));
    turn->read_us = clock_monotonic_us(&clock_system);
    if (!turn->taken)
        return err_set(err, STATUS_CONFLICT, "another scheduler decides the stops of sweep %s",
                       turn->sweep_id);
    return STATUS_OK;
}

/* ---- building a rule ---- */

struct spec_query {
    const char *sweep_id;
    struct store_spec spec;
};

static enum status read_spec(struct store_tx *tx, void *context, struct err *err)
{
    struct spec_query *query = context;
    struct store_sweep sweep;
    TRY(store_get_sweep(tx, query->sweep_id, false, &sweep, err));
    return store_get_spec(tx, query->sweep_id, sweep.spec_version, &query->spec, err);
}

static enum status make_rule(struct turn *turn, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct spec *spec CLEANUP(spec_free_at) = NULL;
    struct spec_query query = {.sweep_id = turn->sweep_id};
    TRY(store_read(turn->decider->store, &arena, read_spec, &query, err));
    if (spec_from_canonical_json(query.spec.json, strlen(query.spec.json), &spec, err) != STATUS_OK)
        return err_set(err, STATUS_INTERNAL, "sweep %s: stored spec: %s", turn->sweep_id, err->text);
    if (!spec->has_early_terminate)
        return err_set(err, STATUS_PRECONDITION, "sweep %s has no early_terminate", turn->sweep_id);
    bool maximize = spec->metric.goal == SPEC_GOAL_MAXIMIZE;
    return stop_type_pauses(spec->early_terminate.type)
               ? halving_new(&spec->early_terminate, maximize, &turn->rule->halving, err)
               : stop_rule_new(&spec->early_terminate, maximize, &turn->rule->rule, err);
}

static void count_bytes(struct sweep_rule *rule, const struct store_rung_value *value)
{
    rule->bytes += BYTES_PER_VALUE + (value->band_index == 0 ? BYTES_PER_RUN : 0);
    rule->decided = value->number;
}

struct replay_query {
    const char *sweep_id;
    int64_t after;
    struct store_rung_value *values;
    size_t count;
};

static enum status read_values(struct store_tx *tx, void *context, struct err *err)
{
    struct replay_query *query = context;
    return store_list_rung_values(tx, query->sweep_id, query->after, REPLAY_MAX, &query->values,
                                  &query->count, err);
}

static enum status replay(struct sweep_rule *rule, const struct store_rung_value *value, struct err *err)
{
    return rule->halving != NULL ? cohorts_replay(rule->halving, value, err)
                                 : judge_replay(rule->rule, value, err);
}

/* Feeds one page of values that have decisions already. */
static enum status replay_page(struct turn *turn, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct replay_query query = {.sweep_id = turn->sweep_id, .after = turn->rule->decided};
    TRY(store_read(turn->decider->store, &arena, read_values, &query, err));
    if (query.count == 0)
        return err_set(err, STATUS_INTERNAL, "sweep %s: rung values up to %lld are decided but missing",
                       turn->sweep_id, (long long)turn->decided);
    for (size_t i = 0; i < query.count && query.values[i].number <= turn->decided; i++) {
        TRY(replay(turn->rule, &query.values[i], err));
        count_bytes(turn->rule, &query.values[i]);
    }
    return STATUS_OK;
}

/* Makes the cached rule the one of the row that was taken. */
static enum status prepare_rule(struct turn *turn, struct err *err)
{
    struct sweep_rule *rule = turn->rule;
    if (sweep_rule_is_built(rule) && rule->epoch == turn->epoch && rule->decided == turn->decided)
        return STATUS_OK;
    sweep_rule_clear(rule);
    TRY(make_rule(turn, err));
    rule->bytes = BYTES_PER_RUN;
    while (rule->decided < turn->decided)
        TRY(replay_page(turn, err));
    rule->epoch = turn->epoch;
    metric_add(&scheduler_metrics[SCHEDULER_REBUILT], 0, 1);
    log_debug("scheduler", "built_rule", LOG_TEXT("sweep", turn->sweep_id), LOG_INT("epoch", turn->epoch),
              LOG_INT("decided", turn->decided));
    return STATUS_OK;
}

/* ---- deciding ---- */

static enum status judge(struct turn *turn, const struct store_rung_value *value, struct err *err)
{
    struct store_decision *decision = &turn->decisions[turn->decision_count];
    if (turn->rule->halving == NULL) {
        turn->decision_count++;
        return judge_value(turn->rule->rule, value, &turn->judged_arena, decision, err);
    }
    struct cohorts_outcome outcome = {
        .decision = decision, .verdicts = turn->verdicts, .verdict_count = turn->verdict_count};
    TRY(cohorts_judge(turn->rule->halving, value, &turn->judged_arena, &outcome, err));
    turn->decision_count += outcome.decided;
    turn->verdicts = outcome.verdicts;
    turn->verdict_count = outcome.verdict_count;
    return STATUS_OK;
}

static enum status judge_values(struct turn *turn, struct err *err)
{
    arena_reset(&turn->judged_arena);
    turn->decisions = arena_calloc(&turn->judged_arena, turn->count, sizeof *turn->decisions);
    if (turn->decisions == NULL)
        return err_set(err, STATUS_NO_MEMORY, "sweep %s: out of memory", turn->sweep_id);
    turn->decision_count = turn->verdict_count = 0;
    turn->verdicts = NULL;
    for (size_t i = 0; i < turn->count; i++) {
        TRY(judge(turn, &turn->values[i], err));
        count_bytes(turn->rule, &turn->values[i]);
    }
    return STATUS_OK;
}

static enum status record_rows(struct store_tx *tx, void *context, struct err *err)
{
    struct turn *turn = context;
    const struct store_verdicts verdicts = {.sweep_id = turn->sweep_id,
                                            .owner = turn->decider->owner,
                                            .epoch = turn->epoch,
                                            .decided = turn->rule->decided,
                                            .decisions = turn->decisions,
                                            .decision_count = turn->decision_count,
                                            .verdicts = turn->verdicts,
                                            .verdict_count = turn->verdict_count};
    if (turn->rule->halving != NULL)
        return store_record_verdicts(tx, &verdicts, &turn->stops, &turn->agent_ids, &turn->agent_count, err);
    return store_record_decisions(tx, turn->sweep_id, turn->decider->owner, turn->epoch, turn->decisions,
                                  turn->decision_count, &turn->stops, &turn->agent_ids, &turn->agent_count,
                                  err);
}

static void count_decisions(const struct turn *turn)
{
    size_t stops = 0;
    int64_t since_us = clock_monotonic_us(&clock_system) - turn->read_us;
    for (size_t i = 0; i < turn->decision_count; i++)
        stops += turn->decisions[i].stop;
    for (size_t i = 0; i < turn->count; i++)
        if (strcmp(turn->values[i].kind, "value") == 0)
            metric_observe(&scheduler_metrics[SCHEDULER_DELAY], 0, turn->values[i].age_us + since_us);
    metric_add(&scheduler_metrics[SCHEDULER_DECISIONS], DECISION_METRIC_STOP, (int64_t)stops);
    metric_add(&scheduler_metrics[SCHEDULER_DECISIONS], DECISION_METRIC_GO_ON,
               (int64_t)(turn->decision_count - stops));
    metric_add(&scheduler_metrics[SCHEDULER_ORDERS], 0, turn->stops);
}

static void log_stops(const struct turn *turn)
{
    for (size_t i = 0; i < turn->decision_count; i++)
        if (turn->decisions[i].stop)
            log_info(
                "scheduler", "decided_stop", LOG_TEXT("sweep", turn->sweep_id),
                LOG_TEXT("run", turn->decisions[i].run_id), LOG_INT("attempt", turn->decisions[i].attempt),
                LOG_INT("number", turn->decisions[i].number), LOG_TEXT("reason", turn->decisions[i].reason));
    for (size_t i = 0; i < turn->verdict_count; i++)
        log_info("scheduler", turn->verdicts[i].promoted ? "promoted" : "not_promoted",
                 LOG_TEXT("sweep", turn->sweep_id), LOG_TEXT("run", turn->verdicts[i].run_id),
                 LOG_INT("number", turn->verdicts[i].number), LOG_TEXT("reason", turn->verdicts[i].reason));
}

static enum status add_outcome(const struct turn *turn, struct arena *arena, struct decider_outcome *out,
                               struct err *err)
{
    size_t count = out->agent_count + turn->agent_count;
    const char **ids = arena_calloc(arena, count + 1, sizeof *ids);
    if (ids == NULL)
        return err_set(err, STATUS_NO_MEMORY, "sweep %s: out of memory", turn->sweep_id);
    for (size_t i = 0; i < count; i++) {
        ids[i] = i < out->agent_count ? out->agent_ids[i]
                                      : arena_strdup(arena, turn->agent_ids[i - out->agent_count]);
        if (ids[i] == NULL)
            return err_set(err, STATUS_NO_MEMORY, "sweep %s: out of memory", turn->sweep_id);
    }
    out->agent_ids = ids;
    out->agent_count = count;
    out->made += (int64_t)(turn->decision_count + turn->verdict_count);
    out->stops += turn->stops;
    return STATUS_OK;
}

/* One batch; *more: there may be another. */
static enum status decide_batch(struct turn *turn, struct arena *arena, struct decider_outcome *out,
                                bool *more, struct err *err)
{
    *more = false;
    TRY(take(turn, err));
    out->decided = turn->decided;
    if (turn->count == 0)
        return STATUS_OK;
    TRY(prepare_rule(turn, err));
    TRY(judge_values(turn, err));
    TRY(store_transaction(turn->decider->store, &turn->recorded_arena, record_rows, turn, err));
    out->decided = turn->rule->decided;
    *more = turn->count == BATCH_MAX;
    count_decisions(turn);
    log_stops(turn);
    return add_outcome(turn, arena, out, err);
}

enum status decider_run(struct decider *decider, const char *sweep_id, struct arena *arena,
                        struct decider_outcome *out, struct err *err)
{
    *out = (struct decider_outcome){0};
    struct turn turn = {.decider = decider, .sweep_id = sweep_id, .hold_ms = HOLD_MS};
    TRY(rule_cache_borrow(decider->cache, sweep_id, &turn.rule, err));
    bool more = true;
    int64_t begun_us = clock_monotonic_us(&clock_system);
    enum status status = STATUS_OK;
    while (more && status == STATUS_OK)
        status = decide_batch(&turn, arena, out, &more, err);
    /* What was fed but not recorded must not be there when the same values come again. */
    if (status != STATUS_OK)
        sweep_rule_clear(turn.rule);
    rule_cache_return(decider->cache, turn.rule);
    if (out->made > 0)
        metric_observe(&scheduler_metrics[SCHEDULER_DURATION], 0,
                       clock_monotonic_us(&clock_system) - begun_us);
    arena_free(&turn.values_arena);
    arena_free(&turn.judged_arena);
    arena_free(&turn.recorded_arena);
    return status;
}

/* ---- reconciling ---- */

struct undecided {
    const char **sweep_ids;
    size_t count;
};

static enum status list_undecided(struct store_tx *tx, void *context, struct err *err)
{
    struct undecided *found = context;
    return store_list_undecided(tx, &found->sweep_ids, &found->count, err);
}

/* No controller waits for what is decided here, so all are told where an order may lie. */
static void tell_controllers(struct decider *decider, const char *sweep_id)
{
    char payload[160];
    struct err err = ERR_INIT;
    (void)snprintf(payload, sizeof payload, "%.128s %.16s", decider->owner, sweep_id);
    if (store_wake(decider->store, payload, &err) != STATUS_OK)
        log_debug("scheduler", "wake_not_sent", LOG_TEXT("sweep", sweep_id), LOG_ERR(&err));
}

static void reconcile_sweep(struct decider *decider, const char *sweep_id)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct decider_outcome outcome;
    struct err err = ERR_INIT;
    enum status status = decider_run(decider, sweep_id, &arena, &outcome, &err);
    if (status != STATUS_OK && status != STATUS_CONFLICT)
        log_warn("scheduler", "decide_failed", LOG_TEXT("sweep", sweep_id), LOG_ERR(&err));
    if (outcome.stops > 0)
        tell_controllers(decider, sweep_id);
    if (outcome.made > 0)
        log_debug("scheduler", "reconciled", LOG_TEXT("sweep", sweep_id), LOG_INT("made", outcome.made));
}

void decider_reconcile(void *context)
{
    struct decider *decider = context;
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct undecided found = {0};
    struct err err = ERR_INIT;
    if (store_read(decider->store, &arena, list_undecided, &found, &err) != STATUS_OK) {
        log_warn("scheduler", "reconcile_failed", LOG_ERR(&err));
        return;
    }
    metric_set(&scheduler_metrics[SCHEDULER_UNDECIDED], 0, (int64_t)found.count);
    for (size_t i = 0; i < found.count; i++)
        reconcile_sweep(decider, found.sweep_ids[i]);
}

/* ---- leaving ---- */

/* Held for no time, the row is free for the next one at once. */
static void release(void *context, const char *sweep_id)
{
    struct turn turn = {.decider = context, .sweep_id = sweep_id, .hold_ms = 0};
    struct err err = ERR_INIT;
    if (store_transaction(turn.decider->store, &turn.values_arena, take_row, &turn, &err) != STATUS_OK)
        log_debug("scheduler", "release_failed", LOG_TEXT("sweep", sweep_id), LOG_ERR(&err));
    arena_free(&turn.values_arena);
}

void decider_free(struct decider *decider)
{
    if (decider == NULL)
        return;
    rule_cache_visit(decider->cache, release, decider);
    rule_cache_free(decider->cache);
    free(decider);
}
