// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>

#include "services/common/service.h"
#include "services/suggestion/handler.h"
#include "services/suggestion/metrics.h"
#include "services/suggestion/stdio.h"

struct suggestion_options {
    struct service_options service;
    bool stdio;
    int64_t cache_bytes;
    int64_t model_bytes;
    int64_t model_threads;
};

static const struct config_key keys[] = {
    SERVICE_KEYS(struct suggestion_options, service, "127.0.0.1:7071"),
    {.name = "cache-size",
     .type = CONFIG_SIZE,
     .offset = offsetof(struct suggestion_options, cache_bytes),
     .initial = "16M",
     .value_name = "SIZE",
     .help = "Memory for the specs of sweeps",
     .min = 0,
     .max = -1},
    {.name = "model-memory",
     .type = CONFIG_SIZE,
     .offset = offsetof(struct suggestion_options, model_bytes),
     .initial = "256M",
     .value_name = "SIZE",
     .help = "Memory for the models of Bayesian sweeps between two suggestions",
     .min = 0,
     .max = -1},
    {.name = "model-threads",
     .type = CONFIG_INT,
     .offset = offsetof(struct suggestion_options, model_threads),
     .initial = "2",
     .value_name = "N",
     .help = "Threads that work with models, each for one sweep at a time",
     .min = 1,
     .max = 256},
    {.name = "stdio",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct suggestion_options, stdio),
     .help = "Optimise offline: JSON lines on standard input and output, no server, no database"},
};

static const struct config_command command = {
    .usage = "besom-suggestion [options]",
    .summary = "Says which configuration of a sweep comes next, and why.\n"
               "Serves the controller over gRPC; stateless, any number of replicas may run.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .config_flag = "config",
};

static enum status serve_with(struct service *service, const struct suggestion_options *options,
                              struct spec_cache *specs, struct err *err)
{
    struct suggestion_service context = {.specs = specs};
    const struct models_options models = {.source = {.store = service_store(service), .specs = specs},
                                          .threads = (int)options->model_threads,
                                          .bytes_max = (size_t)options->model_bytes};
    TRY(metrics_open(suggestion_metrics, SUGGESTION_METRIC_COUNT, err));
    TRY(models_new(&models, &context.models, err));
    metrics_on_write(models_measure, context.models);
    service_add(service, SUGGESTION_SERVICE_NAME, suggestion_methods, suggestion_method_count, &context);
    enum status status = service_run(service, err);
    metrics_off_write(models_measure, context.models);
    models_free(context.models);
    return status;
}

static enum status serve(const struct suggestion_options *options, struct err *err)
{
    struct service *service = NULL;
    struct spec_cache *specs = NULL;
    TRY(service_new("suggestion", &options->service, &service, err));
    enum status status = spec_cache_new(service_store(service), (size_t)options->cache_bytes, &specs, err);
    if (status == STATUS_OK)
        status = serve_with(service, options, specs, err);
    spec_cache_free(specs);
    service_free(service);
    return status;
}

int main(int argc, char *argv[])
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct suggestion_options options = {0};
    struct err err = ERR_INIT;
    int exit_code = 0;
    if (!service_configure(&command, argc, argv, &arena, &options, &options.service, &exit_code))
        return exit_code;
    enum status status = options.stdio ? suggestion_stdio(stdin, stdout, &err) : serve(&options, &err);
    return status == STATUS_OK ? 0 : service_exit_code("suggestion", &err);
}
