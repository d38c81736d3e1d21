/*
 * The state of one server stream. Its lock guards everything marked so and
 * serialises the call's operations; it is never held while a callback runs.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_RPC_SERVER_STREAM_H
#define BESOM_RPC_SERVER_STREAM_H

#include "rpc/server_internal.h"

/* Callbacks that are due, in the order in which they run. */
enum rpc_stream_due {
    DUE_OPEN = 1u << 0,
    DUE_MESSAGE = 1u << 1,
    DUE_HALF_CLOSE = 1u << 2,
    DUE_WRITABLE = 1u << 3,
    DUE_CLOSE = 1u << 4,
};

struct rpc_stream {
    struct rpc_event head_event, read_event, write_event, closed_event;
    struct rpc_server *server; /* gone after on_close */
    struct rpc_entry *entry;   /* gone after on_close */
    size_t max_message_bytes, outbox_bound, outbox_bytes;
    atomic_int references;
    int core_cancelled;         /* the core's, until closed_event */
    grpc_byte_buffer *incoming; /* the core's, until read_event */

    pthread_mutex_t lock;
    grpc_call *core;           /* lock; owned; NULL after on_close */
    unsigned operations;       /* lock: outstanding in the core */
    unsigned due;              /* lock: of enum rpc_stream_due */
    bool dispatching;          /* lock: a thread runs callbacks */
    bool opened;               /* lock: on_open has run */
    bool reading;              /* lock */
    bool reads_ended;          /* lock */
    bool writing;              /* lock: a message or the status is on its way */
    bool refused;              /* lock: the outbox has refused a message */
    bool finishing;            /* lock: rpc_stream_finish was called */
    bool status_sent;          /* lock */
    bool closed;               /* lock: the core is done with the call */
    bool close_due;            /* lock: DUE_CLOSE was set, once */
    bool cancelled;            /* lock */
    bool holds_credit;         /* lock: the service adds credit itself */
    unsigned credit;           /* lock: messages that may be read */
    grpc_byte_buffer *message; /* lock; owned; read and not delivered */
    grpc_byte_buffer **outbox; /* lock; owned ring, made when first needed */
    size_t first, queued;      /* lock: of the ring */
    size_t queued_bytes;       /* lock: of the messages in it */
    enum status end_code;      /* lock */
    char *end_text;            /* lock; owned; NULL = "" */

    struct arena arena;              /* the first request; freed after on_open */
    const ProtobufCMessage *request; /* in the arena */
    void *context;                   /* the service's */
    struct rpc_identity identity;
    bool admitted; /* identity is to be released */
    struct rpc_origin origin;
    struct rpc_stay stay;
};

/* All need the lock. */
void stream_start_read(struct rpc_stream *stream);  /* if there is credit and nothing speaks against it */
void stream_start_write(struct rpc_stream *stream); /* the next message, or the status after the last */
void stream_settle(struct rpc_stream *stream);      /* sets DUE_CLOSE when all is over */
void stream_open_operations(struct rpc_stream *stream);

/* Runs what is due, and releases the lock that the caller holds. Worker threads only; the stream may be gone
 * then. */
void stream_dispatch_and_unlock(struct rpc_stream *stream);

#endif
