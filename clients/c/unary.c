// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "internal.h"

#define METHOD_INDEX(function, Name, name, Service, idempotent) METHOD_##Name,
enum method_index { BESOM_UNARY_CALLS(METHOD_INDEX) METHOD_COUNT };

#define METHOD_ROW(function, Name, name, Service, is_idempotent)              \
    [METHOD_##Name] = {.path = "/besom.v1." #Service "/" #Name,               \
                       .request = &besom__v1__##name##_request__descriptor,   \
                       .response = &besom__v1__##name##_response__descriptor, \
                       .idempotent = (is_idempotent) != 0},
static const struct rpc_client_method methods[METHOD_COUNT] = {BESOM_UNARY_CALLS(METHOD_ROW)};

struct besom_call {
    pthread_mutex_t mutex; /* of rpc and finished: the handle must not be cancelled once done has run */
    struct rpc_async_call *rpc;
    bool finished;
    besom_done *done;
    void *context;
    atomic_int references; /* the caller's and the call's */
};

static bool may_repeat(enum method_index index, const ProtobufCMessage *request)
{
    if (index == METHOD_CreateSweep)
        return ((const Besom__V1__CreateSweepRequest *)request)->request_id[0] != '\0';
    return methods[index].idempotent;
}

static besom_status call_unary(besom_client *client, enum method_index index, const ProtobufCMessage *request,
                               ProtobufCMessage **response, besom_error *error)
{
    struct rpc_client_method method = methods[index];
    method.idempotent = may_repeat(index, request);
    const struct rpc_call_options options = {.timeout_ms = client->timeout_ms};
    struct err err = ERR_INIT;
    *response = NULL;
    if (rpc_unary(client->channel, &method, request, &options, response, &err) != STATUS_OK)
        return error_export(error, &err);
    return BESOM_OK;
}

static void call_unref(besom_call *call)
{
    if (atomic_fetch_sub(&call->references, 1) != 1)
        return;
    pthread_mutex_destroy(&call->mutex);
    free(call);
}

static void async_done(void *context, const ProtobufCMessage *response, const struct err *err)
{
    besom_call *call = context;
    besom_error error = {.code = BESOM_OK, .text = ""};
    if (response == NULL && err != NULL)
        error_export(&error, err);
    pthread_mutex_lock(&call->mutex);
    call->finished = true;
    pthread_mutex_unlock(&call->mutex);
    callback_enter();
    call->done(call->context, response, &error);
    callback_leave();
    call_unref(call);
}

static besom_call *call_async(besom_client *client, enum method_index index, const ProtobufCMessage *request,
                              int64_t timeout_ms, besom_done *done, void *context)
{
    besom_call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return NULL;
    call->done = done;
    call->context = context;
    atomic_init(&call->references, 2);
    pthread_mutex_init(&call->mutex, NULL);
    struct rpc_async_call *rpc =
        rpc_unary_async(client->channel, &methods[index], request, timeout_ms, async_done, call);
    pthread_mutex_lock(&call->mutex);
    call->rpc = rpc;
    pthread_mutex_unlock(&call->mutex);
    return call;
}

void besom_call_cancel(besom_call *call)
{
    pthread_mutex_lock(&call->mutex);
    if (!call->finished)
        rpc_async_cancel(call->rpc);
    pthread_mutex_unlock(&call->mutex);
}

void besom_call_free(besom_call *call)
{
    if (call != NULL)
        call_unref(call);
}

#define DEFINE_UNARY(function, Name, name, Service, idempotent)                                    \
    besom_status function(besom_client *client, const Besom__V1__##Name##Request *request,         \
                          Besom__V1__##Name##Response **out, besom_error *error)                   \
    {                                                                                              \
        ProtobufCMessage *response = NULL;                                                         \
        besom_status status = call_unary(client, METHOD_##Name, &request->base, &response, error); \
        *out = (Besom__V1__##Name##Response *)response;                                            \
        return status;                                                                             \
    }                                                                                              \
    besom_call *function##_async(besom_client *client, const Besom__V1__##Name##Request *request,  \
                                 int64_t timeout_ms, besom_done *done, void *context)              \
    {                                                                                              \
        return call_async(client, METHOD_##Name, &request->base, timeout_ms, done, context);       \
    }
BESOM_UNARY_CALLS(DEFINE_UNARY)
