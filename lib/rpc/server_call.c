// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "rpc/codec.h"
#include "rpc/request_id.h"
#include "rpc/server_internal.h"
#include "rpc/wire_status.h"

/*
 * A call that gets one answer. References: one of whoever has to answer, one
 * per outstanding operation, one while the handler runs. The last one frees.
 */
struct rpc_call {
    struct rpc_event answered_event;
    struct rpc_event closed_event;
    struct rpc_server *server;
    struct rpc_entry *entry;
    grpc_call *core; /* owned */
    gpr_timespec deadline;
    int core_cancelled; /* written by the core until closed_event */
    atomic_int references;

    pthread_mutex_t lock;                                    /* also serialises the call's operations */
    bool answered;                                           /* lock: the one answer was given */
    bool watched;                                            /* lock: closed_event will come */
    bool cancelled;                                          /* lock */
    void (*on_cancel)(void *context, struct rpc_call *call); /* lock */
    void *on_cancel_context;                                 /* lock */

    struct rpc_origin origin;
    struct arena arena; /* whoever has to answer */
    struct rpc_identity identity;
    bool admitted;        /* identity was let in by the check, and is to be released */
    struct rpc_stay stay; /* while it is parked */
};

static void release(struct rpc_call *call)
{
    if (atomic_fetch_sub_explicit(&call->references, 1, memory_order_acq_rel) != 1)
        return;
    struct rpc_server *server = call->server;
    server_unstay(server, &call->stay);
    if (call->admitted)
        server_release(server, &call->identity);
    grpc_call_unref(call->core);
    arena_free(&call->arena);
    pthread_mutex_destroy(&call->lock);
    free(call);
    server_call_leave(server);
}

static void retain(struct rpc_call *call)
{
    atomic_fetch_add_explicit(&call->references, 1, memory_order_relaxed);
}

static void on_answered(struct rpc_event *event, bool ok)
{
    (void)ok; /* a lost answer is the caller's to notice */
    release(EVENT_OWNER(event, struct rpc_call, answered_event));
}

static void on_closed(struct rpc_event *event, bool ok)
{
    (void)ok;
    struct rpc_call *call = EVENT_OWNER(event, struct rpc_call, closed_event);
    void (*callback)(void *, struct rpc_call *) = NULL;
    pthread_mutex_lock(&call->lock);
    if (call->core_cancelled) {
        atomic_fetch_add_explicit(&call->server->cancelled, 1, memory_order_relaxed);
        call->cancelled = true;
        if (!call->answered)
            callback = call->on_cancel;
        call->on_cancel = NULL;
    }
    void *context = call->on_cancel_context;
    pthread_mutex_unlock(&call->lock);
    if (callback != NULL) {
        const char *before = log_set_request(call->origin.request_id);
        callback(context, call);
        (void)log_set_request(before);
    }
    release(call);
}

static grpc_op close_op(struct rpc_call *call)
{
    call->watched = true;
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    op.data.recv_close_on_server.cancelled = &call->core_cancelled;
    return op;
}

/* Arms the notice of cancellation; lock held. */
static void watch(struct rpc_call *call)
{
    if (call->watched)
        return;
    retain(call);
    grpc_op op = close_op(call);
    event_start(call->core, &op, 1, &call->closed_event);
}

void server_call_ended(const struct rpc_entry *entry, const struct rpc_origin *origin, enum status code)
{
    const struct rpc_observer *observer = &entry->server->observer;
    if (observer->ended != NULL)
        observer->ended(entry->observed, code, clock_monotonic_us(&clock_system) - origin->begun_us);
}

