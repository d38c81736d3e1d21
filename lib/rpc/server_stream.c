// SPDX-License-Identifier: Apache-2.0
#include "rpc/server_stream.h"

#include <string.h>

#include "base/log.h"
#include "rpc/codec.h"

/* ---- callbacks ---- */

static void deliver_open(struct rpc_stream *stream)
{
    const struct rpc_stream_handler *handler = stream->entry->method->stream;
    if (handler->on_open != NULL)
        handler->on_open(stream->entry->service, stream, stream->request);
    arena_free(&stream->arena);
    stream->request = NULL;
    pthread_mutex_lock(&stream->lock);
    stream->opened = true;
    stream_start_read(stream);
    pthread_mutex_unlock(&stream->lock);
}

static void deliver_bytes(struct rpc_stream *stream, grpc_byte_buffer *bytes)
{
    const struct rpc_stream_handler *handler = stream->entry->method->stream;
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct err err = ERR_INIT;
    ProtobufCMessage *message;
    if (codec_unpack_arena(stream->entry->method->request, bytes, stream->max_message_bytes, &arena, &message,
                           &err) != STATUS_OK)
        rpc_stream_finish(stream, &err);
    else if (handler->on_message != NULL)
        handler->on_message(stream->entry->service, stream, message);
}

static void deliver_message(struct rpc_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    grpc_byte_buffer *bytes = stream->message;
    bool wanted = !stream->finishing && !stream->cancelled;
    stream->message = NULL;
    pthread_mutex_unlock(&stream->lock);
    if (wanted)
        deliver_bytes(stream, bytes);
    grpc_byte_buffer_destroy(bytes);
    pthread_mutex_lock(&stream->lock);
    if (!stream->holds_credit)
        stream->credit++;
    stream_start_read(stream);
    pthread_mutex_unlock(&stream->lock);
}

static void deliver_half_close(struct rpc_stream *stream)
{
    const struct rpc_stream_handler *handler = stream->entry->method->stream;
    pthread_mutex_lock(&stream->lock);
    bool wanted = !stream->finishing && !stream->cancelled;
    pthread_mutex_unlock(&stream->lock);
    if (!wanted)
        return;
    if (handler->on_half_close != NULL)
        handler->on_half_close(stream->entry->service, stream);
    else
        rpc_stream_finish(stream, NULL);
}

static void deliver_writable(struct rpc_stream *stream)
{
    const struct rpc_stream_handler *handler = stream->entry->method->stream;
    if (handler->on_writable != NULL)
        handler->on_writable(stream->entry->service, stream);
}

/* What the stream took when it was let in. */
static void give_back(const struct rpc_entry *entry, const struct rpc_identity *identity, bool admitted)
{
    if (admitted)
        server_release(entry->server, identity);
    if (entry->method->access == 0)
        server_public_leave(entry->server);
}

static void deliver_close(struct rpc_stream *stream)
{
    const struct rpc_stream_handler *handler = stream->entry->method->stream;
    struct rpc_server *server = stream->server;
    if (handler->on_close != NULL)
        handler->on_close(stream->entry->service, stream, stream->cancelled);
    server_unstay(server, &stream->stay);
    give_back(stream->entry, &stream->identity, stream->admitted);
    pthread_mutex_lock(&stream->lock);
    grpc_call *core = stream->core;
    stream->core = NULL;
    enum status code = stream->finishing ? stream->end_code : STATUS_CANCELLED;
    pthread_mutex_unlock(&stream->lock);
    server_call_ended(stream->entry, &stream->origin, code);
    grpc_call_unref(core);
    rpc_stream_unref(stream);
    server_call_leave(server);
}

static const struct {
    enum rpc_stream_due due;
    void (*deliver)(struct rpc_stream *stream);
} deliveries[] = {
    {DUE_OPEN, deliver_open},         {DUE_MESSAGE, deliver_message}, {DUE_HALF_CLOSE, deliver_half_close},
    {DUE_WRITABLE, deliver_writable}, {DUE_CLOSE, deliver_close},
};

/* Runs the first that is due, without the lock that is held on entry and on return. False when none is. */
static bool deliver_next(struct rpc_stream *stream)
{
    for (size_t i = 0; i < ARRAY_LEN(deliveries); i++) {
        if ((stream->due & deliveries[i].due) == 0)
            continue;
        stream->due &= ~(unsigned)deliveries[i].due;
        pthread_mutex_unlock(&stream->lock);
        deliveries[i].deliver(stream);
        pthread_mutex_lock(&stream->lock);
        return true;
    }
    return false;
}

void stream_dispatch_and_unlock(struct rpc_stream *stream)
{
    if (stream->dispatching || stream->due == 0) {
        pthread_mutex_unlock(&stream->lock);
        return;
    }
    stream->dispatching = true;
    rpc_stream_ref(stream); /* on_close gives the stream's own reference back */
    const char *before = log_set_request(stream->origin.request_id);
    while (deliver_next(stream))
        continue;
    (void)log_set_request(before);
    stream->dispatching = false;
    pthread_mutex_unlock(&stream->lock);
    rpc_stream_unref(stream);
}

/* ---- life ---- */

