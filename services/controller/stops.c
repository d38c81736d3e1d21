// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/stops.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "db/store/stops.h"
#include "services/common/ticker.h"
#include "services/controller/metrics.h"
#include "services/controller/peer.h"
#include "services/controller/wake.h"

#define INTERVAL_MS 1000
#define CALL_TIMEOUT_MS 5000

struct asking {
    struct asking *next; /* lock */
    struct stops *stops;
    char sweep_id[ID_SIZE];
    bool again; /* lock; nudged while under way */
};

struct stops {
    struct controller *controller;
    struct ticker *ticker; /* owned */
    pthread_mutex_t lock;
    pthread_cond_t idle;
    struct asking *under_way; /* lock */
    bool stopping;            /* lock */
    bool told;                /* lock; the outage is in the log */
};

static void decided(void *context, const void *response, const besom_error *error);

/* With the lock held; false when the call could not be made. */
static bool call(struct asking *asking)
{
    Besom__V1__DecideStopsRequest request = BESOM__V1__DECIDE_STOPS_REQUEST__INIT;
    request.sweep_id = asking->sweep_id;
    asking->again = false;
    besom_call *under_way = besom_stops_decide_async(asking->stops->controller->scheduler, &request,
                                                     CALL_TIMEOUT_MS, decided, asking);
    bool made = under_way != NULL;
    besom_call_free(under_way);
    return made;
}

static void forget(struct stops *stops, struct asking *asking)
{
    struct asking **link = &stops->under_way;
    while (*link != asking)
        link = &(*link)->next;
    *link = asking->next;
    if (stops->under_way == NULL)
        pthread_cond_broadcast(&stops->idle);
    free(asking);
}

static void tell(struct stops *stops, const char *sweep_id, const besom_error *error)
{
    bool bad = error->code != BESOM_OK && error->code != BESOM_CONFLICT;
    controller_count(CONTROLLER_STOP_CALLS, bad ? OUTCOME_METRIC_FAILED : OUTCOME_METRIC_DONE);
    if (bad && !stops->told) {
        struct err err = ERR_INIT;
        (void)err_set(&err, status_from_grpc((int)error->code), "%s", error->text);
        (void)peer_own_refusal("scheduler", &err);
        log_warn(CONTROLLER_LOG, "no_stop_decisions", LOG_TEXT("sweep", sweep_id), LOG_ERR(&err));
    }
    if (!bad && stops->told)
        log_info(CONTROLLER_LOG, "stop_decisions_are_back", LOG_TEXT("sweep", sweep_id));
    stops->told = bad;
}

static void decided(void *context, const void *response, const besom_error *error)
{
    struct asking *asking = context;
    struct stops *stops = asking->stops;
    const Besom__V1__DecideStopsResponse *decisions = response;
    if (error->code == BESOM_OK && decisions != NULL && decisions->stops > 0)
        wake_sweep(stops->controller, asking->sweep_id);
    pthread_mutex_lock(&stops->lock);
    tell(stops, asking->sweep_id, error);
    if (!asking->again || stops->stopping || error->code != BESOM_OK || !call(asking))
        forget(stops, asking);
    pthread_mutex_unlock(&stops->lock);
}

static struct asking *find(struct stops *stops, const char *sweep_id)
{
    for (struct asking *asking = stops->under_way; asking != NULL; asking = asking->next)
        if (strcmp(asking->sweep_id, sweep_id) == 0)
            return asking;
    return NULL;
}

static void ask(struct stops *stops, const char *sweep_id)
{
    struct asking *asking = calloc(1, sizeof *asking);
    if (asking == NULL)
        return;
    asking->stops = stops;
    (void)snprintf(asking->sweep_id, sizeof asking->sweep_id, "%s", sweep_id);
    asking->next = stops->under_way;
    stops->under_way = asking;
    if (!call(asking))
        forget(stops, asking);
}

void stops_nudge(struct stops *stops, const char *sweep_id)
{
    pthread_mutex_lock(&stops->lock);
    struct asking *asking = find(stops, sweep_id);
    if (asking != NULL)
        asking->again = true;
    else if (!stops->stopping)
        ask(stops, sweep_id);
    pthread_mutex_unlock(&stops->lock);
}

