// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/ingest_commit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "db/store/runs.h"
#include "db/store/sweeps.h"
#include "services/controller/fact_plan.h"
#include "services/controller/metrics.h"
#include "services/controller/target.h"
#include "stop/resource.h"

struct commit {
    struct controller *controller;
    struct ingest_item **items; /* sorted by attempt, in order of arrival */
    size_t count;
    bool again; /* the transaction was left to lock sweeps first */
};

/* What one transaction writes; all in its arena. */
struct plan {
    struct store_attempt *attempts;
    size_t attempt_count;
    double
        *units; /* of each attempt: the resource that its sweep's bands count, as far as a batch needs it */
    struct store_inbox_row *inbox;
    size_t inbox_count;
    struct store_summary *figures;
    size_t figure_count;
    struct store_log_row *logs;
    size_t log_count;
    struct store_rung_value *rungs;
    size_t rung_count;
    struct fact_plan facts;
};

/* Where batch_advance leaves the bands that were reached. */
struct rung_sink {
    struct plan *plan;
    struct ingest_item *item;
};

static int compare_attempts(const struct track *a, const struct track *b)
{
    int order = strcmp(a->sweep_id, b->sweep_id);
    if (order == 0)
        order = strcmp(a->run_id, b->run_id);
    return order != 0 ? order : (a->attempt > b->attempt) - (a->attempt < b->attempt);
}

/* Insertion by halves keeps the order of arrival within an attempt; groups are small. */
static void sort_items(struct ingest_item **items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct ingest_item *item = items[i];
        size_t low = 0, high = i;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (compare_attempts(items[middle]->track, item->track) <= 0)
                low = middle + 1;
            else
                high = middle;
        }
        memmove(&items[low + 1], &items[low], (i - low) * sizeof(*items));
        items[low] = item;
    }
}

static void count_rows(const struct commit *commit, size_t *figures, size_t *logs, size_t *rungs)
{
    for (size_t i = 0; i < commit->count; i++) {
        *figures += commit->items[i]->batch.figure_count;
        *logs += commit->items[i]->batch.log_count;
        *rungs += commit->items[i]->track->facts->band_count;
    }
}

static enum status plan_make(const struct commit *commit, struct arena *arena, struct plan *plan,
                             struct err *err)
{
    size_t figures = 0, logs = 0, rungs = 0;
    count_rows(commit, &figures, &logs, &rungs);
    *plan = (struct plan){
        .attempts = arena_calloc(arena, commit->count, sizeof *plan->attempts),
        .units = arena_calloc(arena, commit->count, sizeof *plan->units),
        .inbox = arena_calloc(arena, commit->count, sizeof *plan->inbox),
        .figures = arena_calloc(arena, figures + 1, sizeof *plan->figures),
        .logs = arena_calloc(arena, logs + 1, sizeof *plan->logs),
        .rungs = arena_calloc(arena, rungs + 1, sizeof *plan->rungs),
    };
    if (plan->attempts == NULL || plan->units == NULL || plan->inbox == NULL || plan->figures == NULL ||
        plan->logs == NULL || plan->rungs == NULL)
        return err_set(err, STATUS_NO_MEMORY, "storing batches: out of memory");
    for (size_t i = 0; i < commit->count; i++) {
        const struct track *track = commit->items[i]->track;
        if (i > 0 && compare_attempts(commit->items[i - 1]->track, track) == 0)
            continue;
        plan->attempts[plan->attempt_count++] = (struct store_attempt){
            .sweep_id = track->sweep_id, .run_id = track->run_id, .attempt = track->attempt};
    }
    return STATUS_OK;
}

/* Whether the resource that was logged before the batch matters to it. */
static bool needs_units(const struct batch *batch)
{
    return batch->units != NULL && batch->value_count > 0 && isnan(batch->units[0]);
}

