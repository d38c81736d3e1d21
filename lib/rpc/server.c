// SPDX-License-Identifier: Apache-2.0
#include "rpc/server.h"

#include <assert.h>
#include <grpc/compression.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "rpc/runtime.h"
#include "rpc/server_internal.h"

/* Requests armed per method and worker: the core queues what arrives between an arrival and its re-arming. */
#define SLOTS_PER_WORKER 2u
/* Shortest interval between a client's pings; channels of this module ping less often. */
#define MIN_PING_MS 500
#define PING_TIMEOUT_MS 20000

static size_t size_or(size_t value, size_t preset)
{
    return value != 0 ? value : preset;
}

static int64_t time_or(int64_t value, int64_t preset)
{
    return value != 0 ? value : preset;
}

static enum status copy_addresses(struct rpc_server *server, const struct rpc_server_options *options,
                                  struct err *err)
{
    server->addresses = calloc(options->address_count, sizeof *server->addresses);
    server->ports = calloc(options->address_count, sizeof *server->ports);
    server->credentials = calloc(options->address_count, sizeof *server->credentials);
    if (server->addresses == NULL || server->ports == NULL || server->credentials == NULL)
        return err_set(err, STATUS_NO_MEMORY, "no memory for a server");
    for (size_t i = 0; i < options->address_count; i++) {
        server->addresses[i] = strdup(options->addresses[i]);
        if (server->addresses[i] == NULL)
            return err_set(err, STATUS_NO_MEMORY, "no memory for a server");
        server->address_count++;
    }
    return STATUS_OK;
}

static void copy_limits(struct rpc_server *server, const struct rpc_server_options *options)
{
    server->workers = options->workers != 0 ? options->workers : 4;
    server->max_message_bytes = size_or(options->max_message_bytes, 4u << 20);
    server->max_concurrent_calls = size_or(options->max_concurrent_calls, 20000);
    server->max_connection_streams = size_or(options->max_connection_streams, 1000);
    server->outbox_messages = size_or(options->stream_outbox_messages, 64);
    server->outbox_bytes = size_or(options->stream_outbox_bytes, (size_t)256 << 10);
    server->keepalive_ms = time_or(options->keepalive_ms, 30000);
    server->handshake_timeout_ms = time_or(options->handshake_timeout_ms, 20000);
    server->check = options->check;
    server->release = options->release;
    server->check_context = options->check_context;
    server->observer = options->observer;
    const struct rpc_tls *tls = &options->tls;
    server->peer_names =
        tls->files != NULL ? tls_files_has_authorities(tls->files) : tls->client_ca_pem != NULL;
    server->tls = tls->files != NULL || tls->certificate_pem != NULL;
}

static enum status add_built_in(struct rpc_server *server, const struct rpc_server_options *options,
                                struct err *err)
{
    TRY(health_new(&server->health, err));
    health_add(server->health, server);
    if (options->descriptor_set == NULL)
        return STATUS_OK;
    TRY(reflection_new(options->descriptor_set, options->descriptor_set_size, &server->reflection, err));
    reflection_add(server->reflection, server);
    return STATUS_OK;
}

static enum status fill(struct rpc_server *server, const struct rpc_server_options *options, struct err *err)
{
    if (options->address_count == 0)
        return err_set(err, STATUS_INVALID, "a server needs an address");
    if (options->workers != 0 && options->workers < 2)
        return err_set(err, STATUS_INVALID, "a server needs at least 2 workers");
    copy_limits(server, options);
    TRY(copy_addresses(server, options, err));
    for (size_t i = 0; i < server->address_count; i++)
        TRY(credentials_server(&options->tls, &server->credentials[i], err));
    return add_built_in(server, options, err);
}

enum status rpc_server_new(const struct rpc_server_options *options, struct rpc_server **out, struct err *err)
{
    rpc_runtime_init();
    struct rpc_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return err_set(err, STATUS_NO_MEMORY, "no memory for a server");
    pthread_mutex_init(&server->lock, NULL);
    pthread_mutex_init(&server->stays_lock, NULL);
    clock_cond_init(&server->idle);
    enum status status = fill(server, options, err);
    if (status != STATUS_OK) {
        rpc_server_free(server);
        return status;
    }
    *out = server;
    return STATUS_OK;
}

void rpc_server_add(struct rpc_server *server, const struct rpc_method *methods, size_t count, void *service)
{
    if (server->service_count == RPC_SERVICES_MAX || server->core != NULL)
        abort(); /* a fixed set of services, added before the start */
    server->services[server->service_count++] = (struct rpc_service_rows){methods, count, service};
}

void rpc_server_set_check(struct rpc_server *server, rpc_token_check *check, rpc_token_release *release,
                          void *context)
{
    server->check = check;
    server->release = release;
    server->check_context = context;
}

void rpc_server_on_drain(struct rpc_server *server, void (*callback)(void *context), void *context)
{
    pthread_mutex_lock(&server->lock);
    if (server->drain_count == RPC_DRAIN_MAX)
        abort();
    server->drains[server->drain_count++] = (struct rpc_drain_callback){callback, context};
    pthread_mutex_unlock(&server->lock);
}

static grpc_arg integer_arg(const char *key, int64_t value)
{
    grpc_arg arg = {.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key};
    arg.value.integer = value > INT32_MAX ? INT32_MAX : (int)value;
    return arg;
}

