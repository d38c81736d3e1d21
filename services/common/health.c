/*
 * --healthcheck: the service's own health endpoint, asked by the same binary. A unix socket is preferred,
 * because it needs no certificate.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <string.h>

#include "base/file.h"
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

enum status service_check_health(const struct service_options *options, struct err *err)
{
    char target[512];
    struct buffer ca CLEANUP(buffer_free) = BUFFER_INIT;
    struct buffer key CLEANUP(buffer_free) = BUFFER_INIT;
    struct rpc_channel *channel = NULL;
    write_target(pick_address(&options->listen), target, sizeof target);
    struct rpc_channel_options to = {.address = target};
    if (!is_unix(target) && options->tls_certificate_file != NULL) {
        TRY(file_read(options->tls_certificate_file, 1u << 20, &ca, err));
        to.tls = true;
        to.ca_pem = buffer_text(&ca);
        /* a service that demands certificates is shown its own */
        if (options->tls_client_ca_file != NULL) {
            TRY(file_read_secret(options->tls_key_file, 1u << 20, &key, err));
            to.certificate_pem = to.ca_pem;
            to.key_pem = buffer_text(&key);
        }
    }
    rpc_runtime_init();
    TRY(rpc_channel_new(&to, &channel, err));
    enum status status = ask(channel, err);
    rpc_channel_free(channel);
    return status == STATUS_OK ? status : err_context(err, "%s", target);
}
