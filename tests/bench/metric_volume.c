// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What ten agents with ten series each log ten times a second for a day, sent as fast as it is stored: 86.4
 * million points, or as many as are asked for, and one series of a million steps besides.
 *
 *     bench_metric_volume [POINTS [random|realistic]]
 *
 * Says how fast points become durable, over binary COPY of rows in the same run, before and after; how long
 * packing takes then, and how many bytes a packed point has on disk, indexes included; how long the long
 * series takes to be read in 1,000 buckets, a tenth of it not packed yet, and all packed. Every point is read
 * back through ReadMetrics and compared.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tests/bench/bench.h"
#include "tests/bench/database.h"
#include "tests/bench/ingest.h"
#include "tests/bench/tracker.h"
#include "tests/bench/volume.h"

#define AGENTS 10
#define CONNECTIONS 4
#define COPY_RUNS 16
#define COPY_MS 4000
#define BATCH_STEPS 10
#define BATCH_POINTS ((int64_t)VOLUME_SERIES * BATCH_STEPS)
#define LONG_STEPS 1000000
#define LONG_BATCH 1000
#define LONG_PACKED (LONG_STEPS - LONG_STEPS / 10) /* when packing is held up */
#define BUCKETS 1000
#define READS 5
#define PATIENCE_MS 60000
#define LOOK_MS 100
#define RATIO_GOAL 1.0
#define BYTES_GOAL 16
#define READ_GOAL_MS 50

static const char sweep_file[] = "method: random\nprogram: x\nmetric: {name: train/loss}\nparameters:\n"
                                 "  x: {distribution: uniform, min: 0, max: 1}\n";

struct agent {
    struct tracker tracker;
    struct volume_run run;
    int64_t batch_steps;
    int64_t steps[LONG_BATCH], times_us[LONG_BATCH];
    double values[VOLUME_SERIES][LONG_BATCH];
    Besom__V1__Series series[VOLUME_SERIES], *list[VOLUME_SERIES];
};

struct volume {
    PGconn *watcher;
    struct agent agents[AGENTS + 1]; /* the last one has the long series */
    char sweep_id[ID_SIZE], name[64];
    int64_t points, batches; /* of the ten, batches of each */
    int64_t inbox_bytes;     /* the most that were seen */
};

/* ---- sending ---- */

static void fill_batch(struct tracker *tracker, int64_t sequence, Besom__V1__TrackBatch *batch)
{
    struct agent *agent = tracker->context;
    const struct volume_run *run = &agent->run;
    int64_t first_step = (sequence - 1) * agent->batch_steps;
    size_t count = (size_t)agent->batch_steps;
    for (int64_t i = 0; i < agent->batch_steps; i++) {
        agent->steps[i] = first_step + i;
        agent->times_us[i] = volume_time_us(run->number, first_step + i);
    }
    for (int series = 0; series < run->series; series++) {
        Besom__V1__Series *out = agent->list[series] = &agent->series[series];
        besom__v1__series__init(out);
        for (int64_t i = 0; i < agent->batch_steps; i++)
            agent->values[series][i] = volume_value(run->kind, run->number, series, first_step + i);
        out->name = (char *)(uintptr_t)volume_name(series);
        out->steps = agent->steps;
        out->values = agent->values[series];
        out->times_us = agent->times_us;
        out->n_steps = out->n_values = out->n_times_us = count;
    }
    batch->n_series = (size_t)run->series;
    batch->series = agent->list;
}

static void prepare(struct volume *volume, enum volume_kind kind)
{
    besom_client *client = calls_connect();
    calls_create_sweep(client, sweep_file, volume->sweep_id);
    besom_client_free(client);
    for (int i = 0; i <= AGENTS; i++) {
        struct agent *agent = &volume->agents[i];
        agent->tracker = (struct tracker){.client = calls_connect(),
                                          .sweep_id = volume->sweep_id,
                                          .number = i,
                                          .fill = fill_batch,
                                          .context = agent};
        agent->batch_steps = i < AGENTS ? BATCH_STEPS : LONG_BATCH;
        agent->run = (struct volume_run){.client = agent->tracker.client,
                                         .sweep_id = volume->sweep_id,
                                         .run_id = agent->tracker.run_id,
                                         .kind = kind,
                                         .number = i,
                                         .series = i < AGENTS ? VOLUME_SERIES : 1,
                                         .steps = i < AGENTS ? volume->batches * BATCH_STEPS : LONG_STEPS};
        tracker_acquire(&agent->tracker);
    }
}

