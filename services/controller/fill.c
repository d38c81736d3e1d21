// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/fill.h"

#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "services/controller/metrics.h"
#include "services/controller/wake.h"

#define SUGGESTIONS_MAX 1000
#define HOLD_MS 10000
#define TRIES_MAX 3

static enum status take_row(struct store_tx *tx, void *context, struct err *err)
{
    struct filling *filling = context;
    return store_take_refill(tx, filling->need.sweep_id, filling->controller->owner, HOLD_MS, &filling->taken,
                             &filling->epoch, err);
}

static enum status insert_runs(struct store_tx *tx, void *context, struct err *err)
{
    struct filling *filling = context;
    bool unique = strcmp(filling->facts->method, "grid") == 0;
    enum status status =
        store_insert_runs(tx, filling->need.sweep_id, filling->controller->owner, filling->epoch,
                          filling->need.spec_version, filling->need.result_cursor, unique, filling->runs,
                          filling->count, filling->exhausted, &filling->inserted, err);
    if (status == STATUS_OK && filling->keep)
        status = store_keep_runs(tx, filling->need.sweep_id, filling->need.next_ordinal,
                                 (int64_t)filling->count, err);
    /* Someone else was faster, or the first try had been committed: nothing to do again. */
    filling->dropped = status == STATUS_CONFLICT;
    return filling->dropped ? STATUS_OK : status;
}

static enum status read_suggestion(struct filling *filling, const Besom__V1__Suggestion *from, size_t i,
                                   struct err *err)
{
    struct store_new_run *run = &filling->runs[i];
    if (from->ordinal != filling->need.next_ordinal + (int64_t)i || from->config_hash.len != SPACE_HASH_SIZE)
        return err_set(err, STATUS_INTERNAL, "the suggestion service answered nonsense");
    id_make(&random_system, filling->run_ids[i]);
    *run = (struct store_new_run){
        .run_id = filling->run_ids[i],
        .ordinal = from->ordinal,
        .params_json = from->params_json,
        .why_json = from->why_json,
        .config_hash = from->config_hash.data,
        .run_seed = random_draw_u64(filling->facts->seed, (uint64_t)from->ordinal, "run", 0),
    };
    return STATUS_OK;
}

static enum status read_suggestions(struct filling *filling, const Besom__V1__SuggestResponse *response,
                                    struct arena *arena, struct err *err)
{
    filling->count = response->n_suggestions;
    filling->exhausted = response->exhausted;
    filling->runs = arena_calloc(arena, filling->count + 1, sizeof *filling->runs);
    filling->run_ids = arena_calloc(arena, filling->count + 1, sizeof *filling->run_ids);
    if (filling->runs == NULL || filling->run_ids == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < filling->count; i++)
        TRY(read_suggestion(filling, response->suggestions[i], i, err));
    return STATUS_OK;
}

static enum status suggest(struct filling *filling, int64_t count, Besom__V1__SuggestResponse **response,
                           struct err *err)
{
    Besom__V1__SuggestRequest request = BESOM__V1__SUGGEST_REQUEST__INIT;
    besom_error error;
    request.sweep_id = (char *)(uintptr_t)filling->need.sweep_id;
    request.spec_version = filling->need.spec_version;
    request.first_ordinal = filling->need.next_ordinal;
    request.count = (int32_t)count;
    if (spec_learns_rungs(filling->facts->spec))
        request.rung_cursor = filling->need.result_cursor;
    else
        request.result_cursor = filling->need.result_cursor;
    int64_t begun_us = clock_monotonic_us(&clock_system);
    besom_status code = besom_suggest(filling->controller->suggestion, &request, response, &error);
    metric_observe(&controller_metrics[CONTROLLER_SUGGEST_DURATION], 0,
                   clock_monotonic_us(&clock_system) - begun_us);
    if (code == BESOM_OK)
        return STATUS_OK;
    return err_set(err, status_from_grpc((int)code), "%s", error.text);
}

