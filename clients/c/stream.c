// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "internal.h"

/* `references`: the caller's handle and the open stream; whoever drops the last frees. */
struct besom_stream {
    pthread_mutex_t mutex; /* of all fields below `context` */
    pthread_cond_t closed_condition;
    besom_stream_handler handler;
    void *context;
    struct rpc_client_stream *rpc;
    int references;
    bool closed; /* on_close has returned */
};

static const struct rpc_client_method track_method = {
    .path = "/besom.v1.RunService/TrackRun",
    .request = &besom__v1__track_run_request__descriptor,
    .response = &besom__v1__track_run_response__descriptor,
};
static const struct rpc_client_method watch_method = {
    .path = "/besom.v1.SweepService/WatchSweep",
    .request = &besom__v1__watch_sweep_request__descriptor,
    .response = &besom__v1__watch_sweep_response__descriptor,
};
static const struct rpc_client_method metrics_method = {
    .path = "/besom.v1.RunService/ReadMetrics",
    .request = &besom__v1__read_metrics_request__descriptor,
    .response = &besom__v1__read_metrics_response__descriptor,
};
static const struct rpc_client_method logs_method = {
    .path = "/besom.v1.RunService/ReadLogs",
    .request = &besom__v1__read_logs_request__descriptor,
    .response = &besom__v1__read_logs_response__descriptor,
};

static void stream_unref(besom_stream *stream)
{
    pthread_mutex_lock(&stream->mutex);
    bool last = --stream->references == 0;
    pthread_mutex_unlock(&stream->mutex);
    if (!last)
        return;
    pthread_cond_destroy(&stream->closed_condition);
    pthread_mutex_destroy(&stream->mutex);
    free(stream);
}

/* Callbacks may run before rpc_client_stream_open has returned: whoever is first notes the handle, once. */
static void note_handle(besom_stream *stream, struct rpc_client_stream *rpc)
{
    pthread_mutex_lock(&stream->mutex);
    if (stream->rpc == NULL)
        stream->rpc = rpc;
    pthread_mutex_unlock(&stream->mutex);
}

static void enter_callback(besom_stream *stream, struct rpc_client_stream *rpc)
{
    note_handle(stream, rpc);
    callback_enter();
}

static void on_message(void *context, struct rpc_client_stream *rpc, const ProtobufCMessage *message)
{
    besom_stream *stream = context;
    enter_callback(stream, rpc);
    stream->handler.on_message(stream->context, message);
    callback_leave();
}

static void on_writable(void *context, struct rpc_client_stream *rpc)
{
    besom_stream *stream = context;
    if (stream->handler.on_writable == NULL)
        return;
    enter_callback(stream, rpc);
    stream->handler.on_writable(stream->context);
    callback_leave();
}

static void on_close(void *context, struct rpc_client_stream *rpc, const struct err *status)
{
    besom_stream *stream = context;
    besom_error error = {.code = BESOM_OK, .text = ""};
    if (status != NULL)
        error_export(&error, status);
    enter_callback(stream, rpc);
    if (stream->handler.on_close != NULL)
        stream->handler.on_close(stream->context, &error);
    callback_leave();
    pthread_mutex_lock(&stream->mutex);
    stream->closed = true;
    pthread_cond_broadcast(&stream->closed_condition);
    pthread_mutex_unlock(&stream->mutex);
    stream_unref(stream);
}

static const struct rpc_client_stream_handler rpc_handler = {
    .on_message = on_message, .on_writable = on_writable, .on_close = on_close};

static besom_stream *stream_new(const besom_stream_handler *handler, void *context)
{
    besom_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return NULL;
    stream->handler = *handler;
    stream->context = context;
    stream->references = 2;
    pthread_mutex_init(&stream->mutex, NULL);
    clock_cond_init(&stream->closed_condition);
    return stream;
}