struct listing {
    const char **sweep_ids;
    size_t count;
};

/* ---- runs that pause ---- */

struct closing {
    const char **sweep_ids;
    size_t count;
    struct store_left_paused *left;
    size_t left_count;
};

static enum status close_cohorts(struct store_tx *tx, void *context, struct err *err)
{
    struct closing *closing = context;
    return store_close_cohorts(tx, &closing->sweep_ids, &closing->count, err);
}

static enum status list_left(struct store_tx *tx, void *context, struct err *err)
{
    struct closing *closing = context;
    return store_list_left_paused(tx, &closing->left, &closing->left_count, err);
}

static enum status end_left(struct store_tx *tx, void *context, struct err *err)
{
    const struct store_left_paused *left = context;
    bool canceled = strcmp(left->state, "canceled") == 0;
    return store_end_paused_runs(tx, left->sweep_id, canceled ? "killed" : "stopped",
                                 canceled ? "user" : "early_stop", err);
}

/* Runs that were on their way to a pause when their sweep ended. */
static void end_left_runs(struct stops *stops, const struct closing *closing)
{
    for (size_t i = 0; i < closing->left_count; i++) {
        struct arena arena CLEANUP(arena_free) = arena_make(0);
        struct err err = ERR_INIT;
        if (store_transaction(stops->controller->store, &arena, end_left, &closing->left[i], &err) !=
            STATUS_OK)
            log_warn(CONTROLLER_LOG, "paused_runs_not_ended", LOG_TEXT("sweep", closing->left[i].sweep_id),
                     LOG_ERR(&err));
    }
}

static void look_at_pauses(struct stops *stops)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct closing closing = {.count = 0};
    struct err err = ERR_INIT;
    if (store_read(stops->controller->store, &arena, list_left, &closing, &err) == STATUS_OK)
        end_left_runs(stops, &closing);
    arena_reset(&arena);
    if (store_transaction(stops->controller->store, &arena, close_cohorts, &closing, &err) != STATUS_OK)
        log_debug(CONTROLLER_LOG, "cohorts_not_closed", LOG_ERR(&err));
}

/* ---- looking ---- */

static enum status list_undecided(struct store_tx *tx, void *context, struct err *err)
{
    struct listing *listing = context;
    return store_list_undecided(tx, &listing->sweep_ids, &listing->count, err);
}

static void look(void *context)
{
    struct stops *stops = context;
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct listing listing = {.count = 0};
    struct err err = ERR_INIT;
    look_at_pauses(stops);
    if (store_read(stops->controller->store, &arena, list_undecided, &listing, &err) != STATUS_OK) {
        log_debug(CONTROLLER_LOG, "undecided_not_read", LOG_ERR(&err));
        return;
    }
    for (size_t i = 0; i < listing.count; i++)
        stops_nudge(stops, listing.sweep_ids[i]);
}

void stops_look(struct stops *stops)
{
    ticker_wake(stops->ticker);
}

enum status stops_start(struct controller *controller, struct stops **out, struct err *err)
{
    struct stops *stops = calloc(1, sizeof *stops);
    *out = NULL;
    if (stops == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    stops->controller = controller;
    pthread_mutex_init(&stops->lock, NULL);
    clock_cond_init(&stops->idle);
    enum status status = ticker_start("stops", INTERVAL_MS, look, stops, &stops->ticker, err);
    if (status != STATUS_OK) {
        stops_stop(stops);
        return status;
    }
    *out = stops;
    return STATUS_OK;
}

void stops_stop(struct stops *stops)
{
    if (stops == NULL)
        return;
    ticker_stop(stops->ticker);
    pthread_mutex_lock(&stops->lock);
    stops->stopping = true;
    while (stops->under_way != NULL)
        pthread_cond_wait(&stops->idle, &stops->lock);
    pthread_mutex_unlock(&stops->lock);
    pthread_cond_destroy(&stops->idle);
    pthread_mutex_destroy(&stops->lock);
    free(stops);
}
