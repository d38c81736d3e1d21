// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/watch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "services/common/ticker.h"
#include "services/controller/claim.h"
#include "services/controller/facts.h"
#include "services/controller/meter.h"
#include "services/controller/picture.h"
#include "services/controller/request.h"
#include "services/controller/standbys.h"

#define INTERVAL_MS 250
#define HEARTBEAT_MS 5000
#define RUNNING_MAX 100
#define STANDBYS_AGE_MS 2000
#define RUNNING_STATES "assigned,running,preempting"

struct watcher {
    struct watcher *next, **link; /* watch's lock; link NULL = not in the list */
    struct rpc_stream *stream;    /* a reference, given back when it is taken off the list */
    char sweep_id[ID_SIZE];
    uint64_t seen;   /* watch's lock; hash of the last picture sent, 0 = none */
    int64_t sent_ms; /* watch's lock */
};

struct watch {
    struct controller *controller;
    struct ticker *ticker; /* owned */
    pthread_mutex_t lock;
    struct watcher *watchers; /* lock */
    bool draining;            /* lock */
};

/* One sweep's picture. */
struct picture {
    struct controller *controller;
    char sweep_id[ID_SIZE];
    Besom__V1__WatchSweepResponse *response;
};

/* ---- the picture ---- */

static enum status count_agents(struct store_tx *tx, const struct picture *picture, int64_t *out,
                                struct err *err)
{
    struct store_agent *agents;
    int64_t uptime_ms, now_us, lease_us = picture->controller->options->lease_ms * 1000;
    size_t count;
    *out = 0;
    TRY(store_list_agents(tx, picture->sweep_id, NULL, &agents, &count, err));
    TRY(store_get_uptime(tx, &uptime_ms, &now_us, err));
    for (size_t i = 0; i < count; i++)
        *out += agents[i].retired_us == 0 && now_us - agents[i].seen_us <= lease_us;
    return STATUS_OK;
}

/* Longest first, which is the order of starts. */
static int compare_starts(const void *a, const void *b)
{
    const struct store_run *left = a, *right = b;
    int64_t x = left->started_us != 0 ? left->started_us : INT64_MAX;
    int64_t y = right->started_us != 0 ? right->started_us : INT64_MAX;
    return x != y ? (x > y) - (x < y) : (left->ordinal > right->ordinal) - (left->ordinal < right->ordinal);
}

static enum status add_running(struct store_tx *tx, const struct picture *picture, struct err *err)
{
    Besom__V1__WatchSweepResponse *response = picture->response;
    size_t others = protobuf_c_message_get_packed_size(&response->base), count;
    struct store_run *runs;
    TRY(store_list_runs(tx, picture->sweep_id, RUNNING_STATES, STORE_BY_ORDINAL, 0, RUNNING_MAX, &runs,
                        &count, err));
    if (count > 1)
        qsort(runs, count, sizeof *runs, compare_starts);
    return picture_runs(tx, picture->sweep_id, runs, count,
                        others < PICTURE_MESSAGE_MAX ? PICTURE_MESSAGE_MAX - others : 0, &response->running,
                        &response->n_running, err);
}

