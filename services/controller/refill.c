// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/refill.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "services/common/ticker.h"
#include "services/controller/claim.h"
#include "services/controller/fill.h"
#include "services/controller/learners.h"
#include "services/controller/metrics.h"
#include "services/controller/peer.h"
#include "services/controller/track.h"

#define INTERVAL_MS 500
#define LOW_WATER_MIN 16
#define LOW_WATER_MAX 2000
#define LEVELS 256
#define ROUNDS_MAX 16
#define LEARNERS 4 /* threads; each waits for one answer at a time */
#define NOTE_MAX 160
#define REASON_SHOWN 120
#define REFUSED_NOTE                                                                                       \
    "waiting for suggestions: the suggestion service does not accept the controller, whose log says what " \
    "to do"
#define UNAVAILABLE_NOTE "waiting for suggestions: the suggestion service is unavailable"

/* What is known of a sweep's queue without asking. */
struct level {
    char sweep_id[ID_SIZE];
    int64_t queued;                 /* estimate */
    int64_t taken, window_ms, rate; /* runs taken since window_ms; in the second before it */
    bool learns;
    char note[NOTE_MAX];
};

struct refill {
    struct controller *controller;
    struct ticker *ticker;     /* owned */
    struct learners *learners; /* owned */
    atomic_bool told_unavailable;
    pthread_mutex_t lock;
    struct level levels[LEVELS]; /* lock; two sweeps may share one, which costs a query */
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
    bool expected = level->queued <= 0 && !level->learns;
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

static void tell_failure(struct refill *refill, const char *sweep_id, struct err *err)
{
    char note[NOTE_MAX];
    bool away = err->code == STATUS_UNAVAILABLE || err->code == STATUS_DEADLINE;
    if (away)
        (void)snprintf(note, sizeof note, UNAVAILABLE_NOTE);
    else if (peer_own_refusal("suggestion", err))
        (void)snprintf(note, sizeof note, REFUSED_NOTE);
    else
        (void)snprintf(note, sizeof note, "waiting for suggestions: %.*s", utf8_fit(err->text, REASON_SHOWN),
                       err->text);
    set_level(refill, sweep_id, 0, note);
    controller_count(CONTROLLER_REFILLS, REFILL_METRIC_FAILED);
    if (!atomic_exchange(&refill->told_unavailable, true))
        log_warn(CONTROLLER_LOG, "no_suggestions", LOG_TEXT("sweep", sweep_id), LOG_ERR(err));
}

/* What a turn came to. */
static void tell_filled(struct refill *refill, const struct filling *filling, int64_t queued)
{
    controller_count(CONTROLLER_REFILLS,
                     filling->inserted > 0 ? REFILL_METRIC_FILLED : REFILL_METRIC_NOTHING);
    metric_add(&controller_metrics[CONTROLLER_SUGGESTED_RUNS], 0, filling->inserted);
    if (filling->taken && atomic_exchange(&refill->told_unavailable, false))
        log_info(CONTROLLER_LOG, "suggestions_are_back", LOG_TEXT("sweep", filling->need.sweep_id));
    set_level(refill, filling->need.sweep_id, queued, "");
}

/* Returns whether the queue is to be looked at again at once. */
static bool fill_low(struct refill *refill, const struct store_refill_need *need)
{
    struct filling filling = {.controller = refill->controller, .need = *need};
    struct err err = ERR_INIT;
    int64_t low = low_water(refill, need->sweep_id);
    if (need->queued >= low) {
        set_level(refill, need->sweep_id, need->queued, "");
        return false;
    }
    enum status status = fill_ahead(&filling, low, &err);
    facts_release(filling.facts);
    if (status != STATUS_OK) {
        tell_failure(refill, need->sweep_id, &err);
        return false;
    }
    int64_t queued = need->queued + filling.inserted;
    tell_filled(refill, &filling, queued);
    return filling.inserted > 0 && queued < low && !filling.exhausted;
}

/* Each turn is a request of its own, which the suggestion service logs as well. */
static bool fill_one(struct refill *refill, const struct store_refill_need *need)
{
    char request[RPC_REQUEST_ID_MAX + 1];
    rpc_request_id_make(request);
    (void)log_set_request(request);
    bool again = fill_low(refill, need);
    (void)log_set_request(NULL);
    return again;
}

/* On a thread of the learners. */
static void learn_one(void *context, const char *sweep_id, struct fill_memory *memory)
{
    struct refill *refill = context;
    char request[RPC_REQUEST_ID_MAX + 1];
    rpc_request_id_make(request);
    (void)log_set_request(request);
    struct filling filling = {.controller = refill->controller, .need = {.sweep_id = sweep_id}};
    struct err err = ERR_INIT;
    int64_t waiting = (int64_t)claims_count(refill->controller->claims, sweep_id);
    enum status status = fill_learning(&filling, memory, waiting, &err);
    facts_release(filling.facts);
    if (status == STATUS_OK)
        tell_filled(refill, &filling, filling.queue.queued + filling.inserted);
    else
        tell_failure(refill, sweep_id, &err);
    (void)log_set_request(NULL);
}

static void offer_one(struct refill *refill, const struct store_refill_need *need)
{
    pthread_mutex_lock(&refill->lock);
    obtain(refill, need->sweep_id)->learns = true;
    pthread_mutex_unlock(&refill->lock);
    const struct learners_offer offer = {
        .sweep_id = need->sweep_id,
        .cursor = need->queued == 0 ? need->result_cursor : LEARNERS_NO_CURSOR,
        .due = need->stale > 0 ||
               (int64_t)claims_count(refill->controller->claims, need->sweep_id) > need->queued};
    learners_offer(refill->learners, &offer);
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
        if (listing.needs[i].learns)
            offer_one(refill, &listing.needs[i]);
        else
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
    enum status status = learners_start(LEARNERS, learn_one, refill, &refill->learners, err);
    if (status == STATUS_OK)
        status = ticker_start("refill", INTERVAL_MS, fill_all, refill, &refill->ticker, err);
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
    learners_stop(refill->learners);
    pthread_mutex_destroy(&refill->lock);
    free(refill);
}

void refill_wake(struct refill *refill)
{
    ticker_wake(refill->ticker);
}
