/*
 * What besom-suggestion counts beside what every service does.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SUGGESTION_METRICS_H
#define BESOM_SERVICES_SUGGESTION_METRICS_H

#include "services/common/metrics.h"

enum {
    SUGGESTION_DURATION, /* of enum spec_method and the number of results */
    SUGGESTION_SUGGESTIONS,
    SUGGESTION_LEARNED,
    SUGGESTION_REBUILT,
    SUGGESTION_MODELS,
    SUGGESTION_MODEL_BYTES,
    SUGGESTION_WAITING,
    SUGGESTION_METRIC_COUNT
};
extern struct metric suggestion_metrics[SUGGESTION_METRIC_COUNT];

/* A request was answered with `count` suggestions; `results` is what its sweep had. */
void suggestion_count(int method, int64_t results, size_t count, int64_t duration_us);

#endif
