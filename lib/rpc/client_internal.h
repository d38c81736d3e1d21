/*
 * What the client's files share: the channel, one call's buffers, and the
 * process-wide queues. Not for other modules.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_RPC_CLIENT_INTERNAL_H
#define BESOM_RPC_CLIENT_INTERNAL_H

#include <grpc/grpc.h>
#include <pthread.h>

#include "rpc/client.h"
#include "rpc/event.h"

struct rpc_channel {
    struct rpc_channel_options options; /* with its presets, own copies of address and server name; no token,
                                           no PEM */
    pthread_mutex_t lock;               /* guards the next four */
    grpc_channel *core;                 /* owned */
    grpc_channel *older;                /* owned; calls that it has go on, NULL = none */
    int64_t renewed_ms;                 /* when it was replaced */
    uint64_t generation;                /* of the files that the core was made with */
    grpc_metadata token;                /* owned slices; sent when has_token */
    bool has_token;
};

/* A call and what the core writes for it. */
struct client_call {
    grpc_call *core;
    grpc_metadata_array head, trailers;
    grpc_byte_buffer *message; /* the response, or a stream's latest message */
    grpc_status_code code;
    grpc_slice text;
};

/* The core for a new call, made anew when its files have changed, until channel_release. */
grpc_channel *channel_hold(struct rpc_channel *channel);
void channel_release(struct rpc_channel *channel);

/* Makes the core's call. timeout_ms <= 0 = no deadline. */
void client_call_init(struct client_call *call, struct rpc_channel *channel,
                      const struct rpc_client_method *method, int64_t timeout_ms,
                      grpc_completion_queue *queue);
void client_call_free(struct client_call *call);

/* All of a unary call in one batch; `request` stays the caller's. */
void client_call_start_unary(struct client_call *call, struct rpc_channel *channel, grpc_byte_buffer *request,
                             void *tag);
/* The result of a finished unary call. *out (on OK) is allocated with malloc. */
enum status client_call_result(struct client_call *call, const struct rpc_channel *channel,
                               const struct rpc_client_method *method, ProtobufCMessage **out,
                               struct err *err);

/* SEND_INITIAL_METADATA with the channel's token and the thread's request id, put into `room`; both are given
 * back by client_head_free once the batch has started. */
#define CLIENT_HEAD_MAX 2
grpc_op client_send_head(const struct rpc_channel *channel, grpc_metadata room[CLIENT_HEAD_MAX]);
void client_head_free(const grpc_op *head);
/* RECV_STATUS_ON_CLIENT into `call`. */
grpc_op client_receive_status(struct client_call *call);

/* True when a failed call certainly never left this process. */
bool client_call_never_left(const struct client_call *call);

/* The queue of the event thread, which is started when first asked for. */
grpc_completion_queue *client_loop_queue(void);
/* A queue for one blocking call at a time. */
grpc_completion_queue *client_loop_borrow(void);
void client_loop_return(grpc_completion_queue *queue);
/* Joins the event thread, frees the queues. */
void client_loop_stop(void);

#endif
