/*
 * What bench_metric_volume sends, and reading it back through ReadMetrics. A
 * failure ends the process.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_TESTS_BENCH_VOLUME_H
#define BESOM_TESTS_BENCH_VOLUME_H

#include <stdint.h>

#include "tests/bench/calls.h"

#define VOLUME_SERIES 10

enum volume_kind {
    VOLUME_RANDOM,    /* uniform in every bit of the mantissa, a NaN or infinity among some hundred */
    VOLUME_REALISTIC, /* what training programs log: floats and doubles with noise, schedules, counters, loads
                       */
};

/* Ten times a second, with up to two milliseconds of jitter. */
int64_t volume_time_us(int run, int64_t step);
double volume_value(enum volume_kind kind, int run, int series, int64_t step);
const char *volume_name(int series);

/* A run and what was sent for it: steps 0, 1, ... of its first `series` series. */
struct volume_run {
    besom_client *client;
    const char *sweep_id, *run_id;
    enum volume_kind kind;
    int number, series;
    int64_t steps;
};

/* Reads all points and compares each one; returns how many there were. */
int64_t volume_check(const struct volume_run *run);

/* Reads one series in so many buckets and checks that they hold all steps; milliseconds of the call. */
double volume_time_buckets(const struct volume_run *run, int32_t buckets);

#endif
