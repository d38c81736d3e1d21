// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "tests/bench/bench.h"
#include "tests/bench/volume.h"

#define WAIT_MS 3600000

struct reading {
    const struct volume_run *run;
    int64_t next[VOLUME_SERIES]; /* step of each series that must come next */
    int64_t points, buckets;
};

static int find_series(const struct volume_run *run, const char *name)
{
    for (int i = 0; i < run->series; i++)
        if (strcmp(volume_name(i), name) == 0)
            return i;
    bench_fail("ReadMetrics", "a metric that was not sent");
}

static void check_point(const struct reading *reading, int series, const Besom__V1__Series *part, size_t i)
{
    const struct volume_run *run = reading->run;
    int64_t step = reading->next[series];
    double value = volume_value(run->kind, run->number, series, step);
    if (part->steps[i] != step || part->times_us[i] != volume_time_us(run->number, step) ||
        memcmp(&part->values[i], &value, sizeof value) != 0)
        bench_fail("ReadMetrics", "a point is lost, doubled or changed");
}

static void on_message(void *context, const void *message)
{
    const Besom__V1__ReadMetricsResponse *response = message;
    struct reading *reading = context;
    if (response->series != NULL) {
        const Besom__V1__Series *part = response->series;
        int series = find_series(reading->run, part->name);
        for (size_t i = 0; i < part->n_values; i++, reading->next[series]++)
            check_point(reading, series, part, i);
        reading->points += (int64_t)part->n_values;
    }
    if (response->buckets != NULL) {
        reading->buckets += (int64_t)response->buckets->n_counts;
        for (size_t i = 0; i < response->buckets->n_counts; i++)
            reading->points += response->buckets->counts[i];
    }
}

static void on_close(void *context, const besom_error *error)
{
    (void)context;
    if (error->code != BESOM_OK)
        bench_fail("ReadMetrics", error->text);
}

static void read_metrics(struct reading *reading, int32_t buckets)
{
    static const besom_stream_handler handler = {.on_message = on_message, .on_close = on_close};
    Besom__V1__ReadMetricsRequest request = BESOM__V1__READ_METRICS_REQUEST__INIT;
    char *name = (char *)(uintptr_t)volume_name(0);
    besom_stream *stream;
    besom_error error;
    request.sweep_id = (char *)(uintptr_t)reading->run->sweep_id;
    request.run_id = (char *)(uintptr_t)reading->run->run_id;
    request.buckets = buckets;
    request.names = &name;
    request.n_names = buckets > 0;
    if (besom_run_metrics(reading->run->client, &request, &handler, reading, &stream, &error) != BESOM_OK)
        bench_fail("ReadMetrics", error.text);
    if (besom_stream_wait(stream, WAIT_MS) != BESOM_OK)
        bench_fail("ReadMetrics", "the stream did not end");
    besom_stream_free(stream);
}

int64_t volume_check(const struct volume_run *run)
{
    struct reading reading = {.run = run};
    read_metrics(&reading, 0);
    for (int i = 0; i < run->series; i++)
        if (reading.next[i] != run->steps)
            bench_fail("ReadMetrics", "points are missing");
    return reading.points;
}

double volume_time_buckets(const struct volume_run *run, int32_t buckets)
{
    struct reading reading = {.run = run};
    int64_t begin_us = clock_monotonic_us(&clock_system);
    read_metrics(&reading, buckets);
    int64_t end_us = clock_monotonic_us(&clock_system);
    if (reading.points != run->steps || reading.buckets > buckets || reading.buckets < buckets / 2)
        bench_fail("ReadMetrics", "the buckets do not hold the series");
    return (double)(end_us - begin_us) / 1000;
}
