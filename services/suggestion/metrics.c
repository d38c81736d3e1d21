// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/suggestion/metrics.h"

/* In the order of enum spec_method. */
static const struct metric_label method_label = METRIC_LABEL("method", "grid", "random", "bayes", "custom");
static const struct metric_label results_label =
    METRIC_LABEL("results", "0-99", "100-999", "1000-9999", "10000+");

struct metric suggestion_metrics[SUGGESTION_METRIC_COUNT] = {
    [SUGGESTION_DURATION] =
        {.name = "besom_suggestion_duration_seconds",
         .type = METRIC_HISTOGRAM,
         .labels = {&method_label, &results_label},
         .sparse = true,
         METRIC_LATENCY,
         .help = "From a request for suggestions to its answer, by the number of results of the "
                 "sweep; waiting for a thread counts."},
    [SUGGESTION_SUGGESTIONS] = {.name = "besom_suggestion_suggestions_total",
                                .type = METRIC_COUNTER,
                                .labels = {&method_label},
                                .help = "Configurations that were suggested."},
    [SUGGESTION_LEARNED] = {.name = "besom_suggestion_fits_total",
                            .type = METRIC_COUNTER,
                            .help = "Times that a model was brought to new results."},
    [SUGGESTION_REBUILT] = {.name = "besom_suggestion_rebuilds_total",
                            .type = METRIC_COUNTER,
                            .help = "Those of them from nothing: the model was not here, or too old."},
    [SUGGESTION_MODELS] = {.name = "besom_suggestion_models",
                           .type = METRIC_GAUGE,
                           .help = "Models kept in memory."},
    [SUGGESTION_MODEL_BYTES] = {.name = "besom_suggestion_model_bytes",
                                .type = METRIC_GAUGE,
                                .help = "Their memory; bounded by --model-memory."},
    [SUGGESTION_WAITING] = {.name = "besom_suggestion_waiting_requests",
                            .type = METRIC_GAUGE,
                            .help = "Requests that wait for a thread of the models."},
};

static size_t bucket_of(int64_t results)
{
    return results < 100 ? 0 : results < 1000 ? 1 : results < 10000 ? 2 : 3;
}

void suggestion_count(int method, int64_t results, size_t count, int64_t duration_us)
{
    struct metric *duration = &suggestion_metrics[SUGGESTION_DURATION];
    if (method < 0 || (size_t)method >= method_label.count)
        return;
    metric_observe(duration, METRIC_SERIES(duration, method, bucket_of(results)), duration_us);
    metric_add(&suggestion_metrics[SUGGESTION_SUGGESTIONS], (size_t)method, (int64_t)count);
}