static enum status add_warnings(struct store_tx *tx, const struct picture *picture, struct err *err)
{
    Besom__V1__WatchSweepResponse *response = picture->response;
    struct arena *arena = store_tx_arena(tx);
    char text[STANDBYS_TEXT_MAX] = "";
    if (picture->controller->standbys != NULL)
        standbys_warn(picture->controller->standbys, text);
    if (text[0] == '\0')
        return STATUS_OK;
    Besom__V1__Warning *warning = MESSAGE_NEW(arena, Besom__V1__Warning, besom__v1__warning__init);
    response->warnings = arena_calloc(arena, 1, sizeof(*response->warnings));
    if (warning == NULL || response->warnings == NULL || (warning->text = arena_strdup(arena, text)) == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    warning->code = (char *)STANDBYS_CODE;
    response->warnings[response->n_warnings++] = warning;
    return STATUS_OK;
}

static enum status add_waiting(struct store_tx *tx, const struct picture *picture, struct err *err)
{
    struct controller *controller = picture->controller;
    char reason[CLAIM_REASON_MAX];
    claims_get_shortage(controller->claims, picture->sweep_id, reason);
    picture->response->waiting_reason = arena_strdup(store_tx_arena(tx), reason);
    return picture->response->waiting_reason != NULL ? STATUS_OK
                                                     : err_set(err, STATUS_NO_MEMORY, "out of memory");
}

static enum status take_picture(struct store_tx *tx, void *context, struct err *err)
{
    struct picture *picture = context;
    Besom__V1__WatchSweepResponse *response =
        MESSAGE_NEW(store_tx_arena(tx), Besom__V1__WatchSweepResponse, besom__v1__watch_sweep_response__init);
    if (response == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    picture->response = response;
    TRY(picture_sweep(tx, picture->sweep_id, &response->sweep, err));
    TRY(picture_best(tx, picture->sweep_id, &response->best, err));
    TRY(add_warnings(tx, picture, err));
    TRY(add_waiting(tx, picture, err));
    TRY(add_running(tx, picture, err));
    TRY(store_count_recent_ends(tx, picture->sweep_id, &response->ended_last_minute, err));
    return count_agents(tx, picture, &response->agents, err);
}

static bool is_over(const Besom__V1__WatchSweepResponse *response)
{
    return response->sweep->state >= BESOM__V1__SWEEP_STATE__SWEEP_STATE_FINISHED &&
           response->sweep->counts->running == 0;
}

/* FNV-1a of the packed picture without what flows by itself (time run, rate); never 0. */
static uint64_t hash_picture(Besom__V1__WatchSweepResponse *response, struct arena *arena)
{
    double rate = response->points_per_second;
    int64_t time_ms = response->sweep->run_time_ms;
    response->points_per_second = 0;
    response->sweep->run_time_ms = 0;
    size_t size = protobuf_c_message_get_packed_size(&response->base);
    unsigned char *bytes = arena_alloc(arena, size + 1);
    uint64_t hash = 14695981039346656037u;
    if (bytes != NULL)
        (void)protobuf_c_message_pack(&response->base, bytes);
    for (size_t i = 0; i < size && bytes != NULL; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    response->points_per_second = rate;
    response->sweep->run_time_ms = time_ms;
    return hash | 1;
}

/* ---- those who watch ---- */

/* With the lock held. */
static void take_off(struct watcher *watcher)
{
    *watcher->link = watcher->next;
    if (watcher->next != NULL)
        watcher->next->link = watcher->link;
    watcher->link = NULL;
}

static void show(struct watch *watch, const char *sweep_id, const Besom__V1__WatchSweepResponse *response,
                 uint64_t hash, int64_t now_ms)
{
    pthread_mutex_lock(&watch->lock);
    for (struct watcher *watcher = watch->watchers; watcher != NULL; watcher = watcher->next) {
        bool due = watcher->seen != hash || now_ms - watcher->sent_ms >= HEARTBEAT_MS;
        if (strcmp(watcher->sweep_id, sweep_id) != 0 || !due)
            continue;
        /* a slow watcher skips pictures, but the last one */
        if (rpc_stream_send(watcher->stream, &response->base) != STATUS_OK)
            continue;
        watcher->seen = hash;
        watcher->sent_ms = now_ms;
        if (is_over(response))
            rpc_stream_finish(watcher->stream, NULL);
    }
    pthread_mutex_unlock(&watch->lock);
}

static void fail_sweep(struct watch *watch, const char *sweep_id, const struct err *err)
{
    pthread_mutex_lock(&watch->lock);
    for (struct watcher *watcher = watch->watchers; watcher != NULL; watcher = watcher->next)
        if (strcmp(watcher->sweep_id, sweep_id) == 0)
            rpc_stream_finish(watcher->stream, err);
    pthread_mutex_unlock(&watch->lock);
}

static void look_at(struct watch *watch, const char *sweep_id)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct picture picture = {.controller = watch->controller};
    struct err err = ERR_INIT;
    int64_t now_ms = clock_monotonic_ms(&clock_system);
    memcpy(picture.sweep_id, sweep_id, ID_SIZE);
    enum status status = store_read(watch->controller->store, &arena, take_picture, &picture, &err);
    if (status == STATUS_OK) {
        picture.response->points_per_second = meter_rate(watch->controller->meter, sweep_id, now_ms);
        show(watch, sweep_id, picture.response, hash_picture(picture.response, &arena), now_ms);
    } else if (!status_info(status)->retry) {
        fail_sweep(watch, sweep_id, &err);
    }
}

/* The id after `last` among watched sweeps; false at the end. */
static bool next_sweep(struct watch *watch, char last[ID_SIZE])
{
    char best[ID_SIZE] = "";
    pthread_mutex_lock(&watch->lock);
    for (const struct watcher *watcher = watch->watchers; watcher != NULL; watcher = watcher->next)
        if (strcmp(watcher->sweep_id, last) > 0 && (best[0] == '\0' || strcmp(watcher->sweep_id, best) < 0))
            memcpy(best, watcher->sweep_id, ID_SIZE);
    pthread_mutex_unlock(&watch->lock);
    memcpy(last, best, ID_SIZE);
    return best[0] != '\0';
}

static void look_at_all(void *context)
{
    struct watch *watch = context;
    char sweep_id[ID_SIZE] = "";
    while (next_sweep(watch, sweep_id)) {
        if (watch->controller->standbys != NULL)
            standbys_look(watch->controller->standbys, STANDBYS_AGE_MS);
        look_at(watch, sweep_id);
    }
}

enum status watch_start(struct controller *controller, struct watch **out, struct err *err)
{
    struct watch *watch = calloc(1, sizeof *watch);
    *out = NULL;
    if (watch == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    watch->controller = controller;
    pthread_mutex_init(&watch->lock, NULL);
    enum status status = ticker_start("watch", INTERVAL_MS, look_at_all, watch, &watch->ticker, err);
    if (status != STATUS_OK) {
        watch_stop(watch);
        return status;
    }
    *out = watch;
    return STATUS_OK;
}

static void send_away(struct rpc_stream *stream)
{
    struct err err = ERR_INIT;
    err_set(&err, STATUS_UNAVAILABLE, "the controller is restarting");
    rpc_stream_finish(stream, &err);
}

void watch_drain(struct watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    watch->draining = true;
    for (struct watcher *watcher = watch->watchers; watcher != NULL; watcher = watcher->next)
        send_away(watcher->stream);
    pthread_mutex_unlock(&watch->lock);
}

void watch_stop(struct watch *watch)
{
    if (watch == NULL)
        return;
    ticker_stop(watch->ticker);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
}

/* ---- the stream ---- */

static enum status check(struct controller *controller, struct rpc_stream *stream, const char *sweep_id,
                         struct err *err)
{
    const struct facts *facts CLEANUP(facts_release_at) = NULL;
    TRY(request_check_id("sweep", sweep_id, err));
    TRY(request_allow(controller, rpc_stream_identity(stream), sweep_id, err));
    return facts_get(controller->facts, sweep_id, 0, &facts, err);
}

static void on_open(void *service, struct rpc_stream *stream, const ProtobufCMessage *message)
{
    struct controller *controller = service;
    const Besom__V1__WatchSweepRequest *request = (const void *)message;
    struct watcher *watcher = NULL;
    struct err err = ERR_INIT;
    enum status status = check(controller, stream, request->sweep_id, &err);
    if (status == STATUS_OK && (watcher = calloc(1, sizeof *watcher)) == NULL)
        status = err_set(&err, STATUS_NO_MEMORY, "out of memory");
    if (status != STATUS_OK) {
        rpc_stream_finish(stream, &err);
        return;
    }
    struct watch *watch = controller->watch;
    watcher->stream = rpc_stream_ref(stream);
    memcpy(watcher->sweep_id, request->sweep_id, ID_SIZE);
    rpc_stream_set_context(stream, watcher);
    pthread_mutex_lock(&watch->lock);
    watcher->next = watch->watchers;
    watcher->link = &watch->watchers;
    if (watcher->next != NULL)
        watcher->next->link = &watcher->next;
    watch->watchers = watcher;
    if (watch->draining)
        send_away(stream);
    pthread_mutex_unlock(&watch->lock);
    ticker_wake(watch->ticker);
}

static void on_close(void *service, struct rpc_stream *stream, bool cancelled)
{
    struct controller *controller = service;
    struct watcher *watcher = rpc_stream_context(stream);
    (void)cancelled;
    if (watcher == NULL)
        return;
    pthread_mutex_lock(&controller->watch->lock);
    take_off(watcher);
    pthread_mutex_unlock(&controller->watch->lock);
    rpc_stream_unref(watcher->stream);
    free(watcher);
}

const struct rpc_stream_handler watch_handler = {.on_open = on_open, .on_close = on_close};
