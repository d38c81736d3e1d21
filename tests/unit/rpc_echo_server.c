// SPDX-License-Identifier: Apache-2.0
/*
 * The echo service as a process, for clients in other languages. Prints "ready PORT", drains on SIGTERM.
 *
 *     rpc_echo_server [--token TOKEN] [--tls CERTIFICATE KEY] [--ca CERTIFICATE] [--max-calls N]
 *                     [--handshake-ms N] [--unix PATH]
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "rpc/runtime.h"
#include "rpc_echo.h"

static const char *wanted_token;

static enum status check(void *context, const char *token, const char *peer_name, unsigned access,
                         struct rpc_identity *identity, struct err *err)
{
    (void)context;
    if (peer_name == NULL && (token == NULL || strcmp(token, wanted_token) != 0))
        return err_set(err, STATUS_UNAUTHENTICATED, "no or wrong token");
    identity->access = access;
    snprintf(identity->subject, sizeof identity->subject, "%s", peer_name != NULL ? peer_name : "token");
    return STATUS_OK;
}

static const char *read_pem(const char *path)
{
    static struct buffer files[3];
    static size_t count;
    struct err err = ERR_INIT;
    if (file_read(path, 65536, &files[count], &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    return buffer_text(&files[count++]);
}

static void parse(int argc, char **argv, struct rpc_server_options *options, const char **addresses)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *value = argv[i + 1];
        if (strcmp(argv[i], "--token") == 0) {
            wanted_token = value;
            options->check = check;
        } else if (strcmp(argv[i], "--tls") == 0 && i + 2 < argc) {
            options->tls.certificate_pem = read_pem(value);
            options->tls.key_pem = read_pem(argv[i++ + 2]);
        } else if (strcmp(argv[i], "--ca") == 0) {
            options->tls.client_ca_pem = read_pem(value);
        } else if (strcmp(argv[i], "--max-calls") == 0) {
            options->max_concurrent_calls = strtoul(value, NULL, 10);
        } else if (strcmp(argv[i], "--handshake-ms") == 0) {
            options->handshake_timeout_ms = strtol(value, NULL, 10);
        } else if (strcmp(argv[i], "--unix") == 0) {
            addresses[options->address_count++] = value;
        }
    }
}

static int serve(struct rpc_server *server, struct echo *echo, const sigset_t *signals)
{
    struct err err = ERR_INIT;
    int number;
    echo_serve(echo, server);
    if (rpc_server_start(server, &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    rpc_server_set_health(server, "", true);
    rpc_server_set_health(server, "besom.test.v1.Echo", true);
    printf("ready %d\n", rpc_server_port(server, 0));
    fflush(stdout);
    sigwait(signals, &number);
    rpc_server_shutdown(server, 2000);
    struct rpc_server_stats stats = rpc_server_stats(server);
    printf("done calls %lu open %lu\n", (unsigned long)stats.calls, (unsigned long)stats.open);
    return stats.open == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    const char *addresses[2] = {"127.0.0.1:0"};
    struct rpc_server_options options = {.addresses = addresses,
                                         .address_count = 1,
                                         .descriptor_set = echo_proto_descriptor_set,
                                         .descriptor_set_size = echo_proto_descriptor_set_size};
    struct err err = ERR_INIT;
    struct echo echo;
    struct rpc_server *server;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before the core starts threads */
    log_set_level(LOG_LEVEL_ERROR);
    rpc_runtime_init();
    if (rpc_runtime_raise_open_files(&err) != STATUS_OK)
        fprintf(stderr, "%s\n", err.text);
    parse(argc, argv, &options, addresses);
    if (rpc_server_new(&options, &server, &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    echo_init(&echo);
    int code = serve(server, &echo, &signals);
    rpc_server_free(server);
    echo_destroy(&echo);
    rpc_runtime_shutdown();
    return code;
}
