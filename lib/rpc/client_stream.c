// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>
#include <stdatomic.h>

#include "rpc/client_internal.h"
#include "rpc/codec.h"
#include "rpc/wire_status.h"

#define OUTBOX 64u

/*
 * Callbacks run on the event thread alone, so they need no order of their own.
 * References: the opener's and, until on_close, the stream's own.
 */
struct rpc_client_stream {
    struct rpc_event head_event, read_event, write_event, status_event;
    struct client_call call;
    struct rpc_channel *channel;
    const struct rpc_client_method *method;
    struct rpc_client_stream_handler handler;
    void *context;
    atomic_int references;

    pthread_mutex_t lock;
    unsigned operations;              /* lock: outstanding in the core */
    bool writing;                     /* lock */
    bool refused;                     /* lock: the outbox has refused a message */
    bool half_closing;                /* lock: no more messages from here */
    bool half_closed;                 /* lock: and that was sent */
    bool ended;                       /* lock: the status has arrived */
    bool gone;                        /* lock: on_close has run, the core's call is free */
    unsigned first, queued;           /* lock: of the outbox */
    grpc_byte_buffer *outbox[OUTBOX]; /* lock; owned ring */
};

static void release(struct rpc_client_stream *stream)
{
    if (atomic_fetch_sub_explicit(&stream->references, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_destroy(&stream->lock);
    free(stream);
}

/* All below need the lock until said otherwise. */

static void start(struct rpc_client_stream *stream, grpc_op *ops, size_t count, struct rpc_event *event)
{
    stream->operations++;
    event_start(stream->call.core, ops, count, event);
}

static void drop_outbox(struct rpc_client_stream *stream)
{
    for (; stream->queued > 0; stream->queued--) {
        grpc_byte_buffer_destroy(stream->outbox[stream->first]);
        stream->first = (stream->first + 1) % OUTBOX;
    }
}

static void start_read(struct rpc_client_stream *stream)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &stream->call.message;
    start(stream, &op, 1, &stream->read_event);
}

static void send_next(struct rpc_client_stream *stream)
{
    grpc_byte_buffer *message = stream->outbox[stream->first];
    stream->first = (stream->first + 1) % OUTBOX;
    stream->queued--;
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
    op.data.send_message.send_message = message;
    start(stream, &op, 1, &stream->write_event);
    grpc_byte_buffer_destroy(message);
}

static void start_write(struct rpc_client_stream *stream)
{
    bool has_close = stream->half_closing && !stream->half_closed;
    if (stream->writing || stream->ended || (stream->queued == 0 && !has_close))
        return;
    stream->writing = true;
    if (stream->queued > 0) {
        send_next(stream);
        return;
    }
    stream->half_closed = true;
    grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
    start(stream, &op, 1, &stream->write_event);
}

/* Without the lock from here on. */

static void close_stream(struct rpc_client_stream *stream)
{
    struct err err = ERR_INIT;
    if (wire_status_read(stream->call.code, stream->call.text, &err) == STATUS_OK)
        err = (struct err)ERR_INIT;
    if (stream->handler.on_close != NULL)
        stream->handler.on_close(stream->context, stream, &err);
    pthread_mutex_lock(&stream->lock);
    stream->gone = true;
    drop_outbox(stream);
    pthread_mutex_unlock(&stream->lock);
    client_call_free(&stream->call);
    release(stream);
}

/* At the end of an event: only this thread starts reads or sees the status, so the last event is seen once.
 */
static void finish_event(struct rpc_client_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    stream->operations--;
    bool last = stream->ended && stream->operations == 0;
    pthread_mutex_unlock(&stream->lock);
    if (last)
        close_stream(stream);
}

static void on_head(struct rpc_event *event, bool ok)
{
    (void)ok;
    finish_event(EVENT_OWNER(event, struct rpc_client_stream, head_event));
}

static void on_status(struct rpc_event *event, bool ok)
{
    (void)ok;
    struct rpc_client_stream *stream = EVENT_OWNER(event, struct rpc_client_stream, status_event);
    pthread_mutex_lock(&stream->lock);
    stream->ended = true;
    drop_outbox(stream);
    pthread_mutex_unlock(&stream->lock);
    finish_event(stream);
}

static void deliver(struct rpc_client_stream *stream, grpc_byte_buffer *bytes)
{
    ProtobufCMessage *message;
    struct err err = ERR_INIT;
    if (codec_unpack_heap(stream->method->response, bytes, stream->channel->options.max_message_bytes,
                          &message, &err) != STATUS_OK) {
        grpc_call_cancel_with_status(stream->call.core, GRPC_STATUS_INTERNAL, err.text, NULL);
        return;
    }
    if (stream->handler.on_message != NULL)
        stream->handler.on_message(stream->context, stream, message);
    protobuf_c_message_free_unpacked(message, NULL);
}

static void on_read(struct rpc_event *event, bool ok)
{
    struct rpc_client_stream *stream = EVENT_OWNER(event, struct rpc_client_stream, read_event);
    grpc_byte_buffer *bytes = stream->call.message;
    stream->call.message = NULL;
    if (ok && bytes != NULL) {
        deliver(stream, bytes);
        pthread_mutex_lock(&stream->lock);
        start_read(stream);
        pthread_mutex_unlock(&stream->lock);
    }
    if (bytes != NULL)
        grpc_byte_buffer_destroy(bytes);
    finish_event(stream);
}

static void on_written(struct rpc_event *event, bool ok)
{
    struct rpc_client_stream *stream = EVENT_OWNER(event, struct rpc_client_stream, write_event);
    pthread_mutex_lock(&stream->lock);
    stream->writing = false;
    if (!ok)
        drop_outbox(stream);
    start_write(stream);
    bool writable = stream->refused && !stream->ended && stream->queued <= OUTBOX / 2;
    if (writable)
        stream->refused = false;
    pthread_mutex_unlock(&stream->lock);
    if (writable && stream->handler.on_writable != NULL)
        stream->handler.on_writable(stream->context, stream);
    finish_event(stream);
}

static void start_operations(struct rpc_client_stream *stream)
{
    grpc_metadata room[CLIENT_HEAD_MAX];
    grpc_op head[2] = {client_send_head(stream->channel, room), {.op = GRPC_OP_RECV_INITIAL_METADATA}};
    head[1].data.recv_initial_metadata.recv_initial_metadata = &stream->call.head;
    grpc_op status = client_receive_status(&stream->call);
    pthread_mutex_lock(&stream->lock);
    start(stream, head, 2, &stream->head_event);
    client_head_free(&head[0]);
    start(stream, &status, 1, &stream->status_event);
    start_read(stream);
    pthread_mutex_unlock(&stream->lock);
}

enum status rpc_client_stream_open(struct rpc_channel *channel, const struct rpc_client_method *method,
                                   int64_t timeout_ms, const struct rpc_client_stream_handler *handler,
                                   void *context, struct rpc_client_stream **out, struct err *err)
{
    struct rpc_client_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return err_set(err, STATUS_NO_MEMORY, "no memory for a stream");
    stream->head_event.run = on_head;
    stream->read_event.run = on_read;
    stream->write_event.run = on_written;
    stream->status_event.run = on_status;
    stream->channel = channel;
    stream->method = method;
    stream->handler = *handler;
    stream->context = context;
    atomic_init(&stream->references, 2);
    pthread_mutex_init(&stream->lock, NULL);
    client_call_init(&stream->call, channel, method, timeout_ms, client_loop_queue());
    *out = stream; /* before the first callback, which may read it */
    start_operations(stream);
    return STATUS_OK;
}

static enum status queue_message(struct rpc_client_stream *stream, grpc_byte_buffer *bytes)
{
    if (stream->ended || stream->half_closing)
        return STATUS_CANCELLED;
    if (stream->queued == OUTBOX) {
        stream->refused = true;
        return STATUS_EXHAUSTED;
    }
    stream->outbox[(stream->first + stream->queued) % OUTBOX] = bytes;
    stream->queued++;
    start_write(stream);
    return STATUS_OK;
}

static void cancel_with(struct rpc_client_stream *stream, grpc_status_code code, const char *text)
{
    pthread_mutex_lock(&stream->lock);
    if (!stream->gone)
        grpc_call_cancel_with_status(stream->call.core, code, text, NULL);
    pthread_mutex_unlock(&stream->lock);
}

enum status rpc_client_stream_send(struct rpc_client_stream *stream, const ProtobufCMessage *message)
{
    grpc_byte_buffer *bytes;
    struct err err = ERR_INIT;
    if (codec_pack(message, stream->channel->options.max_message_bytes, &bytes, &err) != STATUS_OK) {
        cancel_with(stream, GRPC_STATUS_RESOURCE_EXHAUSTED, err.text);
        return STATUS_CANCELLED;
    }
    pthread_mutex_lock(&stream->lock);
    enum status status = queue_message(stream, bytes);
    pthread_mutex_unlock(&stream->lock);
    if (status != STATUS_OK)
        grpc_byte_buffer_destroy(bytes);
    return status;
}

void rpc_client_stream_half_close(struct rpc_client_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    stream->half_closing = true;
    if (!stream->gone)
        start_write(stream);
    pthread_mutex_unlock(&stream->lock);
}

void rpc_client_stream_cancel(struct rpc_client_stream *stream)
{
    cancel_with(stream, GRPC_STATUS_CANCELLED, "cancelled");
}

void rpc_client_stream_release(struct rpc_client_stream *stream)
{
    rpc_client_stream_cancel(stream);
    release(stream);
}