static struct rpc_stream *new_stream(struct rpc_entry *entry, const struct rpc_identity *identity,
                                     const struct rpc_origin *origin)
{
    struct rpc_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return NULL;
    stream->server = entry->server;
    stream->entry = entry;
    stream->max_message_bytes = entry->server->max_message_bytes;
    stream->outbox_bound = entry->server->outbox_messages;
    stream->outbox_bytes = entry->server->outbox_bytes;
    stream->identity = *identity;
    stream->origin = *origin;
    stream->credit = 1;
    stream->reads_ended = entry->method->kind == RPC_SERVER_STREAM;
    stream->due = DUE_OPEN;
    atomic_init(&stream->references, 1);
    pthread_mutex_init(&stream->lock, NULL);
    return stream;
}

void server_stream_accept(struct rpc_entry *entry, grpc_call *core, const struct rpc_identity *identity,
                          bool admitted, const struct rpc_origin *origin, const ProtobufCMessage *request,
                          struct arena arena)
{
    struct rpc_stream *stream = new_stream(entry, identity, origin);
    if (stream == NULL) {
        server_call_ended(entry, origin, STATUS_NO_MEMORY);
        give_back(entry, identity, admitted);
        arena_free(&arena);
        grpc_call_unref(core);
        server_call_leave(entry->server);
        return;
    }
    stream->core = core;
    stream->admitted = admitted;
    stream->arena = arena;
    stream->request = request;
    server_stay(stream->server, &stream->stay, core, &stream->identity);
    pthread_mutex_lock(&stream->lock);
    stream_open_operations(stream);
    stream_dispatch_and_unlock(stream);
}

struct rpc_stream *rpc_stream_ref(struct rpc_stream *stream)
{
    atomic_fetch_add_explicit(&stream->references, 1, memory_order_relaxed);
    return stream;
}

void rpc_stream_unref(struct rpc_stream *stream)
{
    if (atomic_fetch_sub_explicit(&stream->references, 1, memory_order_acq_rel) != 1)
        return;
    if (stream->message != NULL)
        grpc_byte_buffer_destroy(stream->message);
    free(stream->outbox);
    free(stream->end_text);
    pthread_mutex_destroy(&stream->lock);
    free(stream);
}

/* ---- what services call ---- */

/* A reader that does not read holds what is queued for it, and messages may be large. */
static bool is_full(const struct rpc_stream *stream, size_t bytes)
{
    return stream->queued == stream->outbox_bound ||
           (stream->queued > 0 && stream->queued_bytes + bytes > stream->outbox_bytes);
}

static enum status queue_message(struct rpc_stream *stream, grpc_byte_buffer *message)
{
    size_t bound = stream->outbox_bound, bytes = grpc_byte_buffer_length(message);
    if (stream->closed || stream->finishing)
        return STATUS_CANCELLED;
    if (is_full(stream, bytes)) {
        stream->refused = true;
        return STATUS_EXHAUSTED;
    }
    if (stream->outbox == NULL)
        stream->outbox = calloc(bound, sizeof *stream->outbox);
    if (stream->outbox == NULL)
        return STATUS_NO_MEMORY;
    stream->outbox[(stream->first + stream->queued) % bound] = message;
    stream->queued++;
    stream->queued_bytes += bytes;
    stream_start_write(stream);
    return STATUS_OK;
}

enum status rpc_stream_send(struct rpc_stream *stream, const ProtobufCMessage *message)
{
    grpc_byte_buffer *bytes = NULL;
    struct err err = ERR_INIT;
    if (codec_pack(message, stream->max_message_bytes, &bytes, &err) != STATUS_OK) {
        rpc_stream_finish(stream, &err); /* trying again would not help */
        return STATUS_CANCELLED;
    }
    pthread_mutex_lock(&stream->lock);
    enum status status = queue_message(stream, bytes);
    pthread_mutex_unlock(&stream->lock);
    if (status != STATUS_OK)
        grpc_byte_buffer_destroy(bytes);
    return status;
}

void rpc_stream_finish(struct rpc_stream *stream, const struct err *err)
{
    char shown[ERR_TEXT_MAX];
    pthread_mutex_lock(&stream->lock);
    if (!stream->finishing && !stream->closed) {
        stream->finishing = true;
        stream->end_code = err != NULL ? err->code : STATUS_OK;
        if (stream->end_code != STATUS_OK)
            stream->end_text =
                strdup(server_call_text(stream->entry, &stream->origin, stream->end_code, err->text, shown));
        stream_start_write(stream);
    }
    pthread_mutex_unlock(&stream->lock);
}

void rpc_stream_add_credit(struct rpc_stream *stream, unsigned messages)
{
    pthread_mutex_lock(&stream->lock);
    stream->credit = stream->credit > UINT32_MAX - messages ? UINT32_MAX : stream->credit + messages;
    stream_start_read(stream);
    pthread_mutex_unlock(&stream->lock);
}

void rpc_stream_hold_credit(struct rpc_stream *stream, unsigned initial)
{
    pthread_mutex_lock(&stream->lock);
    stream->holds_credit = true;
    stream->credit = initial;
    pthread_mutex_unlock(&stream->lock);
}

void rpc_stream_set_context(struct rpc_stream *stream, void *context)
{
    stream->context = context;
}

void *rpc_stream_context(const struct rpc_stream *stream)
{
    return stream->context;
}

const struct rpc_identity *rpc_stream_identity(const struct rpc_stream *stream)
{
    return &stream->identity;
}
