// SPDX-License-Identifier: Apache-2.0
#include <grpc/compression.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "rpc/client_internal.h"
#include "rpc/credentials.h"
#include "rpc/runtime.h"

/* A server cuts off who pings more often than it permits; see MIN_PING_MS of the server. */
#define SHORTEST_PING_MS 1000
#define PING_TIMEOUT_MS 10000
#define RECONNECT_FIRST_MS 100
#define RECONNECT_MOST_MS 500
#define RECONNECT_LOCAL_MS 100 /* nobody far away is burdened */
/* What one attempt may take, TLS handshake included: the core's "minimum backoff" is that, and delays no
 * other. */
#define CONNECT_TIMEOUT_MS 5000
#define MESSAGE_BYTES ((size_t)16 << 20)

static grpc_arg integer_arg(const char *key, int64_t value)
{
    grpc_arg arg = {.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key};
    arg.value.integer = value > INT32_MAX ? INT32_MAX : (int)value;
    return arg;
}

static int64_t ping_interval(const struct rpc_channel_options *options)
{
    int64_t wanted = options->keepalive_ms != 0 ? options->keepalive_ms : 30000;
    return wanted < SHORTEST_PING_MS ? SHORTEST_PING_MS : wanted;
}

/* The longest pause between tries to connect. */
static int64_t reconnect_most(const char *address)
{
    return strncmp(address, "unix:", strlen("unix:")) == 0 ? RECONNECT_LOCAL_MS : RECONNECT_MOST_MS;
}

static grpc_channel *create_core(const struct rpc_channel_options *options,
                                 grpc_channel_credentials *credentials)
{
    grpc_arg list[] = {
        integer_arg(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1), /* a channel is a connection */
        integer_arg(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, RECONNECT_FIRST_MS),
        integer_arg(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, CONNECT_TIMEOUT_MS),
        integer_arg(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, reconnect_most(options->address)),
        integer_arg(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, RECONNECT_MOST_MS),
        integer_arg(GRPC_ARG_KEEPALIVE_TIME_MS, ping_interval(options)),
        integer_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, PING_TIMEOUT_MS),
        integer_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        integer_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
        integer_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int64_t)options->max_message_bytes),
        integer_arg(GRPC_ARG_ENABLE_HTTP_PROXY, 0), /* controllers are reached directly */
        integer_arg(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1),
        /* Decompression has no bound: a small message could become gigabytes. */
        integer_arg(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0),
        integer_arg(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1u << GRPC_COMPRESS_NONE),
        integer_arg(GRPC_ARG_ENABLE_CHANNELZ, 0),
        integer_arg(GRPC_ARG_MAX_CHANNEL_TRACE_EVENT_MEMORY_PER_NODE, 0),
        {.type = GRPC_ARG_STRING,
         .key = (char *)(uintptr_t)GRPC_SSL_TARGET_NAME_OVERRIDE_ARG,
         .value.string = (char *)(uintptr_t)options->server_name},
    };
    size_t count = ARRAY_LEN(list) - (options->server_name == NULL ? 1 : 0);
    grpc_channel_args args = {.num_args = count, .args = list};
    return grpc_channel_create(options->address, credentials, &args);
}

static enum status set_token(struct rpc_channel *channel, const char *token, struct err *err)
{
    if (token == NULL)
        return STATUS_OK;
    size_t length = strlen(token) + sizeof "Bearer ";
    char *value = malloc(length);
    if (value == NULL)
        return err_set(err, STATUS_NO_MEMORY, "no memory for a token");
    snprintf(value, length, "Bearer %s", token);
    channel->token.key = grpc_slice_from_static_string("authorization");
    channel->token.value = grpc_slice_from_copied_string(value);
    free(value);
    channel->has_token = true;
    if (!grpc_header_nonbin_value_is_legal(channel->token.value))
        return err_set(err, STATUS_INVALID, "the token has characters that cannot be sent");
    return STATUS_OK;
}

