// SPDX-License-Identifier: Apache-2.0
#include "rpc_echo.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

typedef Besom__Test__V1__EchoRequest echo_request;
typedef Besom__Test__V1__EchoResponse echo_response;

struct echo_parked {
    struct echo_parked *next, **link;
    struct echo *echo;
    struct rpc_call *call;
    bool listed, cancelled; /* the echo's lock */
};

/* One open stream. */
struct talk {
    atomic_int inside; /* callbacks running now */
    char text[4096];
    unsigned count;
    unsigned left; /* of a spread */
};

void echo_init(struct echo *echo)
{
    *echo = (struct echo){.parked = NULL};
    pthread_mutex_init(&echo->lock, NULL);
    clock_cond_init(&echo->changed);
}

void echo_destroy(struct echo *echo)
{
    pthread_cond_destroy(&echo->changed);
    pthread_mutex_destroy(&echo->lock);
}

static void bump(struct echo *echo, unsigned *counter)
{
    pthread_mutex_lock(&echo->lock);
    ++*counter;
    pthread_cond_broadcast(&echo->changed);
    pthread_mutex_unlock(&echo->lock);
}

bool echo_wait(struct echo *echo, const unsigned *counter, unsigned value)
{
    int64_t end = clock_monotonic_ms(&clock_system) + 10000;
    pthread_mutex_lock(&echo->lock);
    while (*counter < value && clock_monotonic_ms(&clock_system) < end)
        clock_cond_wait(&echo->changed, &echo->lock, 1000);
    bool reached = *counter >= value;
    pthread_mutex_unlock(&echo->lock);
    return reached;
}

unsigned echo_read(struct echo *echo, const unsigned *counter)
{
    pthread_mutex_lock(&echo->lock);
    unsigned value = *counter;
    pthread_mutex_unlock(&echo->lock);
    return value;
}

struct rpc_stream *echo_held(struct echo *echo)
{
    int64_t end = clock_monotonic_ms(&clock_system) + 10000;
    pthread_mutex_lock(&echo->lock);
    while (echo->held == NULL && clock_monotonic_ms(&clock_system) < end)
        clock_cond_wait(&echo->changed, &echo->lock, 1000);
    struct rpc_stream *held = echo->held != NULL ? rpc_stream_ref(echo->held) : NULL;
    pthread_mutex_unlock(&echo->lock);
    return held;
}

/* ---- parking ---- */

static void fail(struct rpc_call *call, enum status code, const char *text)
{
    struct err err;
    err_set(&err, code, "%s", text);
    rpc_call_fail(call, &err);
}

static void unlink_parked(struct echo_parked *parked)
{
    *parked->link = parked->next;
    if (parked->next != NULL)
        parked->next->link = parked->link;
    parked->listed = false;
    parked->echo->parked_count--;
    pthread_cond_broadcast(&parked->echo->changed);
}

static void on_cancel(void *context, struct rpc_call *call)
{
    struct echo_parked *parked = context;
    struct echo *echo = parked->echo;
    pthread_mutex_lock(&echo->lock);
    bool mine = parked->listed;
    parked->cancelled = true;
    echo->cancels++;
    if (mine)
        unlink_parked(parked);
    pthread_cond_broadcast(&echo->changed);
    pthread_mutex_unlock(&echo->lock);
    if (mine)
        fail(call, STATUS_CANCELLED, "given up");
}

static void park(struct echo *echo, struct rpc_call *call)
{
    struct echo_parked *parked = arena_calloc(rpc_call_arena(call), 1, sizeof *parked);
    parked->echo = echo;
    parked->call = call;
    rpc_call_on_cancel(call, on_cancel, parked);
    pthread_mutex_lock(&echo->lock);
    bool stay = !parked->cancelled && !echo->draining;
    if (stay) {
        parked->listed = true;
        parked->next = echo->parked;
        parked->link = &echo->parked;
        if (parked->next != NULL)
            parked->next->link = &parked->next;
        echo->parked = parked;
        echo->parked_count++;
        pthread_cond_broadcast(&echo->changed);
    }
    pthread_mutex_unlock(&echo->lock);
    if (!stay)
        fail(call, STATUS_UNAVAILABLE, "not parked");
}

static void answer_parked(struct echo *echo, bool drain)
{
    for (;;) {
        pthread_mutex_lock(&echo->lock);
        echo->draining = echo->draining || drain;
        struct echo_parked *parked = echo->parked;
        if (parked != NULL)
            unlink_parked(parked);
        pthread_mutex_unlock(&echo->lock);
        if (parked == NULL)
            return;
        echo_response response = BESOM__TEST__V1__ECHO_RESPONSE__INIT;
        response.text = "released";
        if (drain)
            fail(parked->call, STATUS_UNAVAILABLE, "draining");
        else
            rpc_call_reply(parked->call, &response.base);
    }
}

