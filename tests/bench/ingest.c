// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Metric points per second that agents send through TrackRun of a running controller, each counted when its
 * acknowledgement has come (it is durable then), over those of binary COPY of the same points into an indexed
 * table with a row per point, 1,000 rows a commit over 4 connections.
 *
 *     bench_ingest [SECONDS [ROUNDS [AGENTS]]]
 *
 * Sides alternate; the medians' ratio counts. Agents send as besom-agent does when its run logs faster than
 * is stored: batches of 100 points without a pause, but at most 64 without acknowledgement. Packing of stored
 * batches goes on meanwhile. At the end of a round the database holds exactly the acknowledged points, or the
 * benchmark fails.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "tests/bench/bench.h"
#include "tests/bench/database.h"
#include "tests/bench/ingest.h"
#include "tests/bench/tracker.h"

#define AGENTS_MAX 1024
#define CONNECTIONS 4
#define WARM_UP_MS 1000
#define REST_MS 60000
#define GOAL 0.5

static const char sweep_file[] = "method: random\nprogram: x\nmetric: {name: loss}\nparameters:\n"
                                 "  x: {distribution: uniform, min: 0, max: 1}\n";
static const char *const metric_names[INGEST_METRICS] = {"loss", "accuracy", "rate", "norm", "speed"};

struct agent {
    struct tracker tracker;
    int64_t steps[INGEST_STEPS], times_us[INGEST_STEPS];
    double values[INGEST_METRICS][INGEST_STEPS];
    Besom__V1__Series series[INGEST_METRICS], *list[INGEST_METRICS];
};

static void fill_series(struct agent *agent, Besom__V1__Series *series, int metric, int64_t first_step)
{
    besom__v1__series__init(series);
    for (int i = 0; i < INGEST_STEPS; i++)
        agent->values[metric][i] = ingest_value(agent->tracker.number, metric, first_step + i);
    series->name = (char *)(uintptr_t)metric_names[metric];
    series->n_steps = series->n_values = series->n_times_us = INGEST_STEPS;
    series->steps = agent->steps;
    series->values = agent->values[metric];
    series->times_us = agent->times_us;
}

static void fill_batch(struct tracker *tracker, int64_t sequence, Besom__V1__TrackBatch *batch)
{
    struct agent *agent = tracker->context;
    int64_t first_step = (sequence - 1) * INGEST_STEPS, now_us = clock_wall_us(&clock_system);
    for (int i = 0; i < INGEST_STEPS; i++) {
        agent->steps[i] = first_step + i;
        agent->times_us[i] = now_us;
    }
    for (int metric = 0; metric < INGEST_METRICS; metric++) {
        fill_series(agent, &agent->series[metric], metric, first_step);
        agent->list[metric] = &agent->series[metric];
    }
    batch->n_series = INGEST_METRICS;
    batch->series = agent->list;
}

static int64_t count_points(struct agent *agents, int count)
{
    int64_t batches = 0;
    for (int i = 0; i < count; i++)
        batches += atomic_load(&agents[i].tracker.acknowledged);
    return batches * INGEST_POINTS;
}

static double measure(struct agent *agents, int count, int64_t ms)
{
    for (int i = 0; i < count; i++)
        tracker_open(&agents[i].tracker, INT64_MAX);
    bench_sleep_ms(WARM_UP_MS);
    int64_t begin_us = clock_monotonic_us(&clock_system), before = count_points(agents, count);
    bench_sleep_ms(ms);
    int64_t after = count_points(agents, count), end_us = clock_monotonic_us(&clock_system);
    for (int i = 0; i < count; i++)
        tracker_stop(&agents[i].tracker);
    for (int i = 0; i < count; i++)
        tracker_await(&agents[i].tracker, REST_MS);
    return (double)(after - before) * 1e6 / (double)(end_us - begin_us);
}

static int64_t stored_points(PGconn *watcher, const char *sweep_id, const char *table)
{
    char query[160];
    (void)snprintf(query, sizeof query, "SELECT coalesce(sum(points), 0) FROM besom.%s WHERE sweep_id = '%s'",
                   table, sweep_id);
    return database_number(watcher, query);
}

/* Nothing lost, nothing twice; and says how much of it is packed already. */
static void check_stored(PGconn *watcher, const char *sweep_id, struct agent *agents, int count)
{
    database_run(watcher, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    int64_t waiting = stored_points(watcher, sweep_id, "metric_inbox");
    int64_t packed = stored_points(watcher, sweep_id, "metric_chunks");
    database_run(watcher, "COMMIT");
    int64_t acknowledged = count_points(agents, count);
    if (waiting + packed != acknowledged)
        bench_fail("database", "it does not hold what was acknowledged");
    (void)printf("%lld points acknowledged and stored, %.0f %% of them packed\n", (long long)acknowledged,
                 100 * (double)packed / (double)acknowledged);
}

static double served_points(PGconn *watcher, struct agent *agents, int count, int64_t ms)
{
    char sweep_id[ID_SIZE];
    calls_create_sweep(agents[0].tracker.client, sweep_file, sweep_id);
    for (int i = 0; i < count; i++) {
        agents[i].tracker = (struct tracker){.client = agents[i].tracker.client,
                                             .sweep_id = sweep_id,
                                             .number = i,
                                             .fill = fill_batch,
                                             .context = &agents[i]};
        tracker_acquire(&agents[i].tracker);
    }
    database_run(watcher, "CHECKPOINT");
    double rate = measure(agents, count, ms);
    check_stored(watcher, sweep_id, agents, count);
    for (int i = 0; i < count; i++) {
        tracker_close(&agents[i].tracker);
        tracker_finish(&agents[i].tracker);
    }
    calls_cancel_sweep(agents[0].tracker.client, sweep_id);
    calls_delete_sweep(agents[0].tracker.client, sweep_id);
    return rate;
}

int main(int argc, char *argv[])
{
    double copied[BENCH_ROUNDS_MAX], served[BENCH_ROUNDS_MAX];
    bench_begin("ingest");
    int64_t ms = (int64_t)(1000 * bench_argument(argc, argv, 1, 5, 0.1, 600));
    int rounds = (int)bench_argument(argc, argv, 2, 3, 1, BENCH_ROUNDS_MAX);
    int count = (int)bench_argument(argc, argv, 3, 64, CONNECTIONS, AGENTS_MAX);
    struct agent *agents = calloc((size_t)count, sizeof *agents);
    PGconn *watcher = database_connect();
    if (agents == NULL)
        bench_fail("memory", "out of it");
    database_check_durable(watcher);
    for (int i = 0; i < count; i++)
        agents[i].tracker.client = calls_connect();
    for (int i = 0; i < rounds; i++) {
        copied[i] = copy_points(CONNECTIONS, count, ms);
        served[i] = served_points(watcher, agents, count, ms);
        (void)printf(
            "points/s: %.0f acknowledged to %d agents, %.0f copied over %d connections, ratio %.2f\n",
            served[i], count, copied[i], CONNECTIONS, served[i] / copied[i]);
    }
    for (int i = 0; i < count; i++)
        besom_client_free(agents[i].tracker.client);
    PQfinish(watcher);
    free(agents);
    return bench_at_least(bench_median(served, rounds) / bench_median(copied, rounds), "of the limit", GOAL);
}