static enum status insert_suggestions(struct filling *filling, const Besom__V1__SuggestResponse *response,
                                      struct err *err)
{
    struct arena kept CLEANUP(arena_free) = arena_make(0);
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    TRY(read_suggestions(filling, response, &kept, err));
    if (filling->count == 0 && !filling->exhausted)
        return err_set(err, STATUS_PRECONDITION, "the method needs results first");
    TRY(store_transaction(filling->controller->store, &arena, insert_runs, filling, err));
    if (filling->dropped)
        return STATUS_OK;
    log_debug(CONTROLLER_LOG, "queue_filled", LOG_TEXT("sweep", filling->need.sweep_id),
              LOG_INT("runs", filling->inserted), LOG_INT("first_ordinal", filling->need.next_ordinal),
              LOG_BOOL("exhausted", filling->exhausted));
    wake_sweep(filling->controller, filling->need.sweep_id);
    return STATUS_OK;
}

/* Asks for suggestions and inserts them, with the row taken. */
static enum status fill(struct filling *filling, int64_t count, struct err *err)
{
    Besom__V1__SuggestResponse *response = NULL;
    TRY(suggest(filling, count, &response, err));
    enum status status = insert_suggestions(filling, response, err);
    besom_message_free(response);
    return status;
}

static enum status get_facts(struct filling *filling, struct err *err)
{
    return facts_get(filling->controller->facts, filling->need.sweep_id, filling->need.spec_version,
                     &filling->facts, err);
}

enum status fill_ahead(struct filling *filling, int64_t low, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    int64_t count = 2 * low - filling->need.queued;
    count = count > SUGGESTIONS_MAX ? SUGGESTIONS_MAX : count;
    count = count > filling->need.room ? filling->need.room : count;
    TRY(get_facts(filling, err));
    TRY(store_transaction(filling->controller->store, &arena, take_row, filling, err));
    return filling->taken ? fill(filling, count, err) : STATUS_OK;
}

/* ---- methods that learn ---- */

static enum status drop_stale(struct store_tx *tx, void *context, struct err *err)
{
    struct filling *filling = context;
    return store_drop_stale_runs(tx, filling->need.sweep_id, filling->controller->owner, filling->epoch,
                                 &filling->queue, err);
}

static enum status release_row(struct store_tx *tx, void *context, struct err *err)
{
    const struct filling *filling = context;
    return store_release_refill(tx, filling->need.sweep_id, filling->controller->owner, err);
}

/* How many to ask for: one for each caller that waits; when none does and there are new results, one ahead.
 */
static int64_t count_wanted(const struct filling *filling, const struct fill_memory *memory, int64_t waiting)
{
    const struct store_queue *queue = &filling->queue;
    int64_t count = waiting - queue->queued;
    if (queue->exhausted)
        return 0;
    if (count < 1 && queue->queued == 0 && memory->cursor != queue->result_cursor)
        count = 1;
    count = count > SUGGESTIONS_MAX ? SUGGESTIONS_MAX : count;
    return count > queue->room ? queue->room : count;
}

static enum status learn_and_fill(struct filling *filling, struct fill_memory *memory, int64_t waiting,
                                  struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    enum status status = store_transaction(filling->controller->store, &arena, drop_stale, filling, err);
    if (status == STATUS_CONFLICT) { /* it was paused, or has ended, or another replica has the row */
        filling->taken = false;
        return STATUS_OK;
    }
    TRY(status);
    const struct store_queue *queue = &filling->queue;
    filling->need.queued = queue->queued;
    filling->need.next_ordinal = queue->next_ordinal;
    filling->need.spec_version = queue->spec_version;
    filling->need.result_cursor = queue->result_cursor;
    memory->tries = queue->dropped > 0 && memory->waited ? memory->tries + 1 : 0;
    memory->waited = waiting > 0;
    int64_t count = count_wanted(filling, memory, waiting);
    if (count < 1)
        return STATUS_OK;
    /* Where results come faster than suggestions, callers would wait for ever for a fresh one. */
    filling->keep = memory->tries >= TRIES_MAX;
    TRY(get_facts(filling, err));
    TRY(fill(filling, count, err));
    if (!filling->dropped)
        memory->cursor = queue->result_cursor;
    return STATUS_OK;
}

enum status fill_learning(struct filling *filling, struct fill_memory *memory, int64_t waiting,
                          struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct err ignored = ERR_INIT;
    TRY(store_transaction(filling->controller->store, &arena, take_row, filling, err));
    if (!filling->taken)
        return STATUS_OK;
    enum status status = learn_and_fill(filling, memory, waiting, err);
    /* Another replica's callers need not wait until the deadline; without it they do. */
    (void)!store_transaction(filling->controller->store, &arena, release_row, filling, &ignored);
    return status;
}