/* The resource as it stood before these batches. Most bring it with each value: those read nothing. */
static enum status read_units(struct store_tx *tx, const struct commit *commit, struct plan *plan,
                              struct err *err)
{
    struct store_newest_value *keys = arena_calloc(store_tx_arena(tx), commit->count, sizeof *keys);
    size_t *places = arena_calloc(store_tx_arena(tx), commit->count, sizeof *places);
    size_t at = 0, count = 0;
    if (keys == NULL || places == NULL)
        return err_set(err, STATUS_NO_MEMORY, "storing batches: out of memory");
    for (size_t i = 0; i < commit->count; i++) {
        const struct ingest_item *item = commit->items[i];
        const struct track *track = item->track;
        at += i > 0 && compare_attempts(commit->items[i - 1]->track, track) != 0;
        plan->units[at] = STOP_RESOURCE_NONE;
        if (!needs_units(&item->batch) || (count > 0 && places[count - 1] == at))
            continue;
        places[count] = at;
        keys[count++] = (struct store_newest_value){.sweep_id = track->sweep_id,
                                                    .run_id = track->run_id,
                                                    .name = track->facts->spec->step_metric,
                                                    .attempt = track->attempt,
                                                    .value = STOP_RESOURCE_NONE};
    }
    if (count == 0)
        return STATUS_OK;
    TRY(store_list_newest_values(tx, keys, count, err));
    for (size_t i = 0; i < count; i++)
        plan->units[places[i]] = isfinite(keys[i].value) ? keys[i].value : STOP_RESOURCE_NONE;
    return STATUS_OK;
}

/* Facts of an attempt without any cost nothing but the look at its mark. */
static enum status make_fact_room(const struct commit *commit, struct arena *arena, struct plan *plan,
                                  struct err *err)
{
    size_t facts = 0, figures = 0;
    bool any = false;
    for (size_t i = 0; i < plan->attempt_count; i++)
        any |= plan->attempts[i].found && plan->attempts[i].has_facts;
    for (size_t i = 0; i < commit->count; i++) {
        facts += commit->items[i]->batch.fact_count;
        figures += commit->items[i]->batch.figure_count;
    }
    return fact_plan_make(arena, any || facts > 0 ? facts + figures : 0, &plan->facts, err);
}

/* Logged metrics end entries of the summary; the facts of a batch stand after its series. */
static void plan_facts(struct plan *plan, struct store_attempt *attempt, const struct batch *batch)
{
    struct store_fact step = {.sweep_id = attempt->sweep_id,
                              .run_id = attempt->run_id,
                              .attempt = attempt->attempt,
                              .kind = "summary"};
    for (size_t i = 0; i < batch->figure_count && attempt->has_facts; i++) {
        step.name = batch->figures[i].name;
        fact_plan_add(&plan->facts, step);
    }
    for (size_t i = 0; i < batch->fact_count; i++) {
        step.kind = batch->facts[i].kind;
        step.name = batch->facts[i].name;
        step.value = batch->facts[i].value;
        fact_plan_add(&plan->facts, step);
        attempt->has_facts = true;
    }
}

static void add_rung(void *context, const struct batch_rung *rung)
{
    struct rung_sink *sink = context;
    const struct track *track = sink->item->track;
    sink->item->reached_rung = true;
    sink->plan->rungs[sink->plan->rung_count++] =
        (struct store_rung_value){.sweep_id = track->sweep_id,
                                  .run_id = track->run_id,
                                  .attempt = track->attempt,
                                  .band_index = rung->band_index,
                                  .band = track->facts->bands[rung->band_index],
                                  .value = rung->value,
                                  .best = rung->best,
                                  .mean = rung->mean};
}

