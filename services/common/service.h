/*
 * The frame that every service's main stands in: common options, signals,
 * tokens and TLS files, the store with its schema checked, the gRPC server
 * with health that follows the database, and the drain. What a service serves
 * is not its business. One service per process; functions are for the main
 * thread unless they say otherwise.
 *
 *     service_configure → service_new → (dependencies, service_add) → service_run → (free them) →
 * service_free
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_COMMON_SERVICE_H
#define BESOM_SERVICES_COMMON_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "db/store/store.h"
#include "rpc/server.h"
#include "services/common/tokens.h"

/* Filled by SERVICE_KEYS, as a member of the service's own options. */
struct service_options {
    struct config_list listen;
    const char *database_url;
    int64_t pool_size;
    bool unprepared;
    int64_t startup_wait_ms;
    struct config_list service_token_files;
    const char *tls_certificate_file, *tls_key_file, *tls_client_ca_file;
    bool insecure;
    const char *log_level, *log_format;
    const char *metrics_address;
    int64_t metrics_port;
    int64_t max_message_bytes, max_calls, drain_ms;
    const char *config_file;
    bool healthcheck;
};

#define SERVICE_KEY(holder, part, field, ...)               \
    {                                                       \
        .offset = offsetof(holder, part.field), __VA_ARGS__ \
    }

/* Rows of the common options for a `struct config_key` table; `holder` is the options' struct, `part` its
 * member of struct service_options, `default_listen` the text of the default address. */
#define SERVICE_KEYS(holder, part, default_listen)                                                           \
    SERVICE_KEY(holder, part, listen, .name = "listen", .type = CONFIG_LIST, .initial = default_listen,      \
                .value_name = "ADDRESS", .help = "Serve on host:port or unix:PATH"),                         \
        SERVICE_KEY(holder, part, database_url, .name = "database-url", .type = CONFIG_TEXT,                 \
                    .environment = "BESOM_DATABASE_URL", .value_name = "URL",                                \
                    .help = "PostgreSQL to keep state in"),                                                  \
        SERVICE_KEY(holder, part, pool_size, .name = "pool-size", .type = CONFIG_INT, .initial = "8",        \
                    .min = 1, .max = 1000, .value_name = "N", .help = "Most database connections"),          \
        SERVICE_KEY(holder, part, unprepared, .name = "unprepared", .type = CONFIG_BOOL,                     \
                    .help = "Use no prepared statements, for PgBouncer in transaction mode before 1.21"),    \
        SERVICE_KEY(holder, part, startup_wait_ms, .name = "startup-wait", .type = CONFIG_DURATION_MS,       \
                    .initial = "60s", .max = -1, .value_name = "TIME",                                       \
                    .help = "How long to wait for the database and its schema at the start"),                \
        SERVICE_KEY(holder, part, service_token_files, .name = "service-token-file", .type = CONFIG_LIST,    \
                    .environment = "BESOM_SERVICE_TOKEN_FILE", .value_name = "FILE",                         \
                    .help = "File with a token that services show each other; two while one is replaced"),   \
        SERVICE_KEY(holder, part, tls_certificate_file, .name = "tls-cert-file", .type = CONFIG_TEXT,        \
                    .value_name = "FILE", .help = "Certificate chain in PEM for TCP addresses"),             \
        SERVICE_KEY(holder, part, tls_key_file, .name = "tls-key-file", .type = CONFIG_TEXT,                 \
                    .value_name = "FILE", .help = "Private key of the certificate in PEM"),                  \
        SERVICE_KEY(holder, part, tls_client_ca_file, .name = "tls-client-ca-file", .type = CONFIG_TEXT,     \
                    .value_name = "FILE", .help = "Demand client certificates of this authority"),           \
        SERVICE_KEY(holder, part, insecure, .name = "insecure", .type = CONFIG_BOOL,                         \
                    .help = "Serve TCP addresses without TLS"),                                              \
        SERVICE_KEY(holder, part, log_level, .name = "log-level", .type = CONFIG_TEXT, .initial = "info",    \
                    .environment = "BESOM_LOG_LEVEL", .value_name = "LEVEL",                                 \
                    .help = "Least level to log: debug, info, warn, error, off"),                            \
        SERVICE_KEY(holder, part, log_format, .name = "log-format", .type = CONFIG_TEXT, .initial = "text",  \
                    .environment = "BESOM_LOG_FORMAT", .value_name = "FORMAT",                               \
                    .help = "How to log: text, or json for one object a line"),                              \
        SERVICE_KEY(holder, part, metrics_port, .name = "metrics-port", .type = CONFIG_INT, .initial = "0",  \
                    .min = 0, .max = 65535, .value_name = "PORT",                                            \
                    .help = "Serve /metrics, /healthz and /readyz over HTTP there; 0 = nowhere"),            \
        SERVICE_KEY(holder, part, metrics_address, .name = "metrics-address", .type = CONFIG_TEXT,           \
                    .initial = "127.0.0.1", .value_name = "ADDRESS",                                         \
                    .help = "IP address of that port; it needs no token, so mind who can reach it"),         \
        SERVICE_KEY(holder, part, max_message_bytes, .name = "max-message-size", .type = CONFIG_SIZE,        \
                    .initial = "4M", .min = 65536, .max = 1 << 30, .value_name = "SIZE",                     \
                    .help = "Largest message either way"),                                                   \
        SERVICE_KEY(holder, part, max_calls, .name = "max-calls", .type = CONFIG_INT, .initial = "20000",    \
                    .min = 1, .max = -1, .value_name = "N", .help = "Most calls and streams open together"), \
        SERVICE_KEY(holder, part, drain_ms, .name = "drain-time", .type = CONFIG_DURATION_MS,                \
                    .initial = "10s", .max = -1, .value_name = "TIME",                                       \
                    .help = "How long open calls may take to end at SIGTERM"),                               \
        SERVICE_KEY(holder, part, config_file, .name = "config", .type = CONFIG_TEXT, .value_name = "FILE",  \
                    .help = "Read options from FILE, one \"key = value\" a line"),                           \
        SERVICE_KEY(holder, part, healthcheck, .name = "healthcheck", .type = CONFIG_BOOL,                   \
                    .help = "Ask the service that listens on these addresses; exit 0 when it is serving")