void echo_release(struct echo *echo)
{
    answer_parked(echo, false);
}

static void on_drain(void *context)
{
    struct echo *echo = context;
    answer_parked(echo, true);
    pthread_mutex_lock(&echo->lock);
    struct rpc_stream *held = echo->held;
    echo->held = NULL;
    pthread_mutex_unlock(&echo->lock);
    if (held != NULL) {
        rpc_stream_finish(held, NULL);
        rpc_stream_unref(held);
    }
}

/* ---- unary ---- */

static void reply_blob(struct rpc_call *call, size_t size)
{
    echo_response response = BESOM__TEST__V1__ECHO_RESPONSE__INIT;
    response.blob.data = calloc(1, size);
    response.blob.len = response.blob.data != NULL ? size : 0;
    rpc_call_reply(call, &response.base);
    free(response.blob.data);
}

static void reply_flaky(struct echo *echo, struct rpc_call *call, const echo_request *request)
{
    echo_response response = BESOM__TEST__V1__ECHO_RESPONSE__INIT;
    pthread_mutex_lock(&echo->lock);
    bool flaky = echo->flaky_failures < request->count;
    if (flaky)
        echo->flaky_failures++;
    pthread_mutex_unlock(&echo->lock);
    if (flaky)
        fail(call, STATUS_UNAVAILABLE, "try again");
    else
        rpc_call_reply(call, &response.base);
}

static void unary(void *service, struct rpc_call *call, const ProtobufCMessage *message)
{
    const echo_request *request = (const echo_request *)message;
    echo_response response = BESOM__TEST__V1__ECHO_RESPONSE__INIT;
    switch (request->mode) {
    case BESOM__TEST__V1__MODE__MODE_FAIL: fail(call, STATUS_INVALID, request->text); return;
    case BESOM__TEST__V1__MODE__MODE_PARK: park(service, call); return;
    case BESOM__TEST__V1__MODE__MODE_BIG: reply_blob(call, request->count); return;
    case BESOM__TEST__V1__MODE__MODE_FLAKY: reply_flaky(service, call, request); return;
    default: break;
    }
    response.text = request->text;
    response.blob = request->blob;
    response.count = request->count;
    response.subject = (char *)(uintptr_t)rpc_call_identity(call)->subject;
    rpc_call_reply(call, &response.base);
}

/* ---- streams ---- */

static struct talk *enter(struct echo *echo, struct rpc_stream *stream)
{
    struct talk *talk = rpc_stream_context(stream);
    if (atomic_fetch_add(&talk->inside, 1) != 0)
        bump(echo, &echo->overlaps);
    return talk;
}

static void leave(struct talk *talk)
{
    atomic_fetch_sub(&talk->inside, 1);
}

static void spread(struct echo *echo, struct rpc_stream *stream, struct talk *talk)
{
    echo_response response = BESOM__TEST__V1__ECHO_RESPONSE__INIT;
    unsigned char filler[1024] = {0};
    response.blob.data = filler;
    response.blob.len = sizeof filler;
    while (talk->left > 0) {
        response.count = talk->count - talk->left;
        if (rpc_stream_send(stream, &response.base) != STATUS_OK) {
            bump(echo, &echo->refused);
            return;
        }
        talk->left--;
        bump(echo, &echo->sent);
    }
    rpc_stream_finish(stream, NULL);
}

static void hold(struct echo *echo, struct rpc_stream *stream)
{
    pthread_mutex_lock(&echo->lock);
    struct rpc_stream *before = echo->held;
    echo->held = rpc_stream_ref(stream);
    pthread_cond_broadcast(&echo->changed);
    pthread_mutex_unlock(&echo->lock);
    if (before != NULL)
        rpc_stream_unref(before);
}

static void on_open(void *service, struct rpc_stream *stream, const ProtobufCMessage *message)
{
    struct echo *echo = service;
    const echo_request *request = (const echo_request *)message;
    rpc_stream_set_context(stream, calloc(1, sizeof(struct talk)));
    struct talk *talk = enter(echo, stream);
    bump(echo, &echo->opened);
    if (request != NULL && request->mode == BESOM__TEST__V1__MODE__MODE_HOLD) {
        hold(echo, stream);
    } else if (request != NULL) {
        talk->left = talk->count = request->count;
        spread(echo, stream, talk);
    }
    leave(talk);
}

static void on_writable(void *service, struct rpc_stream *stream)
{
    struct echo *echo = service;
    struct talk *talk = enter(echo, stream);
    bump(echo, &echo->writable);
    spread(echo, stream, talk);
    leave(talk);
}

static void on_close(void *service, struct rpc_stream *stream, bool cancelled)
{
    struct echo *echo = service;
    struct talk *talk = enter(echo, stream);
    leave(talk);
    free(talk);
    pthread_mutex_lock(&echo->lock);
    echo->closed++;
    echo->closed_cancelled += cancelled ? 1 : 0;
    pthread_cond_broadcast(&echo->changed);
    pthread_mutex_unlock(&echo->lock);
}