/* Metric rows, best value, bands, steps and figures: of the current attempt only. */
static void advance(struct plan *plan, struct store_attempt *attempt, struct ingest_item *item)
{
    const struct facts *facts = item->track->facts;
    struct rung_sink sink = {plan, item};
    struct batch_progress progress = {.rows = attempt->metric_rows,
                                      .has_best = attempt->has_best,
                                      .best = attempt->best_value,
                                      .total = attempt->metric_total,
                                      .units = plan->units[attempt - plan->attempts],
                                      .bands_reached = attempt->bands_reached};
    batch_advance(&progress, &item->batch, facts->maximize, facts->bands, facts->band_count, add_rung, &sink);
    plan->units[attempt - plan->attempts] = progress.units;
    item->reached_target =
        progress.has_best && target_is_reached(&facts->spec->metric, progress.best) &&
        !(attempt->has_best && target_is_reached(&facts->spec->metric, attempt->best_value));
    attempt->metric_rows = progress.rows;
    attempt->has_best = progress.has_best;
    attempt->best_value = progress.best;
    attempt->metric_total = progress.total;
    attempt->bands_reached = progress.bands_reached;
    attempt->preempting = item->batch.preempting || attempt->preempting;
    if (item->batch.next_step > attempt->next_step)
        attempt->next_step = item->batch.next_step;
    for (size_t i = 0; i < item->batch.figure_count; i++) {
        struct store_summary *figure = &plan->figures[plan->figure_count++];
        *figure = item->batch.figures[i];
        figure->sweep_id = attempt->sweep_id;
        figure->run_id = attempt->run_id;
        figure->attempt = attempt->attempt;
    }
    plan_facts(plan, attempt, &item->batch);
}

static void store_item(struct plan *plan, struct store_attempt *attempt, struct ingest_item *item)
{
    const struct batch *batch = &item->batch;
    item->accepted = true;
    attempt->last_sequence = batch->sequence;
    attempt->log_bytes += batch->log_bytes;
    attempt->dropped_lines += batch->dropped_lines;
    if (batch->points > 0)
        plan->inbox[plan->inbox_count++] = (struct store_inbox_row){.sweep_id = attempt->sweep_id,
                                                                    .run_id = attempt->run_id,
                                                                    .attempt = attempt->attempt,
                                                                    .points = batch->points,
                                                                    .sequence = batch->sequence,
                                                                    .payload = batch->payload,
                                                                    .payload_length = batch->payload_length};
    for (size_t i = 0; i < batch->log_count; i++)
        plan->logs[plan->log_count++] = (struct store_log_row){.sweep_id = attempt->sweep_id,
                                                               .run_id = attempt->run_id,
                                                               .attempt = attempt->attempt,
                                                               .first_byte = batch->logs[i].first_byte,
                                                               .is_stderr = batch->logs[i].is_stderr,
                                                               .text = batch->logs[i].text,
                                                               .length = batch->logs[i].length};
    if (!item->stale)
        advance(plan, attempt, item);
}

/* The verdicts: stored already, next in line, or after a gap (the stream ends, and the agent
 * sends again what is missing). A stream that was opened as the run's own ends likewise when the attempt is
 * no longer that: a lost one that comes back must count what it sends, and only opening it again tells. */
static void judge_items(const struct commit *commit, struct plan *plan)
{
    size_t at = 0;
    for (size_t i = 0; i < commit->count; i++) {
        struct ingest_item *item = commit->items[i];
        if (i > 0 && compare_attempts(commit->items[i - 1]->track, item->track) != 0)
            at++;
        struct store_attempt *attempt = &plan->attempts[at];
        item->accepted = item->reached_rung = item->left_out_facts = false;
        item->reached_target = item->finished_sweep = false;
        item->found = attempt->found;
        item->stale = !attempt->current || attempt->ended;
        bool outdated = item->stale && item->track->current;
        if (attempt->found && !outdated && item->batch.sequence == attempt->last_sequence + 1)
            store_item(plan, attempt, item);
        item->last_sequence = attempt->last_sequence;
    }
}

/* Equal keys in order of arrival, which is the order of addresses. */
static int compare_figures(const void *a, const void *b)
{
    const struct store_summary *left = *(struct store_summary *const *)a;
    const struct store_summary *right = *(struct store_summary *const *)b;
    int order = batch_compare_figures(left, right);
    return order != 0 ? order : (left > right) - (left < right);
}

