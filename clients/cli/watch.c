// SPDX-License-Identifier: GPL-3.0-or-later
#include "watch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "entity.h"

#define REOPEN_MS 500

struct watch {
    besom_client *client;
    char *sweep_id;       /* owned */
    besom_stream *stream; /* owned; NULL = to be opened */
    int64_t reopen_at_ms;
    bool ended; /* the last picture showed the end */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    Besom__V1__WatchSweepResponse *newest; /* owned; under mutex */
    bool closed;                           /* under mutex */
    besom_error close_error;               /* under mutex */
};

static Besom__V1__WatchSweepResponse *copy_picture(const void *message)
{
    const ProtobufCMessage *base = message;
    size_t size = protobuf_c_message_get_packed_size(base);
    uint8_t *bytes = malloc(size + 1);
    if (bytes == NULL)
        return NULL;
    protobuf_c_message_pack(base, bytes);
    Besom__V1__WatchSweepResponse *copy = besom__v1__watch_sweep_response__unpack(NULL, size, bytes);
    free(bytes);
    return copy;
}

static void on_message(void *context, const void *message)
{
    struct watch *watch = context;
    Besom__V1__WatchSweepResponse *picture = copy_picture(message);
    pthread_mutex_lock(&watch->mutex);
    besom_message_free(watch->newest);
    watch->newest = picture;
    pthread_cond_signal(&watch->changed);
    pthread_mutex_unlock(&watch->mutex);
}

static void on_close(void *context, const besom_error *error)
{
    struct watch *watch = context;
    pthread_mutex_lock(&watch->mutex);
    watch->closed = true;
    watch->close_error = *error;
    pthread_cond_signal(&watch->changed);
    pthread_mutex_unlock(&watch->mutex);
}

struct watch *watch_new(besom_client *client, const char *sweep_id)
{
    struct watch *watch = calloc(1, sizeof *watch);
    char *copy = strdup(sweep_id);
    if (watch == NULL || copy == NULL) {
        free(watch);
        free(copy);
        return NULL;
    }
    watch->client = client;
    watch->sweep_id = copy;
    pthread_mutex_init(&watch->mutex, NULL);
    clock_cond_init(&watch->changed);
    return watch;
}

static void drop_stream(struct watch *watch)
{
    if (watch->stream != NULL)
        besom_stream_free(watch->stream);
    watch->stream = NULL;
    watch->reopen_at_ms = clock_monotonic_ms(&clock_system) + REOPEN_MS;
}

void watch_free(struct watch *watch)
{
    if (watch == NULL)
        return;
    drop_stream(watch);
    besom_message_free(watch->newest);
    pthread_mutex_destroy(&watch->mutex);
    pthread_cond_destroy(&watch->changed);
    free(watch->sweep_id);
    free(watch);
}

static bool may_come_back(besom_status code)
{
    return code == BESOM_UNAVAILABLE || code == BESOM_DEADLINE || code == BESOM_EXHAUSTED ||
           code == BESOM_CANCELLED || code == BESOM_OK;
}

static besom_status open_stream(struct watch *watch, besom_error *error)
{
    static const besom_stream_handler handler = {.on_message = on_message, .on_close = on_close};
    Besom__V1__WatchSweepRequest request = BESOM__V1__WATCH_SWEEP_REQUEST__INIT;
    request.sweep_id = watch->sweep_id;
    watch->closed = false;
    return besom_sweep_watch(watch->client, &request, &handler, watch, &watch->stream, error);
}

/* The mutex is held. */
static enum watch_event take(struct watch *watch, Besom__V1__WatchSweepResponse **picture, besom_error *error)
{
    if (watch->newest != NULL) {
        *picture = watch->newest;
        watch->newest = NULL;
        watch->ended = (*picture)->sweep != NULL && entity_sweep_has_ended((*picture)->sweep);
        return WATCH_PICTURE;
    }
    if (!watch->closed)
        return WATCH_NOTHING;
    if (watch->close_error.code == BESOM_OK && watch->ended)
        return WATCH_ENDED;
    *error = watch->close_error;
    return may_come_back(watch->close_error.code) ? WATCH_AWAY : WATCH_FAILED;
}

enum watch_event watch_next(struct watch *watch, int timeout_ms, Besom__V1__WatchSweepResponse **picture,
                            besom_error *error)
{
    *picture = NULL;
    int64_t until = clock_monotonic_ms(&clock_system) + timeout_ms;
    if (watch->stream == NULL && clock_monotonic_ms(&clock_system) >= watch->reopen_at_ms &&
        open_stream(watch, error) != BESOM_OK) {
        drop_stream(watch);
        return may_come_back(error->code) ? WATCH_AWAY : WATCH_FAILED;
    }
    pthread_mutex_lock(&watch->mutex);
    enum watch_event event = take(watch, picture, error);
    for (int64_t left = timeout_ms; event == WATCH_NOTHING && left > 0;
         left = until - clock_monotonic_ms(&clock_system)) {
        (void)clock_cond_wait(&watch->changed, &watch->mutex, left);
        event = take(watch, picture, error);
    }
    bool reopen = event == WATCH_AWAY;
    if (reopen)
        watch->closed = false;
    pthread_mutex_unlock(&watch->mutex);
    if (reopen)
        drop_stream(watch);
    return event;
}
