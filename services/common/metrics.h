/*
 * Metrics for Prometheus: counters, gauges and histograms as rows of tables,
 * one table for what all services have and one for each service's own. Labels
 * take their values from fixed lists, so the number of series is bounded by
 * construction: no id, project or metric of a user can become one.
 *
 * Counting is one or two relaxed atomic additions, from any thread. A row
 * whose table was not opened counts nothing, so that parts can be tested
 * without.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_COMMON_METRICS_H
#define BESOM_SERVICES_COMMON_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* A label and all values that it can have. */
struct metric_label {
    const char *name;
    const char *const *values;
    size_t count;
    size_t room; /* values that may be added while it is in use, as a metric's first label; 0 = none */
};

#define METRIC_LABEL(name_, ...)                                                   \
    {                                                                              \
        .name = (name_), .values = (const char *const[]){__VA_ARGS__},             \
        .count = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *) \
    }

#define METRIC_LABELS_MAX 2

struct metric {
    const char *name;
    enum metric_type type;
    const char *help;
    const struct metric_label *labels[METRIC_LABELS_MAX]; /* NULL from the first unused on */
    double unit;           /* what one counted is shown as: 1e-6 for microseconds shown in seconds; 0 = 1 */
    const int64_t *bounds; /* of a histogram: ascending, in what is counted */
    size_t bound_count;
    bool sparse; /* series that count nothing yet are left out */
    _Atomic(atomic_int_fast64_t *) cells;
};

/* Index of the series of two label values: of the first label alone it is the value's index. */
#define METRIC_SERIES(metric, first, second) ((size_t)(first) * (metric)->labels[1]->count + (size_t)(second))

/* Bounds in microseconds for what takes from 100 us to a minute. */
#define METRIC_LATENCY_COUNT 18
extern const int64_t metric_latency_bounds[METRIC_LATENCY_COUNT];
#define METRIC_LATENCY .unit = 1e-6, .bounds = metric_latency_bounds, .bound_count = METRIC_LATENCY_COUNT

/* The rows count from now on and are part of metrics_write; `rows` is never taken out again. NO_MEMORY. */
enum status metrics_open(struct metric *rows, size_t count, struct err *err) MUST_USE;

/* Called by each metrics_write, to set what is known only when asked. At most 16. */
void metrics_on_write(void (*collect)(void *context), void *context);
/* Not any more, once this has returned. */
void metrics_off_write(void (*collect)(void *context), void *context);

/* Adds a value to a label with room and returns its index; the last one's when there is no more room. `value`
 * is not copied. */
size_t metrics_add_value(struct metric_label *label, const char **values, const char *value);

void metric_add(struct metric *metric, size_t series, int64_t count);
/* Of a gauge, or of a counter that is counted elsewhere. */
void metric_set(struct metric *metric, size_t series, int64_t value);
/* Of a histogram. */
void metric_observe(struct metric *metric, size_t series, int64_t value);
/* A counter's or gauge's value, a histogram's number of observations; 0 when its table is not open. */
int64_t metric_get(const struct metric *metric, size_t series);

/* Everything, in Prometheus' text format 0.0.4. Any thread. */
void metrics_write(struct buffer *out);

#endif
