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
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tests/bench/bench.h"
#include "tests/bench/calls.h"
#include "tests/bench/database.h"
#include "tests/bench/ingest.h"

#define AGENTS_MAX 1024
#define CONNECTIONS 4
#define UNACKNOWLEDGED_MAX 64
#define WARM_UP_MS 1000
#define REST_MS 60000
#define GOAL 0.5

static const char sweep_file[] = "method: random\nprogram: x\nmetric: {name: loss}\nparameters:\n"
                                 "  x: {distribution: uniform, min: 0, max: 1}\n";
static const char *const metric_names[INGEST_METRICS] = {"loss", "accuracy", "rate", "norm", "speed"};

struct agent {
    besom_client *client;
    besom_stream *stream;
    const char *sweep_id;
    char agent_id[CALLS_AGENT_ID_SIZE], run_id[ID_SIZE];
    int number;
    int32_t attempt;
    bool full; /* the stream takes nothing now; callbacks only, as all below but the counts */
    atomic_llong sent, acknowledged;
    int64_t steps[INGEST_STEPS], times_us[INGEST_STEPS];
    double values[INGEST_METRICS][INGEST_STEPS];
};

static atomic_bool sending;

/* ---- a stream ---- */

static void fill_series(struct agent *agent, Besom__V1__Series *series, int metric, int64_t first_step)
{
    besom__v1__series__init(series);
    for (int i = 0; i < INGEST_STEPS; i++)
        agent->values[metric][i] = ingest_value(agent->number, metric, first_step + i);
    series->name = (char *)(uintptr_t)metric_names[metric];
    series->n_steps = series->n_values = series->n_times_us = INGEST_STEPS;
    series->steps = agent->steps;
    series->values = agent->values[metric];
    series->times_us = agent->times_us;
}

static besom_status send_batch(struct agent *agent, int64_t sequence)
{
    Besom__V1__Series series[INGEST_METRICS], *list[INGEST_METRICS];
    Besom__V1__TrackBatch batch = BESOM__V1__TRACK_BATCH__INIT;
    Besom__V1__TrackRunRequest message = BESOM__V1__TRACK_RUN_REQUEST__INIT;
    int64_t first_step = (sequence - 1) * INGEST_STEPS, now_us = clock_wall_us(&clock_system);
    for (int i = 0; i < INGEST_STEPS; i++) {
        agent->steps[i] = first_step + i;
        agent->times_us[i] = now_us;
    }
    for (int metric = 0; metric < INGEST_METRICS; metric++) {
        fill_series(agent, &series[metric], metric, first_step);
        list[metric] = &series[metric];
    }
    batch.sequence = sequence;
    batch.n_series = INGEST_METRICS;
    batch.series = list;
    message.message_case = BESOM__V1__TRACK_RUN_REQUEST__MESSAGE_BATCH;
    message.batch = &batch;
    return besom_run_track_send(agent->stream, &message);
}

static void pump(struct agent *agent)
{
    while (atomic_load(&sending) && !agent->full) {
        int64_t sequence = atomic_load(&agent->sent) + 1;
        if (sequence - atomic_load(&agent->acknowledged) > UNACKNOWLEDGED_MAX)
            return;
        besom_status status = send_batch(agent, sequence);
        if (status == BESOM_EXHAUSTED)
            agent->full = true;
        else if (status != BESOM_OK)
            bench_fail("TrackRun", besom_status_name(status));
        else
            atomic_store(&agent->sent, sequence);
    }
}

static void on_message(void *context, const void *message)
{
    const Besom__V1__TrackRunResponse *response = message;
    struct agent *agent = context;
    switch (response->message_case) {
    case BESOM__V1__TRACK_RUN_RESPONSE__MESSAGE_OPENED:
        if (!response->opened->current)
            bench_fail("TrackRun", "the attempt was lost");
        break;
    case BESOM__V1__TRACK_RUN_RESPONSE__MESSAGE_ACK:
        atomic_store(&agent->acknowledged, response->ack->last_sequence);
        break;
    case BESOM__V1__TRACK_RUN_RESPONSE__MESSAGE_REFUSED: bench_fail("TrackRun", response->refused->reason);
    default: break;
    }
    pump(agent);
}

static void on_writable(void *context)
{
    struct agent *agent = context;
    agent->full = false;
    pump(agent);
}

static void on_close(void *context, const besom_error *error)
{
    (void)context;
    if (error->code != BESOM_OK)
        bench_fail("TrackRun", error->text);
}

static const besom_stream_handler stream_handler = {
    .on_message = on_message, .on_writable = on_writable, .on_close = on_close};

/* ---- an agent ---- */

static void acquire(struct agent *agent)
{
    Besom__V1__AcquireRunRequest request = BESOM__V1__ACQUIRE_RUN_REQUEST__INIT;
    Besom__V1__AcquireRunResponse *response;
    besom_error error;
    request.sweep_id = (char *)(uintptr_t)agent->sweep_id;
    request.agent_id = agent->agent_id;
    request.wait_ms = 20000;
    if (besom_run_acquire(agent->client, &request, &response, &error) != BESOM_OK)
        bench_fail("AcquireRun", error.text);
    if (response->verdict_case != BESOM__V1__ACQUIRE_RUN_RESPONSE__VERDICT_RUN)
        bench_fail("AcquireRun", "no run came");
    (void)snprintf(agent->run_id, sizeof agent->run_id, "%s", response->run->run_id);
    agent->attempt = response->run->attempt;
    besom_message_free(response);
}

