// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/scheduler/metrics.h"

static const struct metric_label decision_label = METRIC_LABEL("decision", "go_on", "stop");

struct metric scheduler_metrics[SCHEDULER_METRIC_COUNT] = {
    [SCHEDULER_DECISIONS] = {.name = "besom_scheduler_decisions_total",
                             .type = METRIC_COUNTER,
                             .labels = {&decision_label},
                             .help = "Values at bands that were decided."},
    [SCHEDULER_DELAY] = {.name = "besom_scheduler_decision_delay_seconds",
                         .type = METRIC_HISTOGRAM,
                         METRIC_LATENCY,
                         .help = "From the storing of a value at a band to its recorded decision."},
    [SCHEDULER_DURATION] =
        {.name = "besom_scheduler_decide_duration_seconds",
         .type = METRIC_HISTOGRAM,
         METRIC_LATENCY,
         .help = "One turn on a sweep: reading its undecided values, deciding and recording them."},
    [SCHEDULER_ORDERS] =
        {.name = "besom_scheduler_stop_orders_total",
         .type = METRIC_COUNTER,
         .help = "Orders to stop a run that followed; less than the stops where runs had ended."},
    [SCHEDULER_REBUILT] = {.name = "besom_scheduler_rebuilds_total",
                           .type = METRIC_COUNTER,
                           .help = "Times that a sweep's rule was built again from its decided values."},
    [SCHEDULER_UNDECIDED] = {.name = "besom_scheduler_undecided_sweeps",
                             .type = METRIC_GAUGE,
                             .help =
                                 "Sweeps with undecided values at the last look, every --reconcile-time."},
};
