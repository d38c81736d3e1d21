// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "rpc/backoff.h"
#include "rpc/client_internal.h"
#include "rpc/codec.h"
#include "rpc/wire_status.h"

#define TIMEOUT_MS 30000
#define ATTEMPTS 5
#define LOOK_MS 10 /* how soon a connection that is back is noticed */

/* ---- blocking ---- */

/* One blocking call over its tries. */
struct unary {
    struct rpc_channel *channel;
    const struct rpc_client_method *method;
    const ProtobufCMessage *request;
    int64_t end_ms; /* monotonic */
    int64_t attempt_ms;
    int attempts;
    bool retry;       /* whether the last failure may be tried again */
    int64_t retry_ms; /* when, by the server's word; 0 = it gave none */
};

static bool may_retry(const struct unary *unary, const struct client_call *call, enum status status)
{
    if (client_call_never_left(call))
        return true;
    if (!unary->method->idempotent)
        return false;
    /* a try's own deadline, not the whole call's */
    if (status == STATUS_DEADLINE)
        return unary->attempt_ms > 0;
    return status == STATUS_UNAVAILABLE || status == STATUS_EXHAUSTED;
}

static enum status try_once(struct unary *unary, ProtobufCMessage **response, struct err *err)
{
    grpc_byte_buffer *request;
    unary->retry = false;
    TRY(codec_pack(unary->request, unary->channel->options.max_message_bytes, &request, err));
    int64_t left_ms = unary->end_ms - clock_monotonic_ms(&clock_system);
    if (unary->attempt_ms > 0 && unary->attempt_ms < left_ms)
        left_ms = unary->attempt_ms;
    struct client_call call;
    grpc_completion_queue *queue = client_loop_borrow();
    client_call_init(&call, unary->channel, unary->method, left_ms > 0 ? left_ms : 1, queue);
    client_call_start_unary(&call, unary->channel, request, &call);
    grpc_byte_buffer_destroy(request);
    grpc_completion_queue_pluck(queue, &call, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    enum status status = client_call_result(&call, unary->channel, unary->method, response, err);
    unary->retry = status != STATUS_OK && may_retry(unary, &call, status);
    unary->retry_ms = wire_status_retry_ms(&call.trailers);
    client_call_free(&call);
    client_loop_return(queue);
    return status;
}

static void rest(int64_t ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

/* Asking makes the core try to connect. */
static bool is_connected(const struct unary *unary)
{
    grpc_channel *core = channel_hold(unary->channel);
    bool connected = grpc_channel_check_connectivity_state(core, 1) == GRPC_CHANNEL_READY;
    channel_release(unary->channel);
    return connected;
}

/* Sleeps before the next try; false when the deadline comes first. Pauses spare a server that is there: once
 * a lost connection is back, which has pauses of its own, the try is due. */
static bool wait_before_retry(const struct unary *unary, int failures)
{
    int64_t delay_ms = unary->retry_ms + backoff_delay_ms(failures, unary->channel->options.random);
    int64_t now_ms = clock_monotonic_ms(&clock_system), due_ms = now_ms + delay_ms;
    if (due_ms >= unary->end_ms)
        return false;
    if (unary->retry_ms > 0 || is_connected(unary)) {
        rest(delay_ms);
        return true;
    }
    for (; now_ms < due_ms && !is_connected(unary); now_ms = clock_monotonic_ms(&clock_system))
        rest(due_ms - now_ms < LOOK_MS ? due_ms - now_ms : LOOK_MS);
    return true;
}

enum status rpc_unary(struct rpc_channel *channel, const struct rpc_client_method *method,
                      const ProtobufCMessage *request, const struct rpc_call_options *options,
                      ProtobufCMessage **response, struct err *err)
{
    static const struct rpc_call_options defaults = {0};
    struct err own = ERR_INIT;
    if (options == NULL)
        options = &defaults;
    if (err == NULL)
        err = &own;
    int64_t timeout_ms = options->timeout_ms != 0 ? options->timeout_ms : TIMEOUT_MS;
    struct unary unary = {.channel = channel,
                          .method = method,
                          .request = request,
                          .end_ms = clock_monotonic_ms(&clock_system) + timeout_ms,
                          .attempt_ms = options->attempt_timeout_ms,
                          .attempts = options->max_attempts != 0 ? options->max_attempts : ATTEMPTS};
    for (int attempt = 1;; attempt++) {
        enum status status = try_once(&unary, response, err);
        if (!unary.retry || attempt >= unary.attempts || !wait_before_retry(&unary, attempt))
            return status;
    }
}

/* ---- asynchronous ---- */

struct rpc_async_call {
    struct rpc_event event;
    struct client_call call;
    struct rpc_channel *channel;
    const struct rpc_client_method *method;
    rpc_async_done *done;
    void *context;
    struct err *refusal; /* owned; why nothing was sent, else NULL */
};

static void on_done(struct rpc_event *event, bool ok)
{
    (void)ok;
    struct rpc_async_call *async = EVENT_OWNER(event, struct rpc_async_call, event);
    struct err err = ERR_INIT;
    ProtobufCMessage *response = NULL;
    if (async->refusal != NULL)
        err = *async->refusal;
    else if (client_call_result(&async->call, async->channel, async->method, &response, &err) != STATUS_OK)
        response = NULL;
    async->done(async->context, response, &err);
    if (response != NULL)
        protobuf_c_message_free_unpacked(response, NULL);
    client_call_free(&async->call);
    free(async->refusal);
    free(async);
}

/* Lets `done` hear of it on the event thread, by a batch without operations. */
static void refuse(struct rpc_async_call *async, const struct err *err)
{
    async->refusal = malloc(sizeof *async->refusal);
    if (async->refusal == NULL)
        abort();
    *async->refusal = *err;
    event_start(async->call.core, NULL, 0, &async->event);
}

struct rpc_async_call *rpc_unary_async(struct rpc_channel *channel, const struct rpc_client_method *method,
                                       const ProtobufCMessage *request, int64_t timeout_ms,
                                       rpc_async_done *done, void *context)
{
    struct rpc_async_call *async = calloc(1, sizeof *async);
    if (async == NULL)
        abort(); /* a caller cannot be told: it waits for `done` */
    async->event.run = on_done;
    async->channel = channel;
    async->method = method;
    async->done = done;
    async->context = context;
    client_call_init(&async->call, channel, method, timeout_ms != 0 ? timeout_ms : TIMEOUT_MS,
                     client_loop_queue());
    grpc_byte_buffer *bytes;
    struct err err = ERR_INIT;
    if (codec_pack(request, channel->options.max_message_bytes, &bytes, &err) != STATUS_OK) {
        refuse(async, &err);
        return async;
    }
    client_call_start_unary(&async->call, channel, bytes, &async->event);
    grpc_byte_buffer_destroy(bytes);
    return async;
}

void rpc_async_cancel(struct rpc_async_call *call)
{
    grpc_call_cancel(call->call.core, NULL);
}
