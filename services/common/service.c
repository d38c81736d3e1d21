// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/common/service.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "db/store/runs.h"
#include "rpc/runtime.h"
#include "services/common/monitor.h"
#include "services/common/roles.h"
#include "services/common/service_metrics.h"
#include "services/common/signals.h"
#include "services/common/ticker.h"

#define HEALTH_NAMES_MAX 8
#define HEALTH_INTERVAL_MS 1000
#define STARTUP_POLL_MS 500

/* Embedded by target besom_proto. */
extern const unsigned char besom_proto_descriptor_set[];
extern const size_t besom_proto_descriptor_set_size;

struct service {
    const char *name;
    const struct service_options *options;
    char owner[128];
    char application[64];
    struct store *store;       /* owned */
    struct token_set *tokens;  /* owned */
    struct rpc_server *server; /* owned */
    struct tls_files *tls;     /* owned; NULL = without TLS */
    const char *health_names[HEALTH_NAMES_MAX];
    size_t health_count;
    struct monitor *monitor; /* owned */
    struct ticker *health;   /* owned */
    bool serving;            /* health thread only */
};

/* ---- secrets ---- */

static enum status read_tokens(struct service *service, struct err *err)
{
    const struct config_list *files = &service->options->service_token_files;
    TRY(token_set_new(&service->tokens, err));
    for (size_t i = 0; i < files->count; i++)
        if (token_set_add_file(service->tokens, files->items[i], ROLE_SERVICE, err) != STATUS_OK)
            return err_context(err, "service token");
    return STATUS_OK;
}

static enum status read_tls(struct service *service, struct err *err)
{
    const struct service_options *options = service->options;
    if ((options->tls_certificate_file == NULL) != (options->tls_key_file == NULL))
        return err_set(err, STATUS_INVALID, "--tls-cert-file and --tls-key-file go together");
    if (options->tls_certificate_file == NULL)
        return options->tls_client_ca_file == NULL
                   ? STATUS_OK
                   : err_set(err, STATUS_INVALID, "--tls-client-ca-file needs --tls-cert-file");
    const struct tls_paths paths = {.certificate = options->tls_certificate_file,
                                    .key = options->tls_key_file,
                                    .authorities = options->tls_client_ca_file};
    enum status status = tls_files_open(&paths, &clock_system, &service->tls, err);
    return status == STATUS_OK ? status : err_context(err, "TLS");
}

/* ---- store ---- */

static enum status open_store(struct service *service, struct err *err)
{
    const struct service_options *options = service->options;
    if (options->database_url == NULL)
        return err_set(err, STATUS_INVALID, "no database named (give --database-url or BESOM_DATABASE_URL)");
    const struct store_options store_options = {
        .url = options->database_url,
        .application_name = service->application,
        .pool_size = (int)options->pool_size,
        .unprepared = options->unprepared,
        .observer = service_store_observer,
    };
    return store_open(&store_options, &service->store, err);
}

static enum status await_schema(struct service *service, struct err *err)
{
    int64_t end_ms = clock_monotonic_ms(&clock_system) + service->options->startup_wait_ms;
    enum status told = STATUS_OK;
    for (;;) {
        enum status status = store_check_schema(service->store, err);
        bool may_come = status == STATUS_UNAVAILABLE || status == STATUS_PRECONDITION ||
                        status == STATUS_DEADLINE || status == STATUS_EXHAUSTED;
        if (!may_come || clock_monotonic_ms(&clock_system) >= end_ms)
            return status;
        if (status != told)
            log_warn(service->name, "waiting_for_database", LOG_ERR(err));
        told = status;
        monitor_set(service->monitor, MONITOR_DATABASE, err->text);
        if (signals_wait(STARTUP_POLL_MS) != 0)
            return err_set(err, STATUS_CANCELLED, "told to end while waiting for the database");
    }
}

/* ---- server ---- */

static enum status check_addresses(const struct service_options *options, struct err *err)
{
    if (options->listen.count == 0)
        return err_set(err, STATUS_INVALID, "no address to serve on (give --listen)");
    if (options->tls_certificate_file != NULL || options->insecure)
        return STATUS_OK;
    for (size_t i = 0; i < options->listen.count; i++)
        if (strncmp(options->listen.items[i], "unix:", 5) != 0)
            return err_set(err, STATUS_INVALID,
                           "%s would be served without TLS (give --tls-cert-file, or --insecure)",
                           options->listen.items[i]);
    return STATUS_OK;
}

static enum status make_server(struct service *service, struct err *err)
{
    const struct service_options *options = service->options;
    TRY(check_addresses(options, err));
    const struct rpc_server_options server_options = {
        .addresses = options->listen.items,
        .address_count = options->listen.count,
        .tls = {.files = service->tls},
        .workers = (int)options->pool_size + 2,
        .max_message_bytes = (size_t)options->max_message_bytes,
        .max_concurrent_calls = (size_t)options->max_calls,
        .check = token_set_check,
        .check_context = service->tokens,
        .observer = service_rpc_observer,
        .descriptor_set = besom_proto_descriptor_set,
        .descriptor_set_size = besom_proto_descriptor_set_size,
    };
    return rpc_server_new(&server_options, &service->server, err);
}