static void look_at_inbox(struct volume *volume)
{
    int64_t bytes = database_number(volume->watcher, "SELECT pg_total_relation_size('besom.metric_inbox')");
    volume->inbox_bytes = bytes > volume->inbox_bytes ? bytes : volume->inbox_bytes;
}

static int64_t inbox_points(struct volume *volume)
{
    return database_number(volume->watcher, "SELECT coalesce(sum(points), 0) FROM besom.metric_inbox");
}

/* Points a second, from the first batch sent to the last one acknowledged. */
static double load(struct volume *volume)
{
    int64_t begin_us = clock_monotonic_us(&clock_system);
    for (int i = 0; i < AGENTS; i++)
        tracker_open(&volume->agents[i].tracker, volume->batches);
    for (int i = 0; i < AGENTS; i++) {
        while (atomic_load(&volume->agents[i].tracker.acknowledged) < volume->batches / 2) {
            look_at_inbox(volume);
            bench_sleep_ms(LOOK_MS);
        }
        tracker_await(&volume->agents[i].tracker, PATIENCE_MS);
    }
    return (double)volume->points * 1e6 / (double)(clock_monotonic_us(&clock_system) - begin_us);
}

static void await_packed(struct volume *volume)
{
    while (database_number(volume->watcher,
                           "SELECT count(*) FROM (SELECT FROM besom.metric_inbox LIMIT 1) i") > 0) {
        look_at_inbox(volume);
        bench_sleep_ms(LOOK_MS);
    }
}

static void end_runs(struct volume *volume, int from, int to)
{
    for (int i = from; i < to; i++) {
        tracker_close(&volume->agents[i].tracker);
        tracker_finish(&volume->agents[i].tracker);
    }
}

static void pack_rest(struct volume *volume)
{
    int64_t begin_us = clock_monotonic_us(&clock_system), waiting = inbox_points(volume);
    end_runs(volume, 0, AGENTS);
    await_packed(volume);
    (void)printf("%.0f %% of the points were packed when the last one was acknowledged, all %.1f s later\n",
                 100 - 100 * (double)waiting / (double)volume->points,
                 (double)(clock_monotonic_us(&clock_system) - begin_us) / 1e6);
}

/* ---- figures ---- */

static void tell(struct volume *volume, const char *figure)
{
    (void)snprintf(volume->name, sizeof volume->name, "metric_volume/%s", figure);
}

static int tell_read(struct volume *volume, const char *figure)
{
    double ms[READS];
    for (int i = 0; i < READS; i++)
        ms[i] = volume_time_buckets(&volume->agents[AGENTS].run, BUCKETS);
    (void)printf("%d steps in %d buckets, %lld points in the inbox:", LONG_STEPS, BUCKETS,
                 (long long)inbox_points(volume));
    for (int i = 0; i < READS; i++)
        (void)printf(" %.1f", ms[i]);
    (void)printf(" ms\n");
    tell(volume, figure);
    return bench_at_most(bench_median(ms, READS), "ms", READ_GOAL_MS);
}

