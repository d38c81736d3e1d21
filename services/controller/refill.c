// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/refill.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "db/store/sweeps.h"
#include "services/common/ticker.h"
#include "services/controller/claim.h"
#include "services/controller/facts.h"
#include "services/controller/track.h"
#include "services/controller/wake.h"

#define INTERVAL_MS 500
#define LOW_WATER_MIN 16
#define LOW_WATER_MAX 2000
#define SUGGESTIONS_MAX 1000
#define HOLD_MS 10000
#define LEVELS 256
#define ROUNDS_MAX 16
#define NOTE_MAX 160
#define UNAVAILABLE_NOTE "waiting for suggestions: the suggestion service is unavailable"

/* What is known of a sweep's queue without asking. */
struct level {
    char sweep_id[ID_SIZE];
    int64_t queued;                 /* estimate */
    int64_t taken, window_ms, rate; /* runs taken since window_ms; in the second before it */
    char note[NOTE_MAX];
};

struct refill {
    struct controller *controller;
    struct ticker *ticker; /* owned */
    bool told_unavailable; /* refill's thread only */
    pthread_mutex_t lock;
    struct level levels[LEVELS]; /* lock; two sweeps may share one, which costs a query */
};

/* One sweep's turn. */
struct filling {
    struct controller *controller;
    const struct facts *facts;
    struct store_refill_need need;
    struct store_new_run *runs;
    char (*run_ids)[ID_SIZE];
    size_t count;
    bool exhausted, taken, dropped;
    int64_t epoch, inserted;
};

/* ---- levels ---- */

static struct level *obtain(struct refill *refill, const char *sweep_id)
{
    struct level *level = &refill->levels[facts_hash(sweep_id, "") % LEVELS];
    if (strcmp(level->sweep_id, sweep_id) != 0) {
        *level = (struct level){.queued = 0};
        (void)snprintf(level->sweep_id, sizeof level->sweep_id, "%s", sweep_id);
    }
    return level;
}

static void roll_window(struct level *level, int64_t now_ms)
{
    if (now_ms - level->window_ms < 1000)
        return;
    level->rate = now_ms - level->window_ms < 2000 ? level->taken : 0;
    level->taken = 0;
    level->window_ms = now_ms;
}

static int64_t rate_of(struct refill *refill, const char *sweep_id)
{
    pthread_mutex_lock(&refill->lock);
    struct level *level = obtain(refill, sweep_id);
    roll_window(level, clock_monotonic_ms(&clock_system));
    int64_t rate = level->rate > level->taken ? level->rate : level->taken;
    pthread_mutex_unlock(&refill->lock);
    return rate;
}

static int64_t low_water(struct refill *refill, const char *sweep_id)
{
    struct controller *controller = refill->controller;
    int64_t slots = (int64_t)claims_count(controller->claims, sweep_id) +
                    (int64_t)tracks_count(controller->tracks, sweep_id);
    int64_t low = 2 * slots, rate = rate_of(refill, sweep_id);
    low = rate > low ? rate : low;
    return low < LOW_WATER_MIN ? LOW_WATER_MIN : low > LOW_WATER_MAX ? LOW_WATER_MAX : low;
}

static void set_level(struct refill *refill, const char *sweep_id, int64_t queued, const char *note)
{
    pthread_mutex_lock(&refill->lock);
    struct level *level = obtain(refill, sweep_id);
    level->queued = queued;
    (void)snprintf(level->note, sizeof level->note, "%s", note);
    pthread_mutex_unlock(&refill->lock);
}

void refill_note_taken(struct refill *refill, const char *sweep_id, int64_t count)
{
    pthread_mutex_lock(&refill->lock);
    struct level *level = obtain(refill, sweep_id);
    roll_window(level, clock_monotonic_ms(&clock_system));
    level->taken += count;
    level->queued -= count;
    bool low = level->queued < LOW_WATER_MIN || level->queued < level->rate / 2;
    pthread_mutex_unlock(&refill->lock);
    if (low)
        ticker_wake(refill->ticker);
}

void refill_note_empty(struct refill *refill, const char *sweep_id)
{
    pthread_mutex_lock(&refill->lock);
    struct level *level = obtain(refill, sweep_id);
    bool expected = level->queued <= 0;
    level->queued = 0;
    pthread_mutex_unlock(&refill->lock);
    if (!expected)
        ticker_wake(refill->ticker);
}

void refill_get_note(struct refill *refill, const char *sweep_id, char *out, size_t size)
{
    pthread_mutex_lock(&refill->lock);
    (void)snprintf(out, size, "%s", obtain(refill, sweep_id)->note);
    pthread_mutex_unlock(&refill->lock);
}

/* ---- one sweep ---- */

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
    request.result_cursor = filling->need.result_cursor;
    besom_status code = besom_suggest(filling->controller->suggestion, &request, response, &error);
    if (code == BESOM_OK)
        return STATUS_OK;
    return err_set(err, status_from_grpc((int)code), "%s", error.text);
}

static enum status fill_taken(struct refill *refill, struct filling *filling,
                              const Besom__V1__SuggestResponse *response, struct err *err)
{
    struct arena kept CLEANUP(arena_free) = arena_make(0);
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    TRY(read_suggestions(filling, response, &kept, err));
    if (filling->count == 0 && !filling->exhausted)
        return err_set(err, STATUS_PRECONDITION, "the method needs results first");
    TRY(store_transaction(refill->controller->store, &arena, insert_runs, filling, err));
    if (filling->dropped)
        return STATUS_OK;
    log_debug(CONTROLLER_LOG, "queue_filled", LOG_TEXT("sweep", filling->need.sweep_id),
              LOG_INT("runs", filling->inserted), LOG_INT("first_ordinal", filling->need.next_ordinal),
              LOG_BOOL("exhausted", filling->exhausted));
    wake_sweep(refill->controller, filling->need.sweep_id);
    return STATUS_OK;
}