static enum status copy_options(struct rpc_channel *channel, const struct rpc_channel_options *options,
                                struct err *err)
{
    struct rpc_channel_options *own = &channel->options;
    *own = *options;
    own->token = own->ca_pem = own->certificate_pem = own->key_pem = NULL;
    if (!own->tls || credentials_is_unix(options->address))
        own->files = NULL;
    if (own->max_message_bytes == 0)
        own->max_message_bytes = MESSAGE_BYTES;
    if (own->random == NULL)
        own->random = &random_system;
    own->address = strdup(options->address);
    own->server_name = options->server_name != NULL ? strdup(options->server_name) : NULL;
    bool copied = own->address != NULL && (own->server_name != NULL) == (options->server_name != NULL);
    return copied ? STATUS_OK : err_set(err, STATUS_NO_MEMORY, "no memory for a channel");
}

/* With the credentials that `options` name. */
static enum status connect_core(struct rpc_channel *channel, const struct rpc_channel_options *options,
                                grpc_channel **out, struct err *err)
{
    grpc_channel_credentials *credentials = NULL;
    TRY(credentials_channel(options, &channel->generation, &credentials, err));
    *out = create_core(&channel->options, credentials);
    grpc_channel_credentials_release(credentials);
    return *out != NULL ? STATUS_OK
                        : err_set(err, STATUS_INVALID, "address '%s' cannot be used", options->address);
}

static enum status connect_channel(struct rpc_channel *channel, const struct rpc_channel_options *options,
                                   struct err *err)
{
    TRY(copy_options(channel, options, err));
    TRY(set_token(channel, options->token, err));
    return connect_core(channel, options, &channel->core, err);
}

enum status rpc_channel_new(const struct rpc_channel_options *options, struct rpc_channel **out,
                            struct err *err)
{
    rpc_runtime_init();
    if (options->address == NULL || options->address[0] == '\0')
        return err_set(err, STATUS_INVALID, "a channel needs an address");
    struct rpc_channel *channel = calloc(1, sizeof *channel);
    if (channel == NULL)
        return err_set(err, STATUS_NO_MEMORY, "no memory for a channel");
    pthread_mutex_init(&channel->lock, NULL);
    enum status status = connect_channel(channel, options, err);
    if (status != STATUS_OK) {
        rpc_channel_free(channel);
        return status;
    }
    *out = channel;
    return STATUS_OK;
}

static void destroy_core(grpc_channel *core)
{
    if (core != NULL)
        grpc_channel_destroy(core);
}

/* Calls that waited for its connection have it by now, or have failed. */
static void drop_older(struct rpc_channel *channel)
{
    if (channel->older == NULL ||
        clock_monotonic_ms(&clock_system) - channel->renewed_ms < CONNECT_TIMEOUT_MS)
        return;
    grpc_channel_destroy(channel->older);
    channel->older = NULL;
}

/* A certificate belongs to a core for good, and calls to the core that they began with. */
static void renew_core(struct rpc_channel *channel)
{
    struct tls_files *files = channel->options.files;
    grpc_channel *core = NULL;
    struct err err = ERR_INIT;
    if (files == NULL || tls_files_generation(files) == channel->generation)
        return;
    if (connect_core(channel, &channel->options, &core, &err) != STATUS_OK)
        return; /* its files were looked at already */
    destroy_core(channel->older);
    channel->older = channel->core;
    channel->core = core;
    channel->renewed_ms = clock_monotonic_ms(&clock_system);
}

grpc_channel *channel_hold(struct rpc_channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    drop_older(channel);
    renew_core(channel);
    return channel->core;
}

void channel_release(struct rpc_channel *channel)
{
    pthread_mutex_unlock(&channel->lock);
}

void rpc_channel_free(struct rpc_channel *channel)
{
    if (channel == NULL)
        return;
    destroy_core(channel->core);
    destroy_core(channel->older);
    if (channel->has_token)
        grpc_slice_unref(channel->token.value);
    free((void *)(uintptr_t)channel->options.address);
    free((void *)(uintptr_t)channel->options.server_name);
    pthread_mutex_destroy(&channel->lock);
    free(channel);
}