const char *server_call_text(const struct rpc_entry *entry, const struct rpc_origin *origin, enum status code,
                             const char *text, char shown[ERR_TEXT_MAX])
{
    if (code != STATUS_INTERNAL)
        return text;
    const char *before = log_set_request(origin->request_id);
    log_error("rpc", "internal_error",
              LOG_TEXT("method", entry->method != NULL ? entry->method->path : "unknown"),
              LOG_TEXT("error", text));
    (void)log_set_request(before);
    if (strstr(text, "(request ") != NULL) /* a service that was asked for it has said so */
        return text;
    (void)snprintf(shown, ERR_TEXT_MAX, "%.*s (request %s)", ERR_TEXT_MAX - RPC_REQUEST_ID_MAX - 16, text,
                   origin->request_id);
    return shown;
}

/* Sends the one answer; OK carries `message`, which is owned here. */
static void answer(struct rpc_call *call, enum status code, const char *text, grpc_byte_buffer *message)
{
    bool refused = code == STATUS_EXHAUSTED && call->identity.retry_ms > 0;
    grpc_op ops[4];
    size_t count = 0;
    struct wire_status wire;
    char shown[ERR_TEXT_MAX];
    server_call_ended(call->entry, &call->origin, code);
    text = server_call_text(call->entry, &call->origin, code, text, shown);
    ops[count++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
    if (message != NULL) {
        ops[count] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE};
        ops[count++].data.send_message.send_message = message;
    }
    wire_status_send(&wire, code, text, refused ? call->identity.retry_ms : 0, &ops[count++]);
    pthread_mutex_lock(&call->lock);
    if (call->answered)
        abort(); /* a service answered twice */
    call->answered = true;
    /* An answer given at once saves the notice of cancellation a batch of its own. */
    if (!call->watched)
        ops[count++] = close_op(call);
    event_start(call->core, ops, count, &call->answered_event); /* takes the answerer's reference over */
    pthread_mutex_unlock(&call->lock);
    wire_status_free(&wire);
    if (message != NULL)
        grpc_byte_buffer_destroy(message);
}

void rpc_call_reply(struct rpc_call *call, const ProtobufCMessage *response)
{
    grpc_byte_buffer *message = NULL;
    struct err err = ERR_INIT;
    if (codec_pack(response, call->server->max_message_bytes, &message, &err) != STATUS_OK)
        answer(call, err.code, err.text, NULL);
    else
        answer(call, STATUS_OK, "", message);
}

void rpc_call_fail(struct rpc_call *call, const struct err *err)
{
    if (err->code == STATUS_OK)
        answer(call, STATUS_INTERNAL, "a call failed without an error", NULL);
    else
        answer(call, err->code, err->text, NULL);
}

struct arena *rpc_call_arena(struct rpc_call *call)
{
    return &call->arena;
}

const struct rpc_identity *rpc_call_identity(const struct rpc_call *call)
{
    return &call->identity;
}

const char *rpc_call_request_id(const struct rpc_call *call)
{
    return call->origin.request_id;
}

int64_t rpc_call_remaining_ms(const struct rpc_call *call)
{
    gpr_timespec never = gpr_inf_future(call->deadline.clock_type);
    if (gpr_time_cmp(call->deadline, never) == 0)
        return INT64_MAX;
    gpr_timespec left = gpr_time_sub(call->deadline, gpr_now(call->deadline.clock_type));
    return left.tv_sec > INT64_MAX / 2000 ? INT64_MAX : left.tv_sec * 1000 + left.tv_nsec / 1000000;
}

void rpc_call_on_cancel(struct rpc_call *call, void (*callback)(void *context, struct rpc_call *call),
                        void *context)
{
    pthread_mutex_lock(&call->lock);
    bool run_now = call->cancelled && !call->answered;
    if (!call->cancelled && !call->answered) {
        call->on_cancel = callback;
        call->on_cancel_context = context;
        watch(call);
    }
    pthread_mutex_unlock(&call->lock);
    if (run_now)
        callback(context, call);
}

