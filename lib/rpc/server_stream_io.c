// SPDX-License-Identifier: Apache-2.0
#include "rpc/server_stream.h"
#include "rpc/wire_status.h"

/* The caller owns it then. */
static grpc_byte_buffer *take_message(struct rpc_stream *stream)
{
    grpc_byte_buffer *message = stream->outbox[stream->first];
    stream->first = (stream->first + 1) % stream->outbox_bound;
    stream->queued--;
    stream->queued_bytes -= grpc_byte_buffer_length(message);
    return message;
}

static void drop_outbox(struct rpc_stream *stream)
{
    while (stream->queued > 0)
        grpc_byte_buffer_destroy(take_message(stream));
}

void stream_start_read(struct rpc_stream *stream)
{
    if (stream->reading || stream->reads_ended || stream->message != NULL || stream->finishing ||
        stream->closed || stream->credit == 0 || !stream->opened)
        return;
    stream->credit--;
    stream->reading = true;
    stream->operations++;
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &stream->incoming;
    event_start(stream->core, &op, 1, &stream->read_event);
}

static void send_message(struct rpc_stream *stream)
{
    grpc_byte_buffer *message = take_message(stream);
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
    op.data.send_message.send_message = message;
    event_start(stream->core, &op, 1, &stream->write_event);
    grpc_byte_buffer_destroy(message);
}

static void send_status(struct rpc_stream *stream)
{
    struct wire_status wire;
    grpc_op op;
    stream->status_sent = true;
    wire_status_send(&wire, stream->end_code, stream->end_text != NULL ? stream->end_text : "", 0, &op);
    event_start(stream->core, &op, 1, &stream->write_event);
    wire_status_free(&wire);
}

void stream_start_write(struct rpc_stream *stream)
{
    bool has_status = stream->finishing && !stream->status_sent;
    if (stream->writing || stream->closed || (stream->queued == 0 && !has_status))
        return;
    stream->writing = true;
    stream->operations++;
    if (stream->queued > 0)
        send_message(stream);
    else
        send_status(stream);
}

void stream_settle(struct rpc_stream *stream)
{
    if (!stream->closed || stream->operations > 0 || stream->close_due)
        return;
    stream->close_due = true;
    stream->due |= DUE_CLOSE;
}

static void on_head(struct rpc_event *event, bool ok)
{
    (void)ok;
    struct rpc_stream *stream = EVENT_OWNER(event, struct rpc_stream, head_event);
    pthread_mutex_lock(&stream->lock);
    stream->operations--;
    stream_settle(stream);
    stream_dispatch_and_unlock(stream);
}

/* A broken call can end its reads exactly as a half-close does: the core knows which it was. */
static void take_end_of_reads(struct rpc_stream *stream)
{
    stream->reads_ended = true;
    if (!stream->finishing && !stream->cancelled && !grpc_call_failed_before_recv_message(stream->core))
        stream->due |= DUE_HALF_CLOSE;
}

static void on_read(struct rpc_event *event, bool ok)
{
    struct rpc_stream *stream = EVENT_OWNER(event, struct rpc_stream, read_event);
    pthread_mutex_lock(&stream->lock);
    stream->operations--;
    stream->reading = false;
    grpc_byte_buffer *incoming = stream->incoming;
    stream->incoming = NULL;
    if (!ok || incoming == NULL) {
        take_end_of_reads(stream);
    } else if (stream->finishing || stream->cancelled) {
        grpc_byte_buffer_destroy(incoming);
    } else {
        stream->message = incoming;
        stream->due |= DUE_MESSAGE;
    }
    stream_settle(stream);
    stream_dispatch_and_unlock(stream);
}

static void on_written(struct rpc_event *event, bool ok)
{
    struct rpc_stream *stream = EVENT_OWNER(event, struct rpc_stream, write_event);
    pthread_mutex_lock(&stream->lock);
    stream->operations--;
    stream->writing = false;
    if (!ok)
        drop_outbox(stream);
    stream_start_write(stream);
    if (stream->refused && !stream->finishing && stream->queued <= stream->outbox_bound / 2 &&
        stream->queued_bytes <= stream->outbox_bytes / 2) {
        stream->refused = false;
        stream->due |= DUE_WRITABLE;
    }
    stream_settle(stream);
    stream_dispatch_and_unlock(stream);
}

static void on_closed(struct rpc_event *event, bool ok)
{
    (void)ok;
    struct rpc_stream *stream = EVENT_OWNER(event, struct rpc_stream, closed_event);
    pthread_mutex_lock(&stream->lock);
    stream->operations--;
    stream->closed = true;
    stream->cancelled = stream->core_cancelled != 0;
    if (stream->cancelled)
        atomic_fetch_add_explicit(&stream->server->cancelled, 1, memory_order_relaxed);
    drop_outbox(stream);
    stream_settle(stream);
    stream_dispatch_and_unlock(stream);
}

void stream_open_operations(struct rpc_stream *stream)
{
    stream->head_event.run = on_head;
    stream->read_event.run = on_read;
    stream->write_event.run = on_written;
    stream->closed_event.run = on_closed;
    stream->operations += 2;
    grpc_op closed = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    closed.data.recv_close_on_server.cancelled = &stream->core_cancelled;
    event_start(stream->core, &closed, 1, &stream->closed_event);
    grpc_op head = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    event_start(stream->core, &head, 1, &stream->head_event);
}