static enum status merge_figures(struct arena *arena, struct plan *plan, struct err *err)
{
    size_t count = plan->figure_count;
    struct store_summary **sorted = arena_calloc(arena, count + 1, sizeof(*sorted));
    struct store_summary *merged = arena_calloc(arena, count + 1, sizeof *merged);
    if (sorted == NULL || merged == NULL)
        return err_set(err, STATUS_NO_MEMORY, "storing batches: out of memory");
    for (size_t i = 0; i < count; i++)
        sorted[i] = &plan->figures[i];
    if (count > 1)
        qsort(sorted, count, sizeof(*sorted), compare_figures);
    for (size_t i = 0; i < count; i++)
        merged[i] = *sorted[i];
    plan->figures = merged;
    plan->figure_count = batch_merge_figures(merged, count);
    return STATUS_OK;
}

static bool is_of(const struct ingest_item *item, const struct store_attempt *attempt)
{
    return item->track->attempt == attempt->attempt && strcmp(item->track->run_id, attempt->run_id) == 0 &&
           strcmp(item->track->sweep_id, attempt->sweep_id) == 0;
}

/* Output beyond what is kept goes whenever another eighth has come. */
static enum status trim_logs(struct store_tx *tx, const struct commit *commit, const struct plan *plan,
                             struct err *err)
{
    int64_t keep = commit->controller->options->log_keep_bytes, step = keep / 8;
    size_t item = 0;
    for (size_t i = 0; i < plan->attempt_count; i++) {
        const struct store_attempt *attempt = &plan->attempts[i];
        int64_t added = 0;
        while (item < commit->count && !is_of(commit->items[item], attempt))
            item++;
        for (; item < commit->count && is_of(commit->items[item], attempt); item++)
            added += commit->items[item]->accepted ? commit->items[item]->batch.log_bytes : 0;
        if (added > 0 && attempt->log_bytes > keep &&
            attempt->log_bytes / step != (attempt->log_bytes - added) / step)
            TRY(store_trim_logs(tx, attempt->sweep_id, attempt->run_id, attempt->attempt, keep, err));
    }
    return STATUS_OK;
}

static void mark_left_out(const struct commit *commit, const struct store_fact *fact)
{
    const struct store_attempt attempt = {
        .sweep_id = fact->sweep_id, .run_id = fact->run_id, .attempt = fact->attempt};
    for (size_t i = 0; i < commit->count; i++)
        commit->items[i]->left_out_facts |= is_of(commit->items[i], &attempt);
}

static enum status write_facts(struct store_tx *tx, const struct commit *commit, struct fact_plan *facts,
                               struct err *err)
{
    TRY(fact_plan_settle(facts, store_tx_arena(tx), err));
    if (facts->end_count > 0)
        TRY(store_delete_facts(tx, facts->ends, facts->end_count, err));
    if (facts->put_count == 0)
        return STATUS_OK;
    bool *left_out = arena_calloc(store_tx_arena(tx), facts->put_count, sizeof *left_out);
    if (left_out == NULL)
        return err_set(err, STATUS_NO_MEMORY, "storing facts: out of memory");
    TRY(store_put_facts(tx, facts->puts, facts->put_count, FACTS_MAX, left_out, err));
    for (size_t i = 0; i < facts->put_count; i++)
        if (left_out[i])
            mark_left_out(commit, &facts->puts[i]);
    return STATUS_OK;
}

static enum status write_plan(struct store_tx *tx, const struct commit *commit, struct plan *plan,
                              struct err *err)
{
    TRY(merge_figures(store_tx_arena(tx), plan, err));
    if (plan->inbox_count > 0)
        TRY(store_append_inbox(tx, plan->inbox, plan->inbox_count, err));
    if (plan->figure_count > 0)
        TRY(store_merge_summaries(tx, plan->figures, plan->figure_count, err));
    TRY(write_facts(tx, commit, &plan->facts, err));
    if (plan->log_count > 0)
        TRY(store_append_logs(tx, plan->logs, plan->log_count, err));
    TRY(trim_logs(tx, commit, plan, err));
    TRY(store_save_attempts(tx, plan->attempts, plan->attempt_count, commit->controller->options->lease_ms,
                            err));
    if (plan->rung_count > 0)
        TRY(store_add_rung_values(tx, plan->rungs, plan->rung_count, err));
    return STATUS_OK;
}

