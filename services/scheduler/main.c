// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>

#include "services/common/service.h"
#include "services/common/ticker.h"
#include "services/scheduler/handler.h"
#include "services/scheduler/metrics.h"
#include "services/scheduler/stdio.h"

struct scheduler_options {
    struct service_options service;
    bool stdio;
    int64_t cache_bytes;
    int64_t reconcile_ms;
};

static const struct config_key keys[] = {
    SERVICE_KEYS(struct scheduler_options, service, "127.0.0.1:7072"),
    {.name = "cache-size",
     .type = CONFIG_SIZE,
     .offset = offsetof(struct scheduler_options, cache_bytes),
     .initial = "32M",
     .value_name = "SIZE",
     .help = "Memory for the values of sweeps, above which they are read again",
     .max = -1},
    {.name = "reconcile-time",
     .type = CONFIG_DURATION_MS,
     .offset = offsetof(struct scheduler_options, reconcile_ms),
     .initial = "250ms",
     .value_name = "TIME",
     .help = "How often to look for values that nobody asked to decide",
     .min = 10,
     .max = -1},
    {.name = "stdio",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct scheduler_options, stdio),
     .help = "Decide offline: JSON lines on standard input and output, no server, no database"},
};

static const struct config_command command = {
    .usage = "besom-scheduler [options]",
    .summary = "Decides which running run of a sweep stops early, and says why.\n"
               "Serves the controller over gRPC; any number of replicas may run.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .config_flag = "config",
};

static enum status run(struct service *service, struct decider *decider, int64_t reconcile_ms,
                       struct err *err)
{
    struct ticker *ticker = NULL;
    TRY(metrics_open(scheduler_metrics, SCHEDULER_METRIC_COUNT, err));
    service_add(service, SCHEDULER_SERVICE_NAME, scheduler_methods, scheduler_method_count, decider);
    TRY(ticker_start("reconcile", reconcile_ms, decider_reconcile, decider, &ticker, err));
    enum status status = service_run(service, err);
    ticker_stop(ticker);
    return status;
}

static enum status serve(const struct scheduler_options *options, struct err *err)
{
    struct service *service = NULL;
    struct decider *decider = NULL;
    TRY(service_new("scheduler", &options->service, &service, err));
    enum status status = decider_new(service_store(service), service_owner(service),
                                     (size_t)options->cache_bytes, &decider, err);
    if (status == STATUS_OK)
        status = run(service, decider, options->reconcile_ms, err);
    decider_free(decider);
    service_free(service);
    return status;
}

int main(int argc, char *argv[])
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct scheduler_options options = {0};
    struct err err = ERR_INIT;
    int exit_code = 0;
    if (!service_configure(&command, argc, argv, &arena, &options, &options.service, &exit_code))
        return exit_code;
    enum status status = options.stdio ? scheduler_stdio(stdin, stdout, &err) : serve(&options, &err);
    return status == STATUS_OK ? 0 : service_exit_code("scheduler", &err);
}