/* The lock that packing tries for keeps the last tenth in the inbox. */
static int read_long(struct volume *volume)
{
    struct tracker *tracker = &volume->agents[AGENTS].tracker;
    char lock[192];
    (void)snprintf(lock, sizeof lock, "SELECT pg_advisory_xact_lock(hashtextextended('%s/%s/%d', 1))",
                   volume->sweep_id, tracker->run_id, (int)tracker->attempt);
    tracker_open(tracker, LONG_PACKED / LONG_BATCH);
    tracker_await(tracker, PATIENCE_MS);
    while (inbox_points(volume) > LONG_BATCH)
        bench_sleep_ms(LOOK_MS);
    database_run(volume->watcher, "BEGIN");
    database_run(volume->watcher, lock);
    tracker_go_on(tracker, LONG_STEPS / LONG_BATCH);
    tracker_await(tracker, PATIENCE_MS);
    int missed = tell_read(volume, "read_partly_packed");
    database_run(volume->watcher, "COMMIT");
    end_runs(volume, AGENTS, AGENTS + 1);
    await_packed(volume);
    return missed | tell_read(volume, "read_packed");
}

static int tell_bytes(struct volume *volume)
{
    int64_t bytes = database_number(volume->watcher, "SELECT pg_total_relation_size('besom.metric_chunks')");
    int64_t chunks = database_number(volume->watcher, "SELECT count(*) FROM besom.metric_chunks");
    int64_t points = volume->points + LONG_STEPS;
    (void)printf(
        "%lld points in %lld chunks, %.0f each; the inbox had at most %.1f MB, and now has %.1f MB\n",
        (long long)points, (long long)chunks, (double)points / (double)chunks,
        (double)volume->inbox_bytes / 1e6,
        (double)database_number(volume->watcher, "SELECT pg_total_relation_size('besom.metric_inbox')") /
            1e6);
    tell(volume, "disk");
    return bench_at_most((double)bytes / (double)points, "bytes a point", BYTES_GOAL);
}

static void check_all(struct volume *volume)
{
    int64_t points = 0, begin_us = clock_monotonic_us(&clock_system);
    for (int i = 0; i <= AGENTS; i++)
        points += volume_check(&volume->agents[i].run);
    if (points != volume->points + LONG_STEPS)
        bench_fail("ReadMetrics", "it gives other points than were acknowledged");
    (void)printf("%lld points read back and compared, %.0f a second\n", (long long)points,
                 (double)points * 1e6 / (double)(clock_monotonic_us(&clock_system) - begin_us));
}

static int measure(struct volume *volume, enum volume_kind kind)
{
    double copied = copy_points(CONNECTIONS, COPY_RUNS, COPY_MS) / 2;
    prepare(volume, kind);
    database_run(volume->watcher, "CHECKPOINT");
    double served = load(volume);
    pack_rest(volume);
    int missed = read_long(volume);
    missed |= tell_bytes(volume);
    check_all(volume);
    copied += copy_points(CONNECTIONS, COPY_RUNS, COPY_MS) / 2;
    (void)printf("points/s: %.0f of %lld acknowledged to %d agents, %.0f copied over %d connections\n",
                 served, (long long)volume->points, AGENTS, copied, CONNECTIONS);
    tell(volume, "rate");
    return missed | bench_at_least(served / copied, "of the limit", RATIO_GOAL);
}

int main(int argc, char *argv[])
{
    struct volume *volume = calloc(1, sizeof *volume);
    if (volume == NULL)
        bench_fail("memory", "out of it");
    tell(volume, "all");
    bench_begin(volume->name);
    bool realistic = argc > 2 && strcmp(argv[2], "realistic") == 0;
    if (argc > 2 && !realistic && strcmp(argv[2], "random") != 0)
        bench_fail("argument", "random or realistic");
    double points = bench_argument(argc, argv, 1, 2000000, 10000, 1e9);
    volume->batches = (int64_t)(points / (double)(AGENTS * BATCH_POINTS));
    volume->points = volume->batches * AGENTS * BATCH_POINTS;
    volume->watcher = database_connect();
    database_check_durable(volume->watcher);
    int missed = measure(volume, realistic ? VOLUME_REALISTIC : VOLUME_RANDOM);
    for (int i = 0; i <= AGENTS; i++)
        besom_client_free(volume->agents[i].tracker.client);
    PQfinish(volume->watcher);
    free(volume);
    return missed;
}