/* ---- targets ---- */

/* Sweeps are locked before attempts, and only attempts tell which: what reached a target is tried once more.
 */
static bool mark_sweeps(const struct commit *commit)
{
    bool more = false;
    for (size_t i = 0; i < commit->count; i++) {
        struct ingest_item *item = commit->items[i];
        more |= item->reached_target && !item->holds_sweep;
        item->holds_sweep |= item->reached_target;
    }
    return more;
}

static enum status lock_sweeps(struct store_tx *tx, const struct commit *commit, struct err *err)
{
    struct store_sweep sweep;
    for (size_t i = 0; i < commit->count; i++) {
        if (!commit->items[i]->holds_sweep)
            continue;
        enum status status = store_get_sweep(tx, commit->items[i]->track->sweep_id, true, &sweep, err);
        if (status != STATUS_OK && status != STATUS_NOT_FOUND) /* then its attempts are gone, too */
            return status;
    }
    return STATUS_OK;
}

static enum status finish_sweeps(struct store_tx *tx, const struct commit *commit, struct err *err)
{
    for (size_t i = 0; i < commit->count; i++) {
        struct ingest_item *item = commit->items[i];
        if (item->reached_target)
            TRY(target_finish_sweep(tx, item->track->sweep_id, item->track->run_id, &item->finished_sweep,
                                    err));
    }
    return STATUS_OK;
}

/* ---- the transaction ---- */

static size_t drop_missing(struct store_attempt *attempts, size_t count)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++)
        if (attempts[i].found)
            attempts[left++] = attempts[i];
    return left;
}

static enum status store_batches(struct store_tx *tx, void *context, struct err *err)
{
    struct commit *commit = context;
    struct plan plan;
    TRY(plan_make(commit, store_tx_arena(tx), &plan, err));
    TRY(lock_sweeps(tx, commit, err));
    TRY(store_lock_attempts(tx, plan.attempts, plan.attempt_count, err));
    TRY(make_fact_room(commit, store_tx_arena(tx), &plan, err));
    TRY(read_units(tx, commit, &plan, err));
    judge_items(commit, &plan);
    commit->again = mark_sweeps(commit);
    if (commit->again)
        return err_set(err, STATUS_CANCELLED, "a target was reached: again, with its sweep locked");
    plan.attempt_count = drop_missing(plan.attempts, plan.attempt_count);
    if (plan.attempt_count > 0)
        TRY(write_plan(tx, commit, &plan, err));
    return finish_sweeps(tx, commit, err);
}

enum status ingest_commit(void *controller, struct group_item *const *items, size_t count, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct commit commit = {.controller = controller, .count = count};
    commit.items = calloc(count, sizeof(*commit.items));
    if (commit.items == NULL)
        return err_set(err, STATUS_NO_MEMORY, "storing batches: out of memory");
    for (size_t i = 0; i < count; i++)
        commit.items[i] = (struct ingest_item *)(void *)items[i];
    sort_items(commit.items, count);
    int64_t begun_us = clock_monotonic_us(&clock_system);
    enum status status;
    do {
        commit.again = false;
        status = store_transaction(commit.controller->store, &arena, store_batches, &commit, err);
    } while (commit.again);
    metric_observe(&controller_metrics[CONTROLLER_COMMIT_DURATION], 0,
                   clock_monotonic_us(&clock_system) - begun_us);
    metric_observe(&controller_metrics[CONTROLLER_COMMIT_BATCHES], 0, (int64_t)count);
    free(commit.items);
    return status;
}