static struct rpc_call *new_call(struct rpc_entry *entry, const struct rpc_arrival *arrival)
{
    struct rpc_call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return NULL;
    call->answered_event.run = on_answered;
    call->closed_event.run = on_closed;
    call->server = entry->server;
    call->entry = entry;
    call->origin.begun_us = clock_monotonic_us(&clock_system);
    request_id_take(&arrival->metadata, call->origin.request_id);
    call->core = arrival->core;
    call->deadline = arrival->deadline;
    call->arena = arena_make(0);
    atomic_init(&call->references, 1);
    pthread_mutex_init(&call->lock, NULL);
    return call;
}

static enum status check_access(struct rpc_entry *entry, const struct rpc_arrival *arrival,
                                struct rpc_call *call, struct err *err)
{
    struct rpc_server *server = entry->server;
    if (entry->method->access == 0)
        return STATUS_OK;
    if (server->check == NULL) {
        call->identity.access = ~0u;
        return STATUS_OK;
    }
    char token[CREDENTIALS_TOKEN_MAX], name[CREDENTIALS_NAME_MAX];
    bool has_token = credentials_token(&arrival->metadata, token);
    bool has_name = server->peer_names && credentials_peer_name(arrival->core, name);
    enum status status = server->check(server->check_context, has_token ? token : NULL,
                                       has_name ? name : NULL, entry->method->access, &call->identity, err);
    call->admitted = status == STATUS_OK;
    if (status != STATUS_OK && err->text[0] == '\0')
        err_set(err, status, "%s", status_info(status)->name);
    return status;
}

static enum status admit(struct rpc_entry *entry, const struct rpc_arrival *arrival,
                         const char *unknown_method, bool has_room, struct rpc_call *call, struct err *err)
{
    struct rpc_server *server = entry->server;
    if (atomic_load(&server->draining))
        return err_set(err, STATUS_UNAVAILABLE, "the server is shutting down");
    if (!has_room && (entry->method == NULL || !health_is_check(entry->method))) {
        atomic_fetch_add_explicit(&server->refused, 1, memory_order_relaxed);
        return err_set(err, STATUS_EXHAUSTED, "the server has too many calls open");
    }
    if (entry->method == NULL)
        return err_set(err, STATUS_UNIMPLEMENTED, "unknown method %s", unknown_method);
    return check_access(entry, arrival, call, err);
}

static bool has_request(const struct rpc_method *method)
{
    return method->kind == RPC_UNARY || method->kind == RPC_SERVER_STREAM;
}

/* Passes the admitted call to its handler. On failure the call is still to be answered. */
static enum status run_handler(struct rpc_entry *entry, struct rpc_call *call, grpc_byte_buffer *payload,
                               struct err *err)
{
    const struct rpc_method *method = entry->method;
    ProtobufCMessage *request = NULL;
    if (has_request(method))
        TRY(codec_unpack_arena(method->request, payload, entry->server->max_message_bytes, &call->arena,
                               &request, err));
    if (method->kind == RPC_UNARY) {
        method->unary(entry->service, call, request);
        return STATUS_OK;
    }
    if (method->access == 0 && !server_public_enter(entry->server))
        return err_set(err, STATUS_EXHAUSTED, "too many streams without a token are open");
    grpc_call_ref(call->core);
    atomic_fetch_add(&entry->server->open, 1); /* the stream's own share of the live count */
    server_stream_accept(entry, call->core, &call->identity, call->admitted, &call->origin, request,
                         call->arena);
    call->admitted = false; /* it is the stream's now */
    call->arena = arena_make(0);
    release(call);
    return STATUS_OK;
}

static void serve(struct rpc_entry *entry, struct rpc_call *call, struct rpc_arrival *arrival,
                  const char *unknown_method, bool has_room)
{
    struct err err = ERR_INIT;
    enum status status = admit(entry, arrival, unknown_method, has_room, call, &err);
    if (status == STATUS_OK)
        status = run_handler(entry, call, arrival->payload, &err);
    if (status != STATUS_OK)
        answer(call, status, err.text, NULL);
}