/*
 * Parses argv into `out`, whose struct service_options is `options`, and sets the log level. False: the
 * process is done (help, version, an error told on stderr, or --healthcheck) and exits with *exit_code.
 */
bool service_configure(const struct config_command *command, int argc, char *const argv[],
                       struct arena *arena, void *out, const struct service_options *options, int *exit_code);

struct service;

/*
 * `name` without "besom-"; `options` must outlive the service. Blocks SIGTERM and SIGINT for this and all
 * later threads, starts the gRPC core, reads secrets, opens the store and waits for a schema that fits.
 * CANCELLED: told to end while waiting. INVALID, DENIED, NOT_FOUND, IO for options and files; UNAVAILABLE,
 * PRECONDITION for the database after startup_wait_ms.
 */
enum status service_new(const char *name, const struct service_options *options, struct service **out,
                        struct err *err) MUST_USE;

struct store *service_store(struct service *service);
struct rpc_server *service_server(struct service *service);
/* Holds the service tokens, each with ROLE_SERVICE; more may be added before service_run. */
struct token_set *service_tokens(struct service *service);
/* Unique to this process and start, for rows that name their owner. */
const char *service_owner(const struct service *service);

/* Adds a gRPC service; `health_name` ("besom.v1.SuggestionService") is SERVING while the database answers. */
void service_add(struct service *service, const char *health_name, const struct rpc_method *methods,
                 size_t count, void *context);

/* Serves until SIGTERM or SIGINT, then drains and returns; a second signal ends the process at once.
 * INVALID without any token, UNAVAILABLE when an address is taken, IO. */
enum status service_run(struct service *service, struct err *err) MUST_USE;

/* After what was added has been freed. NULL is fine. */
void service_free(struct service *service);

/* Tells an error as "besom-NAME: text" on stderr, returns the exit code of the process (0 for OK, CANCELLED).
 */
int service_exit_code(const char *name, const struct err *err);

/* ---- what service_configure and service_new stand on ---- */

/* Asks the health of the service behind `options`. UNAVAILABLE when it does not serve. */
enum status service_check_health(const struct service_options *options, struct err *err) MUST_USE;

#endif