static void open_stream(struct agent *agent)
{
    Besom__V1__TrackOpen open = BESOM__V1__TRACK_OPEN__INIT;
    Besom__V1__TrackRunRequest message = BESOM__V1__TRACK_RUN_REQUEST__INIT;
    besom_error error;
    if (besom_run_track(agent->client, &stream_handler, agent, &agent->stream, &error) != BESOM_OK)
        bench_fail("TrackRun", error.text);
    open.sweep_id = (char *)(uintptr_t)agent->sweep_id;
    open.run_id = agent->run_id;
    open.agent_id = agent->agent_id;
    open.attempt = agent->attempt;
    open.started_us = clock_wall_us(&clock_system);
    message.message_case = BESOM__V1__TRACK_RUN_REQUEST__MESSAGE_OPEN;
    message.open = &open;
    if (besom_run_track_send(agent->stream, &message) != BESOM_OK)
        bench_fail("TrackRun", "not opened");
}

static void close_stream(struct agent *agent)
{
    besom_stream_half_close(agent->stream);
    if (besom_stream_wait(agent->stream, REST_MS) != BESOM_OK)
        bench_fail("TrackRun", "the stream did not end");
    besom_stream_free(agent->stream);
}

static void finish(struct agent *agent)
{
    Besom__V1__FinishRunRequest request = BESOM__V1__FINISH_RUN_REQUEST__INIT;
    Besom__V1__FinishRunResponse *response;
    besom_error error;
    request.sweep_id = (char *)(uintptr_t)agent->sweep_id;
    request.run_id = agent->run_id;
    request.agent_id = agent->agent_id;
    request.attempt = agent->attempt;
    request.final_sequence = atomic_load(&agent->sent);
    request.end_class = BESOM__V1__END_CLASS__END_CLASS_EXITED;
    if (besom_run_finish(agent->client, &request, &response, &error) != BESOM_OK)
        bench_fail("FinishRun", error.text);
    if (response->verdict_case != BESOM__V1__FINISH_RUN_RESPONSE__VERDICT_DONE || response->done->superseded)
        bench_fail("FinishRun", "the run did not end");
    besom_message_free(response);
}

/* ---- all of them ---- */

static int64_t count_points(struct agent *agents, int count)
{
    int64_t batches = 0;
    for (int i = 0; i < count; i++)
        batches += atomic_load(&agents[i].acknowledged);
    return batches * INGEST_POINTS;
}

static void await_acknowledgements(struct agent *agents, int count)
{
    int64_t end_ms = clock_monotonic_ms(&clock_system) + REST_MS;
    for (int i = 0; i < count;) {
        if (atomic_load(&agents[i].acknowledged) == atomic_load(&agents[i].sent)) {
            i++;
            continue;
        }
        if (clock_monotonic_ms(&clock_system) > end_ms)
            bench_fail("TrackRun", "acknowledgements do not come");
        bench_sleep_ms(5);
    }
}

static double measure(struct agent *agents, int count, int64_t ms)
{
    atomic_store(&sending, true);
    for (int i = 0; i < count; i++)
        open_stream(&agents[i]);
    bench_sleep_ms(WARM_UP_MS);
    int64_t begin_us = clock_monotonic_us(&clock_system), before = count_points(agents, count);
    bench_sleep_ms(ms);
    int64_t after = count_points(agents, count), end_us = clock_monotonic_us(&clock_system);
    atomic_store(&sending, false);
    await_acknowledgements(agents, count);
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
    calls_create_sweep(agents[0].client, sweep_file, sweep_id);
    for (int i = 0; i < count; i++) {
        agents[i] = (struct agent){.client = agents[i].client, .sweep_id = sweep_id, .number = i};
        calls_register_agent(agents[i].client, sweep_id, i, agents[i].agent_id);
        acquire(&agents[i]);
    }
    database_run(watcher, "CHECKPOINT");
    double rate = measure(agents, count, ms);
    check_stored(watcher, sweep_id, agents, count);
    for (int i = 0; i < count; i++) {
        close_stream(&agents[i]);
        finish(&agents[i]);
    }
    calls_cancel_sweep(agents[0].client, sweep_id);
    calls_delete_sweep(agents[0].client, sweep_id);
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
        agents[i].client = calls_connect();
    for (int i = 0; i < rounds; i++) {
        copied[i] = copy_points(CONNECTIONS, count, ms);
        served[i] = served_points(watcher, agents, count, ms);
        (void)printf(
            "points/s: %.0f acknowledged to %d agents, %.0f copied over %d connections, ratio %.2f\n",
            served[i], count, copied[i], CONNECTIONS, served[i] / copied[i]);
    }
    for (int i = 0; i < count; i++)
        besom_client_free(agents[i].client);
    PQfinish(watcher);
    free(agents);
    return bench_at_least(bench_median(served, rounds) / bench_median(copied, rounds), "of the limit", GOAL);
}
