// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/log.h"
#include "rpc/client_internal.h"
#include "rpc/codec.h"
#include "rpc/request_id.h"
#include "rpc/wire_status.h"

static gpr_timespec deadline_in(int64_t timeout_ms)
{
    if (timeout_ms <= 0)
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(timeout_ms, GPR_TIMESPAN));
}

void client_call_init(struct client_call *call, struct rpc_channel *channel,
                      const struct rpc_client_method *method, int64_t timeout_ms,
                      grpc_completion_queue *queue)
{
    *call = (struct client_call){.text = grpc_empty_slice()};
    call->core = grpc_channel_create_call(channel_hold(channel), NULL, GRPC_PROPAGATE_DEFAULTS, queue,
                                          grpc_slice_from_static_string(method->path), NULL,
                                          deadline_in(timeout_ms), NULL);
    channel_release(channel);
    grpc_metadata_array_init(&call->head);
    grpc_metadata_array_init(&call->trailers);
}

void client_call_free(struct client_call *call)
{
    if (call->message != NULL)
        grpc_byte_buffer_destroy(call->message);
    grpc_slice_unref(call->text);
    grpc_metadata_array_destroy(&call->head);
    grpc_metadata_array_destroy(&call->trailers);
    grpc_call_unref(call->core);
}

grpc_op client_send_head(const struct rpc_channel *channel, grpc_metadata room[CLIENT_HEAD_MAX])
{
    grpc_op op = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    const char *request = log_request();
    size_t count = 0;
    if (channel->has_token)
        room[count++] =
            (grpc_metadata){.key = channel->token.key, .value = grpc_slice_ref(channel->token.value)};
    if (request != NULL && strlen(request) <= RPC_REQUEST_ID_MAX)
        room[count++] = (grpc_metadata){.key = grpc_slice_from_static_string(REQUEST_ID_KEY),
                                        .value = grpc_slice_from_copied_string(request)};
    op.data.send_initial_metadata.count = count;
    op.data.send_initial_metadata.metadata = room;
    return op;
}

void client_head_free(const grpc_op *head)
{
    for (size_t i = 0; i < head->data.send_initial_metadata.count; i++)
        grpc_slice_unref(head->data.send_initial_metadata.metadata[i].value);
}

grpc_op client_receive_status(struct client_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    op.data.recv_status_on_client.trailing_metadata = &call->trailers;
    op.data.recv_status_on_client.status = &call->code;
    op.data.recv_status_on_client.status_details = &call->text;
    return op;
}

void client_call_start_unary(struct client_call *call, struct rpc_channel *channel, grpc_byte_buffer *request,
                             void *tag)
{
    grpc_metadata room[CLIENT_HEAD_MAX];
    grpc_op ops[6] = {client_send_head(channel, room),        {.op = GRPC_OP_SEND_MESSAGE},
                      {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT}, {.op = GRPC_OP_RECV_INITIAL_METADATA},
                      {.op = GRPC_OP_RECV_MESSAGE},           client_receive_status(call)};
    ops[1].data.send_message.send_message = request;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &call->head;
    ops[4].data.recv_message.recv_message = &call->message;
    EVENT_GIVE(tag);
    if (grpc_call_start_batch(call->core, ops, ARRAY_LEN(ops), tag, NULL) != GRPC_CALL_OK)
        abort(); /* our bug: the completion would never come */
    client_head_free(&ops[0]);
}

enum status client_call_result(struct client_call *call, const struct rpc_channel *channel,
                               const struct rpc_client_method *method, ProtobufCMessage **out,
                               struct err *err)
{
    TRY(wire_status_read(call->code, call->text, err));
    if (codec_unpack_heap(method->response, call->message, channel->options.max_message_bytes, out, err) ==
        STATUS_OK)
        return STATUS_OK;
    err_set(err, STATUS_INTERNAL, "%s: the server's answer is not a valid %s", method->path,
            method->response->name);
    return STATUS_INTERNAL;
}

/* Servers of this project say why in a trailer, so text without one is the core's own. */
bool client_call_never_left(const struct client_call *call)
{
    static const char text[] = "failed to connect to all addresses";
    return call->code == GRPC_STATUS_UNAVAILABLE && call->trailers.count == 0 &&
           GRPC_SLICE_LENGTH(call->text) >= sizeof text - 1 &&
           memcmp(GRPC_SLICE_START_PTR(call->text), text, sizeof text - 1) == 0;
}