static void on_chat(void *service, struct rpc_stream *stream, const ProtobufCMessage *message)
{
    struct echo *echo = service;
    const echo_request *request = (const echo_request *)message;
    struct talk *talk = enter(echo, stream);
    bump(echo, &echo->messages);
    echo_response response = BESOM__TEST__V1__ECHO_RESPONSE__INIT;
    response.text = request->text;
    response.count = ++talk->count;
    if (request->mode == BESOM__TEST__V1__MODE__MODE_HOLD) {
        rpc_stream_hold_credit(stream, 0);
        hold(echo, stream);
    } else if (request->mode == BESOM__TEST__V1__MODE__MODE_FAIL) {
        struct err err;
        err_set(&err, STATUS_PRECONDITION, "%s", request->text);
        rpc_stream_finish(stream, &err);
    } else if (rpc_stream_send(stream, &response.base) != STATUS_OK) {
        bump(echo, &echo->refused);
    }
    leave(talk);
}

static void on_collect(void *service, struct rpc_stream *stream, const ProtobufCMessage *message)
{
    struct echo *echo = service;
    const echo_request *request = (const echo_request *)message;
    struct talk *talk = enter(echo, stream);
    bump(echo, &echo->messages);
    talk->count++;
    size_t used = strlen(talk->text), more = strlen(request->text);
    if (used + more < sizeof talk->text)
        memcpy(talk->text + used, request->text, more + 1);
    leave(talk);
}

static void on_collected(void *service, struct rpc_stream *stream)
{
    struct echo *echo = service;
    struct talk *talk = enter(echo, stream);
    bump(echo, &echo->half_closed);
    echo_response response = BESOM__TEST__V1__ECHO_RESPONSE__INIT;
    response.text = talk->text;
    response.count = talk->count;
    if (rpc_stream_send(stream, &response.base) == STATUS_OK)
        rpc_stream_finish(stream, NULL);
    leave(talk);
}

static const struct rpc_stream_handler collect_handler = {
    .on_open = on_open, .on_message = on_collect, .on_half_close = on_collected, .on_close = on_close};
static const struct rpc_stream_handler spread_handler = {
    .on_open = on_open, .on_writable = on_writable, .on_close = on_close};
static const struct rpc_stream_handler chat_handler = {
    .on_open = on_open, .on_message = on_chat, .on_close = on_close};

#define ECHO_MESSAGES                                      \
    .request = &besom__test__v1__echo_request__descriptor, \
    .response = &besom__test__v1__echo_response__descriptor

static const struct rpc_method methods[] = {
    {.path = "/besom.test.v1.Echo/Unary",
     .kind = RPC_UNARY,
     ECHO_MESSAGES,
     .access = ECHO_ACCESS,
     .unary = unary},
    {.path = "/besom.test.v1.Echo/Admin",
     .kind = RPC_UNARY,
     ECHO_MESSAGES,
     .access = ECHO_ADMIN,
     .unary = unary},
    {.path = "/besom.test.v1.Echo/Collect",
     .kind = RPC_CLIENT_STREAM,
     ECHO_MESSAGES,
     .access = ECHO_ACCESS,
     .stream = &collect_handler},
    {.path = "/besom.test.v1.Echo/Spread",
     .kind = RPC_SERVER_STREAM,
     ECHO_MESSAGES,
     .access = ECHO_ACCESS,
     .stream = &spread_handler},
    {.path = "/besom.test.v1.Echo/Chat",
     .kind = RPC_BIDI_STREAM,
     ECHO_MESSAGES,
     .access = ECHO_ACCESS,
     .stream = &chat_handler},
};

void echo_serve(struct echo *echo, struct rpc_server *server)
{
    rpc_server_add(server, methods, ARRAY_LEN(methods), echo);
    rpc_server_on_drain(server, on_drain, echo);
}

const struct rpc_client_method echo_unary = {.path = "/besom.test.v1.Echo/Unary", ECHO_MESSAGES};
const struct rpc_client_method echo_unary_again = {
    .path = "/besom.test.v1.Echo/Unary", ECHO_MESSAGES, .idempotent = true};
const struct rpc_client_method echo_admin = {.path = "/besom.test.v1.Echo/Admin", ECHO_MESSAGES};
const struct rpc_client_method echo_collect = {.path = "/besom.test.v1.Echo/Collect", ECHO_MESSAGES};
const struct rpc_client_method echo_spread = {.path = "/besom.test.v1.Echo/Spread", ECHO_MESSAGES};
const struct rpc_client_method echo_chat = {.path = "/besom.test.v1.Echo/Chat", ECHO_MESSAGES};
const struct rpc_client_method echo_unknown = {.path = "/besom.test.v1.Echo/Unknown", ECHO_MESSAGES};