static grpc_server *create_core(const struct rpc_server *server)
{
    grpc_arg list[] = {
        integer_arg(GRPC_ARG_ALLOW_REUSEPORT, 0),
        integer_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int64_t)server->max_message_bytes),
        integer_arg(GRPC_ARG_MAX_CONCURRENT_STREAMS, (int64_t)server->max_connection_streams),
        integer_arg(GRPC_ARG_KEEPALIVE_TIME_MS, server->keepalive_ms),
        integer_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, PING_TIMEOUT_MS),
        integer_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        integer_arg(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, MIN_PING_MS),
        integer_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
        integer_arg(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, server->handshake_timeout_ms),
        /* Decompression has no bound: a small message could become gigabytes. */
        integer_arg(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0),
        integer_arg(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1u << GRPC_COMPRESS_NONE),
        integer_arg(GRPC_ARG_ENABLE_CHANNELZ, 0),
        integer_arg(GRPC_ARG_MAX_CHANNEL_TRACE_EVENT_MEMORY_PER_NODE, 0),
    };
    grpc_channel_args args = {.num_args = ARRAY_LEN(list), .args = list};
    return grpc_server_create(&args, NULL);
}

static enum status build_entries(struct rpc_server *server, struct err *err)
{
    size_t count = 1;
    for (size_t s = 0; s < server->service_count; s++)
        count += server->services[s].count;
    server->entries = calloc(count, sizeof *server->entries);
    if (server->entries == NULL)
        return err_set(err, STATUS_NO_MEMORY, "no memory for %zu methods", count);
    for (size_t s = 0; s < server->service_count; s++) {
        const struct rpc_service_rows *rows = &server->services[s];
        for (size_t m = 0; m < rows->count; m++)
            server->entries[server->entry_count++] =
                (struct rpc_entry){.server = server, .method = &rows->methods[m], .service = rows->service};
    }
    server->entries[server->entry_count++] = (struct rpc_entry){.server = server};
    for (size_t i = 0; i < server->entry_count && server->observer.method != NULL; i++)
        server->entries[i].observed =
            server->observer.method(server->observer.context, server->entries[i].method);
    return STATUS_OK;
}

static bool reads_first_message(enum rpc_kind kind)
{
    return kind == RPC_UNARY || kind == RPC_SERVER_STREAM;
}

static enum status register_methods(struct rpc_server *server, struct err *err)
{
    for (size_t i = 0; i + 1 < server->entry_count; i++) {
        struct rpc_entry *entry = &server->entries[i];
        entry->registered = grpc_server_register_method(server->core, entry->method->path, NULL,
                                                        reads_first_message(entry->method->kind)
                                                            ? GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER
                                                            : GRPC_SRM_PAYLOAD_NONE,
                                                        0);
        if (entry->registered == NULL)
            return err_set(err, STATUS_INVALID, "method %s cannot be served (twice?)", entry->method->path);
    }
    return STATUS_OK;
}

static enum status make_slots(struct rpc_server *server, struct err *err)
{
    size_t per_method = SLOTS_PER_WORKER * (size_t)server->workers;
    assert(server->entry_count > 0 && per_method > 0);
    server->slots = calloc(server->entry_count * per_method, sizeof *server->slots);
    server->threads = calloc((size_t)server->workers, sizeof *server->threads);
    if (server->slots == NULL || server->threads == NULL)
        return err_set(err, STATUS_NO_MEMORY, "no memory for a server");
    for (size_t i = 0; i < server->entry_count; i++) {
        size_t wanted = server->entries[i].method != NULL ? per_method : 1;
        for (size_t k = 0; k < wanted; k++)
            server->slots[server->slot_count++] =
                (struct rpc_slot){.event = {server_on_arrival}, .entry = &server->entries[i]};
    }
    return STATUS_OK;
}

static enum status prepare(struct rpc_server *server, struct err *err)
{
    TRY(build_entries(server, err));
    TRY(make_slots(server, err));
    server->queue = grpc_completion_queue_create_for_next(NULL);
    server->core = create_core(server);
    grpc_server_register_completion_queue(server->core, server->queue, NULL);
    TRY(register_methods(server, err));
    return server_listen(server, err);
}

static void *work(void *context)
{
    struct rpc_server *server = context;
    event_loop(server->queue);
    return NULL;
}

static enum status start_workers(struct rpc_server *server, struct err *err)
{
    for (int i = 0; i < server->workers; i++) {
        int failure = pthread_create(&server->threads[i], NULL, work, server);
        if (failure != 0)
            return err_set_errno(err, STATUS_IO, failure, "cannot start a worker thread");
        server->thread_count++;
    }
    return STATUS_OK;
}

enum status rpc_server_start(struct rpc_server *server, struct err *err)
{
    TRY(prepare(server, err));
    TRY(start_workers(server, err));
    grpc_server_start(server->core);
    server->armed = server->slot_count;
    for (size_t i = 0; i < server->slot_count; i++)
        server_arm(&server->slots[i]);
    log_info("rpc", "serving", LOG_TEXT("address", server->addresses[0]), LOG_INT("port", server->ports[0]),
             LOG_INT("workers", server->workers), LOG_BOOL("tls", server->tls));
    return STATUS_OK;
}

int rpc_server_port(const struct rpc_server *server, size_t index)
{
    return index < server->address_count ? server->ports[index] : 0;
}

void rpc_server_set_health(struct rpc_server *server, const char *service, bool serving)
{
    health_set(server->health, service, serving);
}

struct rpc_server_stats rpc_server_stats(const struct rpc_server *server)
{
    return (struct rpc_server_stats){.calls = atomic_load(&server->calls),
                                     .cancelled = atomic_load(&server->cancelled),
                                     .refused = atomic_load(&server->refused),
                                     .open = atomic_load(&server->open)};
}
