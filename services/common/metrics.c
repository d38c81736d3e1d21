// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/common/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLES_MAX 8
#define COLLECTORS_MAX 16

const int64_t metric_latency_bounds[METRIC_LATENCY_COUNT] = {
    100,    250,    500,    1000,    2500,    5000,    10000,    25000,    50000,
    100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000, 60000000};

struct table {
    struct metric *rows;
    size_t count;
};

struct collector {
    void (*collect)(void *context);
    void *context;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t collecting = PTHREAD_MUTEX_INITIALIZER; /* taken before `lock`; held while they run */
static struct table tables[TABLES_MAX];                        /* lock */
static size_t table_count;                                     /* lock */
static struct collector collectors[COLLECTORS_MAX];            /* lock */
static size_t collector_count;                                 /* lock */

/* ---- cells: of a series one, of a histogram one for each bucket and the sum ---- */

static size_t room_of(const struct metric_label *label)
{
    if (label == NULL)
        return 1;
    return label->room > 0 ? label->room : label->count;
}

static size_t cells_per_series(const struct metric *metric)
{
    return metric->type == METRIC_HISTOGRAM ? metric->bound_count + 2 : 1;
}

enum status metrics_open(struct metric *rows, size_t count, struct err *err)
{
    enum status status = STATUS_OK;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        size_t cells = room_of(rows[i].labels[0]) * room_of(rows[i].labels[1]) * cells_per_series(&rows[i]);
        if (atomic_load(&rows[i].cells) != NULL)
            continue;
        atomic_store(&rows[i].cells, calloc(cells, sizeof(atomic_int_fast64_t)));
        if (atomic_load(&rows[i].cells) == NULL)
            status = err_set(err, STATUS_NO_MEMORY, "metrics: out of memory");
    }
    bool known = false;
    for (size_t i = 0; i < table_count; i++)
        known = known || tables[i].rows == rows;
    assert(known || table_count < TABLES_MAX);
    if (!known && status == STATUS_OK)
        tables[table_count++] = (struct table){rows, count};
    pthread_mutex_unlock(&lock);
    return status;
}

void metrics_on_write(void (*collect)(void *context), void *context)
{
    pthread_mutex_lock(&lock);
    assert(collector_count < COLLECTORS_MAX);
    collectors[collector_count++] = (struct collector){collect, context};
    pthread_mutex_unlock(&lock);
}

void metrics_off_write(void (*collect)(void *context), void *context)
{
    pthread_mutex_lock(&collecting);
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < collector_count; i++)
        if (collectors[i].collect == collect && collectors[i].context == context)
            collectors[i--] = collectors[--collector_count];
    pthread_mutex_unlock(&lock);
    pthread_mutex_unlock(&collecting);
}

size_t metrics_add_value(struct metric_label *label, const char **values, const char *value)
{
    pthread_mutex_lock(&lock);
    if (label->count < label->room)
        values[label->count++] = value;
    size_t index = label->count - 1;
    pthread_mutex_unlock(&lock);
    return index;
}

/* NULL: nothing is counted. */
static atomic_int_fast64_t *cells_of(const struct metric *metric, size_t series)
{
    atomic_int_fast64_t *cells = atomic_load_explicit(&metric->cells, memory_order_relaxed);
    return cells != NULL ? cells + series * cells_per_series(metric) : NULL;
}

static void add(atomic_int_fast64_t *cell, int64_t count)
{
    atomic_fetch_add_explicit(cell, count, memory_order_relaxed);
}

static int64_t get(const atomic_int_fast64_t *cell)
{
    return atomic_load_explicit(cell, memory_order_relaxed);
}

void metric_add(struct metric *metric, size_t series, int64_t count)
{
    atomic_int_fast64_t *cell = cells_of(metric, series);
    if (cell != NULL)
        add(cell, count);
}

void metric_set(struct metric *metric, size_t series, int64_t value)
{
    atomic_int_fast64_t *cell = cells_of(metric, series);
    if (cell != NULL)
        atomic_store_explicit(cell, value, memory_order_relaxed);
}

void metric_observe(struct metric *metric, size_t series, int64_t value)
{
    atomic_int_fast64_t *cells = cells_of(metric, series);
    size_t bucket = 0;
    if (cells == NULL)
        return;
    while (bucket < metric->bound_count && value > metric->bounds[bucket])
        bucket++;
    add(&cells[bucket], 1);
    add(&cells[metric->bound_count + 1], value);
}