static besom_status open_stream(besom_client *client, const struct rpc_client_method *method,
                                const besom_stream_handler *handler, void *context, besom_stream **out,
                                besom_error *error)
{
    *out = NULL;
    besom_stream *stream = stream_new(handler, context);
    if (stream == NULL)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    struct rpc_client_stream *rpc = NULL;
    struct err err = ERR_INIT;
    if (rpc_client_stream_open(client->channel, method, 0, &rpc_handler, stream, &rpc, &err) != STATUS_OK) {
        stream->references = 1;
        stream_unref(stream);
        return error_export(error, &err);
    }
    note_handle(stream, rpc);
    *out = stream;
    return BESOM_OK;
}

/* A stream with one request. */
static besom_status open_reading(besom_client *client, const struct rpc_client_method *method,
                                 const ProtobufCMessage *request, const besom_stream_handler *handler,
                                 void *context, besom_stream **out, besom_error *error)
{
    besom_status status = open_stream(client, method, handler, context, out, error);
    if (status != BESOM_OK)
        return status;
    assert(*out != NULL);
    /* A refusal means that the stream is closed already: on_close says why. */
    enum status sent = rpc_client_stream_send((*out)->rpc, request);
    if (sent == STATUS_OK)
        rpc_client_stream_half_close((*out)->rpc);
    return BESOM_OK;
}

besom_status besom_run_track(besom_client *client, const besom_stream_handler *handler, void *context,
                             besom_stream **out, besom_error *error)
{
    return open_stream(client, &track_method, handler, context, out, error);
}

besom_status besom_run_track_send(besom_stream *stream, const Besom__V1__TrackRunRequest *message)
{
    return (besom_status)status_info(rpc_client_stream_send(stream->rpc, &message->base))->grpc;
}

besom_status besom_sweep_watch(besom_client *client, const Besom__V1__WatchSweepRequest *request,
                               const besom_stream_handler *handler, void *context, besom_stream **out,
                               besom_error *error)
{
    return open_reading(client, &watch_method, &request->base, handler, context, out, error);
}

besom_status besom_run_metrics(besom_client *client, const Besom__V1__ReadMetricsRequest *request,
                               const besom_stream_handler *handler, void *context, besom_stream **out,
                               besom_error *error)
{
    return open_reading(client, &metrics_method, &request->base, handler, context, out, error);
}

besom_status besom_run_logs(besom_client *client, const Besom__V1__ReadLogsRequest *request,
                            const besom_stream_handler *handler, void *context, besom_stream **out,
                            besom_error *error)
{
    return open_reading(client, &logs_method, &request->base, handler, context, out, error);
}

void besom_stream_half_close(besom_stream *stream)
{
    rpc_client_stream_half_close(stream->rpc);
}

void besom_stream_free(besom_stream *stream)
{
    if (stream == NULL)
        return;
    pthread_mutex_lock(&stream->mutex);
    bool closed = stream->closed;
    pthread_mutex_unlock(&stream->mutex);
    if (!closed)
        rpc_client_stream_cancel(stream->rpc);
    if (!callback_is_running()) {
        besom_status waited = besom_stream_wait(stream, -1);
        (void)waited;
    }
    rpc_client_stream_release(stream->rpc);
    stream_unref(stream);
}

besom_status besom_stream_wait(besom_stream *stream, int64_t timeout_ms)
{
    int64_t end_ms = clock_monotonic_ms(&clock_system) + timeout_ms;
    pthread_mutex_lock(&stream->mutex);
    while (!stream->closed) {
        int64_t left_ms = timeout_ms < 0 ? 3600000 : end_ms - clock_monotonic_ms(&clock_system);
        if (left_ms <= 0)
            break;
        (void)clock_cond_wait(&stream->closed_condition, &stream->mutex, left_ms);
    }
    bool closed = stream->closed;
    pthread_mutex_unlock(&stream->mutex);
    return closed ? BESOM_OK : BESOM_DEADLINE;
}
