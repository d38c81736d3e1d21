// SPDX-License-Identifier: Apache-2.0
#include "call.h"

#include <stdlib.h>

struct call {
    struct loop *loop;
    call_answer *answer;
    void *context;
    besom_call *handle;         /* owned; the loop's thread alone */
    ProtobufCMessage *response; /* owned copy; written before the post, read after it */
    besom_error error;
};

struct call *call_new(struct loop *loop, call_answer *answer, void *context)
{
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL)
        abort(); /* the state machines count on an answer to every call */
    call->loop = loop;
    call->answer = answer;
    call->context = context;
    return call;
}

static void deliver(void *context)
{
    struct call *call = context;
    call->answer(call->context, call->response, &call->error);
    besom_call_free(call->handle);
    besom_message_free(call->response);
    free(call);
}

static ProtobufCMessage *copy_message(const ProtobufCMessage *message)
{
    size_t length = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = malloc(length + 1);
    if (packed == NULL)
        return NULL;
    protobuf_c_message_pack(message, packed);
    ProtobufCMessage *copy = protobuf_c_message_unpack(message->descriptor, NULL, length, packed);
    free(packed);
    return copy;
}

void call_done(void *context, const void *response, const besom_error *error)
{
    struct call *call = context;
    call->error = *error;
    if (response != NULL)
        call->response = copy_message(response);
    if (response != NULL && call->response == NULL)
        call->error = (besom_error){.code = BESOM_EXHAUSTED, .text = "out of memory"};
    loop_post(call->loop, deliver, call);
}

void call_begin(struct call *call, besom_call *handle)
{
    call->handle = handle;
    if (handle != NULL)
        return;
    call->error = (besom_error){.code = BESOM_EXHAUSTED, .text = "out of memory"};
    loop_post(call->loop, deliver, call);
}

void call_cancel(struct call *call)
{
    if (call != NULL && call->handle != NULL)
        besom_call_cancel(call->handle);
}