static void name_owner(struct service *service)
{
    char host[65] = "";
    char id[ID_SIZE];
    (void)gethostname(host, sizeof host - 1);
    id_make(&random_system, id);
    (void)snprintf(service->application, sizeof service->application, "besom-%s", service->name);
    (void)snprintf(service->owner, sizeof service->owner, "%s:%ld:%s", host, (long)getpid(), id);
}

static enum status prepare(struct service *service, struct err *err)
{
    TRY(read_tokens(service, err));
    TRY(read_tls(service, err));
    TRY(open_store(service, err));
    TRY(make_server(service, err));
    TRY(service_metrics_open(err));
    TRY(monitor_start(service->options->metrics_address, service->options->metrics_port, &service->monitor,
                      err));
    service_metrics_watch(service->server, service->store, service->tls);
    return await_schema(service, err);
}

enum status service_new(const char *name, const struct service_options *options, struct service **out,
                        struct err *err)
{
    *out = NULL;
    signals_block();
    rpc_runtime_init();
    struct service *service = calloc(1, sizeof *service);
    if (service == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    service->name = name;
    service->options = options;
    name_owner(service);
    enum status status = prepare(service, err);
    if (status != STATUS_OK) {
        service_free(service);
        return status;
    }
    *out = service;
    return STATUS_OK;
}

struct store *service_store(struct service *service)
{
    return service->store;
}

struct rpc_server *service_server(struct service *service)
{
    return service->server;
}

struct token_set *service_tokens(struct service *service)
{
    return service->tokens;
}

const char *service_owner(const struct service *service)
{
    return service->owner;
}

void service_add(struct service *service, const char *health_name, const struct rpc_method *methods,
                 size_t count, void *context)
{
    rpc_server_add(service->server, methods, count, context);
    if (service->health_count < HEALTH_NAMES_MAX)
        service->health_names[service->health_count++] = health_name;
}

/* ---- health ---- */

static enum status ask_database(struct store_tx *tx, void *context, struct err *err)
{
    int64_t uptime_ms = 0;
    int64_t now_us = 0;
    (void)context;
    return store_get_uptime(tx, &uptime_ms, &now_us, err);
}

static void tell_health(struct service *service, bool serving)
{
    rpc_server_set_health(service->server, "", serving);
    for (size_t i = 0; i < service->health_count; i++)
        rpc_server_set_health(service->server, service->health_names[i], serving);
}

/* A full pool is a busy database, not a lost one: only UNAVAILABLE counts. */
static void check_database(void *context)
{
    struct service *service = context;
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct err err = ERR_INIT;
    bool serving = store_read(service->store, &arena, ask_database, NULL, &err) != STATUS_UNAVAILABLE;
    metric_set(&service_metrics[SERVICE_DATABASE_UP], 0, serving);
    monitor_set(service->monitor, MONITOR_DATABASE, serving ? NULL : err.text);
    if (serving == service->serving)
        return;
    service->serving = serving;
    tell_health(service, serving);
    if (serving)
        log_info(service->name, "serving");
    else
        log_warn(service->name, "not_serving", LOG_ERR(&err));
}

/* ---- life ---- */

static void log_addresses(const struct service *service)
{
    for (size_t i = 0; i < service->options->listen.count; i++)
        log_info(service->name, "listening", LOG_TEXT("address", service->options->listen.items[i]),
                 LOG_INT("port", rpc_server_port(service->server, i)));
}

static enum status start(struct service *service, struct err *err)
{
    if (token_set_count(service->tokens) == 0)
        return err_set(err, STATUS_INVALID,
                       "no token configured (give --service-token-file or BESOM_SERVICE_TOKEN_FILE)");
    TRY(rpc_server_start(service->server, err));
    rpc_server_set_health(service->server, "live", true);
    log_addresses(service);
    return STATUS_OK;
}

static enum status serve(struct service *service, struct err *err)
{
    TRY(ticker_start("health", HEALTH_INTERVAL_MS, check_database, service, &service->health, err));
    log_info(service->name, "ready", LOG_TEXT("owner", service->owner));
    int number = signals_wait(-1);
    log_info(service->name, "draining", LOG_INT("signal", number));
    monitor_set(service->monitor, MONITOR_DRAIN, "the service was told to end");
    signals_release();
    return STATUS_OK;
}

static void stop_monitor(struct service *service)
{
    monitor_stop(service->monitor);
    service->monitor = NULL;
    service_metrics_watch(NULL, NULL, NULL);
}

enum status service_run(struct service *service, struct err *err)
{
    TRY(start(service, err));
    enum status status = serve(service, err);
    rpc_server_shutdown(service->server, service->options->drain_ms);
    /* A check may still wait for a database that is away: no reason to go on serving meanwhile. */
    ticker_stop(service->health);
    stop_monitor(service); /* it asks parts that the caller frees next */
    log_info(service->name, "stopped");
    return status;
}

void service_free(struct service *service)
{
    if (service == NULL)
        return;
    stop_monitor(service);
    rpc_server_free(service->server);
    if (service->store != NULL)
        store_close(service->store);
    token_set_free(service->tokens);
    tls_files_free(service->tls);
    free(service);
}
