/*
 * The options by which every command finds its controller, and the way from
 * libbesom's errors to exit codes. The only include of besom/client.h's
 * connection calls in the CLI.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_CONNECTION_H
#define BESOM_CLI_CONNECTION_H

#include <besom/client.h>

#include "cli.h"

struct connection_options {
    const char *address;
    const char *token_file;
    const char *ca_file, *certificate_file, *key_file, *server_name;
    bool tls, insecure;
    int64_t timeout_ms;
};

/* Rows for the `struct connection_options connection` of a command's options. */
#define CONNECTION_KEYS(Options)                                                                           \
    {.name = "address",                                                                                    \
     .type = CONFIG_TEXT,                                                                                  \
     .offset = offsetof(Options, connection.address),                                                      \
     .environment = "BESOM_ADDRESS",                                                                       \
     .value_name = "ADDRESS",                                                                              \
     .help = "controller, HOST:PORT or unix:PATH; unset: the one that `besom up` started"},                \
        {.name = "token-file",                                                                             \
         .type = CONFIG_TEXT,                                                                              \
         .offset = offsetof(Options, connection.token_file),                                               \
         .environment = "BESOM_TOKEN_FILE",                                                                \
         .value_name = "FILE",                                                                             \
         .help = "file with the token (mode 0600); unset: BESOM_TOKEN, or the local stack's own"},         \
        {.name = "tls",                                                                                    \
         .type = CONFIG_BOOL,                                                                              \
         .offset = offsetof(Options, connection.tls),                                                      \
         .help = "TLS with the system's certificates"},                                                    \
        {.name = "ca-file",                                                                                \
         .type = CONFIG_TEXT,                                                                              \
         .offset = offsetof(Options, connection.ca_file),                                                  \
         .environment = "BESOM_CA_FILE",                                                                   \
         .value_name = "FILE",                                                                             \
         .help = "TLS with this root certificate (PEM)"},                                                  \
        {.name = "cert-file",                                                                              \
         .type = CONFIG_TEXT,                                                                              \
         .offset = offsetof(Options, connection.certificate_file),                                         \
         .environment = "BESOM_CERT_FILE",                                                                 \
         .value_name = "FILE",                                                                             \
         .help = "client certificate (PEM)"},                                                              \
        {.name = "key-file",                                                                               \
         .type = CONFIG_TEXT,                                                                              \
         .offset = offsetof(Options, connection.key_file),                                                 \
         .environment = "BESOM_KEY_FILE",                                                                  \
         .value_name = "FILE",                                                                             \
         .help = "its key (PEM)"},                                                                         \
        {.name = "server-name",                                                                            \
         .type = CONFIG_TEXT,                                                                              \
         .offset = offsetof(Options, connection.server_name),                                              \
         .value_name = "NAME",                                                                             \
         .help = "name expected in the server's certificate"},                                             \
        {.name = "insecure",                                                                               \
         .type = CONFIG_BOOL,                                                                              \
         .offset = offsetof(Options, connection.insecure),                                                 \
         .help = "send the token over TCP without TLS"},                                                   \
    {                                                                                                      \
        .name = "timeout", .type = CONFIG_DURATION_MS, .offset = offsetof(Options, connection.timeout_ms), \
        .initial = "30s", .value_name = "TIME", .min = 1, .max = 86400000,                                 \
        .help = "longest wait for one answer"                                                              \
    }

#define JSON_KEY(Options)                                                       \
    {                                                                           \
        .name = "json", .type = CONFIG_BOOL, .offset = offsetof(Options, json), \
        .help = "print JSON with stable keys"                                   \
    }

/* CLI_OK and a client, or an error that has been printed. */
int connection_open(const struct connection_options *options, besom_client **out) MUST_USE;
/* Usable as CLEANUP(connection_close). */
void connection_close(besom_client **client);
/* Usable as CLEANUP. */
void message_release(void *message_at);

/* "besom: WHAT: WHY" on stderr and its exit code. */
int connection_fail(const besom_error *error, const char *format, ...) PRINTF_LIKE(2, 3);

/* The id in "ID", "PROJECT/ID" or "ENTITY/PROJECT/ID"; CLI_USAGE and a message when it is none. */
int id_argument(const char *text, const char *kind, const char **out) MUST_USE;

#endif