void server_call_accept(struct rpc_entry *entry, struct rpc_arrival *arrival, const char *unknown_method)
{
    bool has_room = server_call_enter(entry->server);
    struct rpc_call *call = new_call(entry, arrival);
    if (call == NULL) {
        grpc_call_unref(arrival->core); /* cancels it */
        server_call_leave(entry->server);
    } else {
        bool streams = entry->method != NULL && entry->method->kind != RPC_UNARY;
        retain(call);
        if (entry->server->observer.begun != NULL)
            entry->server->observer.begun(entry->observed);
        (void)log_set_request(call->origin.request_id);
        serve(entry, call, arrival, unknown_method, has_room);
        (void)log_set_request(NULL);
        pthread_mutex_lock(&call->lock);
        if (!call->answered && !streams) {
            watch(call);
            server_stay(call->server, &call->stay, call->core, &call->identity);
        }
        pthread_mutex_unlock(&call->lock);
        release(call);
    }
    grpc_metadata_array_destroy(&arrival->metadata);
    if (arrival->payload != NULL)
        grpc_byte_buffer_destroy(arrival->payload);
}

static void request_again(struct rpc_slot *slot)
{
    struct rpc_entry *entry = slot->entry;
    grpc_completion_queue *queue = entry->server->queue;
    struct rpc_arrival *arrival = &slot->arrival;
    grpc_call_error error;
    EVENT_GIVE(&slot->event);
    if (entry->method == NULL)
        error = grpc_server_request_call(entry->server->core, &arrival->core, &slot->details,
                                         &arrival->metadata, queue, queue, &slot->event);
    else
        error = grpc_server_request_registered_call(
            entry->server->core, entry->registered, &arrival->core, &arrival->deadline, &arrival->metadata,
            has_request(entry->method) ? &arrival->payload : NULL, queue, queue, &slot->event);
    if (error != GRPC_CALL_OK)
        abort();
}

void server_arm(struct rpc_slot *slot)
{
    slot->arrival = (struct rpc_arrival){.core = NULL};
    grpc_metadata_array_init(&slot->arrival.metadata);
    if (slot->entry->method == NULL)
        grpc_call_details_init(&slot->details);
    request_again(slot);
}

static void retire(struct rpc_slot *slot)
{
    struct rpc_server *server = slot->entry->server;
    pthread_mutex_lock(&server->lock);
    server->armed--;
    pthread_cond_broadcast(&server->idle);
    pthread_mutex_unlock(&server->lock);
}

/* Copies the method's name of an unregistered call, and gives the details back. */
static void take_details(struct rpc_slot *slot, struct rpc_arrival *arrival, char name[256])
{
    name[0] = '\0';
    if (slot->entry->method != NULL)
        return;
    size_t length = GRPC_SLICE_LENGTH(slot->details.method);
    length = length < 255 ? length : 255;
    memcpy(name, GRPC_SLICE_START_PTR(slot->details.method), length);
    name[length] = '\0';
    arrival->deadline = slot->details.deadline;
    grpc_call_details_destroy(&slot->details);
}

void server_on_arrival(struct rpc_event *event, bool ok)
{
    struct rpc_slot *slot = EVENT_OWNER(event, struct rpc_slot, event);
    struct rpc_entry *entry = slot->entry;
    struct rpc_arrival arrival = slot->arrival;
    char unknown_method[256];
    if (!ok) {
        if (entry->method == NULL)
            grpc_call_details_destroy(&slot->details);
        retire(slot);
        return;
    }
    take_details(slot, &arrival, unknown_method);
    slot->arrival = (struct rpc_arrival){.core = NULL};
    if (!atomic_load(&entry->server->draining)) {
        server_arm(slot);
        server_call_accept(entry, &arrival, unknown_method);
        return;
    }
    server_call_accept(entry, &arrival, unknown_method);
    retire(slot);
}
