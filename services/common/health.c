/*
 * --healthcheck: the service's own health endpoint, asked by the same binary. A unix socket is preferred,
 * because it needs no certificate.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "grpc/health/v1/health.pb-c.h"
#include "rpc/client.h"
#include "rpc/runtime.h"
#include "services/common/service.h"

static const struct rpc_client_method check_method = {
    .path = "/grpc.health.v1.Health/Check",
    .request = &grpc__health__v1__health_check_request__descriptor,
    .response = &grpc__health__v1__health_check_response__descriptor,
    .idempotent = true,
};

static bool is_unix(const char *address)
{
    return strncmp(address, "unix:", 5) == 0;
}

static const char *pick_address(const struct config_list *listen)
{
    for (size_t i = 0; i < listen->count; i++)
        if (is_unix(listen->items[i]))
            return listen->items[i];
    return listen->count > 0 ? listen->items[0] : "";
}

/* Where to connect for an address to listen on: wildcards become loopback. */
static void write_target(const char *address, char *out, size_t size)
{
    static const struct {
        const char *wildcard, *host;
    } rows[] = {{"0.0.0.0:", "127.0.0.1:"}, {"[::]:", "[::1]:"}, {"*:", "127.0.0.1:"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t length = strlen(rows[i].wildcard);
        if (strncmp(address, rows[i].wildcard, length) == 0) {
            (void)snprintf(out, size, "%s%s", rows[i].host, address + length);
            return;
        }
    }
    (void)snprintf(out, size, "%s", address);
}

static enum status ask(struct rpc_channel *channel, struct err *err)
{
    const Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    const struct rpc_call_options limits = {.timeout_ms = 3000, .max_attempts = 1};
    ProtobufCMessage *response = NULL;
    TRY(rpc_unary(channel, &check_method, &request.base, &limits, &response, err));
    bool serving = ((const Grpc__Health__V1__HealthCheckResponse *)(const void *)response)->status ==
                   GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
    protobuf_c_message_free_unpacked(response, NULL);
    return serving ? STATUS_OK : err_set(err, STATUS_UNAVAILABLE, "not serving (is the database there?)");
}

static void free_files(struct tls_files **files)
{
    tls_files_free(*files);
}

/* The service's own certificate is what is trusted; a service that demands one is shown it, too. */
static enum status open_own(const struct service_options *options, struct tls_files **out, struct err *err)
{
    bool demands = options->tls_client_ca_file != NULL;
    const struct tls_paths paths = {.certificate = demands ? options->tls_certificate_file : NULL,
                                    .key = demands ? options->tls_key_file : NULL,
                                    .authorities = options->tls_certificate_file};
    return tls_files_open(&paths, &clock_system, out, err);
}

enum status service_check_health(const struct service_options *options, struct err *err)
{
    char target[512];
    struct tls_files *files CLEANUP(free_files) = NULL;
    struct rpc_channel *channel = NULL;
    write_target(pick_address(&options->listen), target, sizeof target);
    if (!is_unix(target) && options->tls_certificate_file != NULL)
        TRY(open_own(options, &files, err));
    const struct rpc_channel_options to = {.address = target, .tls = files != NULL, .files = files};
    rpc_runtime_init();
    TRY(rpc_channel_new(&to, &channel, err));
    enum status status = ask(channel, err);
    rpc_channel_free(channel);
    return status == STATUS_OK ? status : err_context(err, "%s", target);
}