static enum status fill_sweep(struct refill *refill, struct filling *filling, int64_t low, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    Besom__V1__SuggestResponse *response = NULL;
    int64_t count = 2 * low - filling->need.queued;
    count = count > SUGGESTIONS_MAX ? SUGGESTIONS_MAX : count;
    count = count > filling->need.room ? filling->need.room : count;
    TRY(facts_get(refill->controller->facts, filling->need.sweep_id, filling->need.spec_version,
                  &filling->facts, err));
    TRY(store_transaction(refill->controller->store, &arena, take_row, filling, err));
    if (!filling->taken)
        return STATUS_OK;
    TRY(suggest(filling, count, &response, err));
    enum status status = fill_taken(refill, filling, response, err);
    besom_message_free(response);
    return status;
}

/* ---- all of them ---- */

struct listing {
    int64_t low;
    struct store_refill_need *needs;
    size_t count;
};

static enum status list_needs(struct store_tx *tx, void *context, struct err *err)
{
    struct listing *listing = context;
    return store_list_refill_needs(tx, listing->low, &listing->needs, &listing->count, err);
}

static void tell_failure(struct refill *refill, const struct filling *filling, const struct err *err)
{
    char note[NOTE_MAX];
    bool away = err->code == STATUS_UNAVAILABLE || err->code == STATUS_DEADLINE;
    if (away)
        (void)snprintf(note, sizeof note, UNAVAILABLE_NOTE);
    else
        (void)snprintf(note, sizeof note, "waiting for suggestions: %.120s", err->text);
    set_level(refill, filling->need.sweep_id, 0, note);
    if (!refill->told_unavailable)
        log_warn(CONTROLLER_LOG, "no_suggestions", LOG_TEXT("sweep", filling->need.sweep_id), LOG_ERR(err));
    refill->told_unavailable = true;
}

/* Returns whether the queue is to be looked at again at once. */
static bool fill_one(struct refill *refill, const struct store_refill_need *need)
{
    struct filling filling = {.controller = refill->controller, .need = *need};
    struct err err = ERR_INIT;
    int64_t low = low_water(refill, need->sweep_id);
    if (need->queued >= low) {
        set_level(refill, need->sweep_id, need->queued, "");
        return false;
    }
    enum status status = fill_sweep(refill, &filling, low, &err);
    facts_release(filling.facts);
    if (status != STATUS_OK) {
        tell_failure(refill, &filling, &err);
        return false;
    }
    if (refill->told_unavailable && filling.taken)
        log_info(CONTROLLER_LOG, "suggestions_are_back", LOG_TEXT("sweep", need->sweep_id));
    refill->told_unavailable = refill->told_unavailable && !filling.taken;
    int64_t queued = need->queued + filling.inserted;
    set_level(refill, need->sweep_id, queued, "");
    return filling.inserted > 0 && queued < low && !filling.exhausted;
}

static int64_t highest_low_water(struct refill *refill)
{
    int64_t highest = LOW_WATER_MIN;
    char ids[LEVELS][ID_SIZE];
    pthread_mutex_lock(&refill->lock);
    for (size_t i = 0; i < LEVELS; i++)
        memcpy(ids[i], refill->levels[i].sweep_id, ID_SIZE);
    pthread_mutex_unlock(&refill->lock);
    for (size_t i = 0; i < LEVELS; i++) {
        int64_t low = ids[i][0] != '\0' ? low_water(refill, ids[i]) : 0;
        highest = low > highest ? low : highest;
    }
    return highest;
}

/* Returns whether a queue is still low although runs were added. */
static bool fill_round(struct refill *refill)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct listing listing = {.low = highest_low_water(refill)};
    struct err err = ERR_INIT;
    bool again = false;
    if (store_read(refill->controller->store, &arena, list_needs, &listing, &err) != STATUS_OK) {
        log_debug(CONTROLLER_LOG, "refill_needs_not_read", LOG_ERR(&err));
        return false;
    }
    for (size_t i = 0; i < listing.count; i++)
        again = fill_one(refill, &listing.needs[i]) || again;
    return again;
}

static void fill_all(void *context)
{
    struct refill *refill = context;
    for (int round = 0; round < ROUNDS_MAX && fill_round(refill); round++)
        ;
}

enum status refill_start(struct controller *controller, struct refill **out, struct err *err)
{
    struct refill *refill = calloc(1, sizeof *refill);
    *out = NULL;
    if (refill == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    refill->controller = controller;
    pthread_mutex_init(&refill->lock, NULL);
    *out = refill;
    enum status status = ticker_start("refill", INTERVAL_MS, fill_all, refill, &refill->ticker, err);
    if (status != STATUS_OK) {
        refill_stop(refill);
        *out = NULL;
    }
    return status;
}

void refill_stop(struct refill *refill)
{
    if (refill == NULL)
        return;
    ticker_stop(refill->ticker);
    pthread_mutex_destroy(&refill->lock);
    free(refill);
}

void refill_wake(struct refill *refill)
{
    ticker_wake(refill->ticker);
}