int64_t metric_get(const struct metric *metric, size_t series)
{
    const atomic_int_fast64_t *cells = cells_of(metric, series);
    int64_t value = 0;
    size_t count = metric->type == METRIC_HISTOGRAM ? metric->bound_count + 1 : 1;
    for (size_t i = 0; cells != NULL && i < count; i++)
        value += get(&cells[i]);
    return value;
}

/* ---- writing ---- */

static void put_value(struct buffer *out, const struct metric *metric, int64_t value)
{
    if (metric->unit == 0)
        buffer_printf(out, " %" PRId64 "\n", value);
    else
        buffer_printf(out, " %.15g\n", (double)value * metric->unit);
}

/* {first="a",second="b",le="0.1"}; `bound` NULL = no le. */
static void put_labels(struct buffer *out, const struct metric *metric, size_t series, const char *bound)
{
    const struct metric_label *second = metric->labels[1];
    size_t width = second != NULL ? second->count : 1;
    const size_t chosen[METRIC_LABELS_MAX] = {series / width, series % width};
    const char *before = "{";
    for (size_t i = 0; i < METRIC_LABELS_MAX && metric->labels[i] != NULL; i++) {
        buffer_printf(out, "%s%s=\"%s\"", before, metric->labels[i]->name,
                      metric->labels[i]->values[chosen[i]]);
        before = ",";
    }
    if (bound != NULL)
        buffer_printf(out, "%sle=\"%s\"", before, bound);
    if (bound != NULL || metric->labels[0] != NULL)
        buffer_puts(out, "}");
}

static void put_histogram(struct buffer *out, const struct metric *metric, size_t series)
{
    const atomic_int_fast64_t *cells = cells_of(metric, series);
    double unit = metric->unit == 0 ? 1 : metric->unit;
    char bound[32];
    int64_t count = 0;
    for (size_t i = 0; i <= metric->bound_count; i++) {
        count += get(&cells[i]);
        if (i < metric->bound_count)
            (void)snprintf(bound, sizeof bound, "%.9g", (double)metric->bounds[i] * unit);
        buffer_printf(out, "%s_bucket", metric->name);
        put_labels(out, metric, series, i < metric->bound_count ? bound : "+Inf");
        buffer_printf(out, " %" PRId64 "\n", count);
    }
    buffer_printf(out, "%s_sum", metric->name);
    put_labels(out, metric, series, NULL);
    put_value(out, metric, get(&cells[metric->bound_count + 1]));
    buffer_printf(out, "%s_count", metric->name);
    put_labels(out, metric, series, NULL);
    buffer_printf(out, " %" PRId64 "\n", count);
}

static void put_series(struct buffer *out, const struct metric *metric, size_t series)
{
    if (metric->sparse && metric_get(metric, series) == 0)
        return;
    if (metric->type == METRIC_HISTOGRAM) {
        put_histogram(out, metric, series);
        return;
    }
    buffer_puts(out, metric->name);
    put_labels(out, metric, series, NULL);
    put_value(out, metric, metric_get(metric, series));
}

static void put_metric(struct buffer *out, const struct metric *metric)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    size_t count = 1;
    for (size_t i = 0; i < METRIC_LABELS_MAX && metric->labels[i] != NULL; i++)
        count *= metric->labels[i]->count;
    buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name,
                  types[metric->type]);
    for (size_t series = 0; series < count; series++)
        put_series(out, metric, series);
}

/* Collectors take locks of their own and may ask the database: not under ours. */
static void collect(void)
{
    struct collector copy[COLLECTORS_MAX];
    pthread_mutex_lock(&collecting);
    pthread_mutex_lock(&lock);
    size_t count = collector_count;
    memcpy(copy, collectors, sizeof copy);
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < count; i++)
        copy[i].collect(copy[i].context);
    pthread_mutex_unlock(&collecting);
}

void metrics_write(struct buffer *out)
{
    collect();
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < table_count; i++)
        for (size_t k = 0; k < tables[i].count; k++)
            put_metric(out, &tables[i].rows[k]);
    pthread_mutex_unlock(&lock);
}
