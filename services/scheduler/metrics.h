/*
 * What besom-scheduler counts beside what every service does.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SCHEDULER_METRICS_H
#define BESOM_SERVICES_SCHEDULER_METRICS_H

#include "services/common/metrics.h"

enum {
    SCHEDULER_DECISIONS, /* of enum decision_metric */
    SCHEDULER_DELAY,
    SCHEDULER_DURATION,
    SCHEDULER_ORDERS,
    SCHEDULER_REBUILT,
    SCHEDULER_UNDECIDED,
    SCHEDULER_METRIC_COUNT
};
extern struct metric scheduler_metrics[SCHEDULER_METRIC_COUNT];

enum decision_metric { DECISION_METRIC_GO_ON, DECISION_METRIC_STOP };

#endif
