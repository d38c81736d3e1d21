// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Many agents at once while the controller is ended and started anew: every run is carried out once, what was
 * acknowledged is stored once, results are numbered without a gap.
 */
#include "controller_fixture.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define SLOTS 16
#define RUNS 240
#define BATCHES 4
#define ENDINGS 3
#define TIMEOUT_MS 2000
#define GIVE_UP_MS 5 /* of every fifth call for a run, which is then made again */

static struct served served;

struct slot {
    pthread_t thread;
    int32_t number;
    int64_t counter;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* lock: of the call or stream under way */
    bool done, opened;
    int64_t acknowledged;
    /* of the last answer */
    besom_status code;
    int verdict;
    char run_id[9];
    int32_t attempt;
    bool superseded;
};

static void wait_briefly(void)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    nanosleep(&pause, NULL);
}

static void await_done(struct slot *slot)
{
    pthread_mutex_lock(&slot->lock);
    while (!slot->done)
        pthread_cond_wait(&slot->changed, &slot->lock);
    slot->done = false;
    pthread_mutex_unlock(&slot->lock);
}

static void set_done(struct slot *slot, besom_status code)
{
    pthread_mutex_lock(&slot->lock);
    slot->code = code;
    slot->done = true;
    pthread_cond_broadcast(&slot->changed);
    pthread_mutex_unlock(&slot->lock);
}

/* ---- claims ---- */

static void take_run(void *context, const void *response, const besom_error *error)
{
    struct slot *slot = context;
    const Besom__V1__AcquireRunResponse *answer = response;
    slot->verdict = answer != NULL ? (int)answer->verdict_case : 0;
    if (slot->verdict == BESOM__V1__ACQUIRE_RUN_RESPONSE__VERDICT_RUN) {
        (void)snprintf(slot->run_id, sizeof slot->run_id, "%s", answer->run->run_id);
        slot->attempt = answer->run->attempt;
    }
    set_done(slot, error->code);
}

/* Asks until there is an answer; false: nothing is left. */
static bool acquire(struct slot *slot)
{
    Besom__V1__AcquireRunRequest request = BESOM__V1__ACQUIRE_RUN_REQUEST__INIT;
    request.sweep_id = SWEEP;
    request.agent_id = AGENT;
    request.slot = slot->number;
    request.counter = slot->counter;
    request.wait_ms = TIMEOUT_MS;
    for (int64_t tries = slot->counter + slot->number;; tries++) {
        int64_t timeout_ms = tries % 5 == 0 ? GIVE_UP_MS : TIMEOUT_MS;
        besom_call_free(besom_run_acquire_async(served.client, &request, timeout_ms, take_run, slot));
        await_done(slot);
        if (slot->verdict == BESOM__V1__ACQUIRE_RUN_RESPONSE__VERDICT_RUN)
            return true;
        if (slot->verdict == BESOM__V1__ACQUIRE_RUN_RESPONSE__VERDICT_EXIT)
            return false;
        wait_briefly();
    }
}

/* ---- streams ---- */

static void on_message(void *context, const void *message)
{
    const Besom__V1__TrackRunResponse *response = message;
    struct slot *slot = context;
    pthread_mutex_lock(&slot->lock);
    if (response->message_case == BESOM__V1__TRACK_RUN_RESPONSE__MESSAGE_OPENED) {
        slot->opened = true;
        slot->acknowledged = response->opened->last_sequence;
    }
    if (response->message_case == BESOM__V1__TRACK_RUN_RESPONSE__MESSAGE_ACK)
        slot->acknowledged = response->ack->last_sequence;
    pthread_cond_broadcast(&slot->changed);
    pthread_mutex_unlock(&slot->lock);
}

static void on_close(void *context, const besom_error *error)
{
    set_done(context, error->code);
}

/* The stream is done, or this much is acknowledged (0: open). */
static bool await_stream(struct slot *slot, int64_t acknowledged)
{
    pthread_mutex_lock(&slot->lock);
    while (!slot->done && (!slot->opened || slot->acknowledged < acknowledged))
        pthread_cond_wait(&slot->changed, &slot->lock);
    bool over = slot->done;
    pthread_mutex_unlock(&slot->lock);
    return !over;
}

static void send_batch(besom_stream *stream, int64_t sequence)
{
    Besom__V1__TrackRunRequest message = BESOM__V1__TRACK_RUN_REQUEST__INIT;
    Besom__V1__TrackBatch batch = BESOM__V1__TRACK_BATCH__INIT;
    Besom__V1__Series series = BESOM__V1__SERIES__INIT, *all[] = {&series};
    double value = 1.0 / (double)sequence;
    int64_t time_us = 1;
    series.name = "loss";
    series.n_values = series.n_steps = series.n_times_us = 1;
    series.values = &value;
    series.steps = &sequence;
    series.times_us = &time_us;
    batch.sequence = sequence;
    batch.n_series = 1;
    batch.series = all;
    message.message_case = BESOM__V1__TRACK_RUN_REQUEST__MESSAGE_BATCH;
    message.batch = &batch;
    while (besom_run_track_send(stream, &message) == BESOM_EXHAUSTED)
        wait_briefly();
}

static bool stream_once(struct slot *slot)
{
    static const besom_stream_handler handler = {.on_message = on_message, .on_close = on_close};
    Besom__V1__TrackRunRequest message = BESOM__V1__TRACK_RUN_REQUEST__INIT;
    Besom__V1__TrackOpen open = BESOM__V1__TRACK_OPEN__INIT;
    besom_stream *stream;
    besom_error error;
    slot->done = slot->opened = false;
    slot->acknowledged = 0;
    if (besom_run_track(served.client, &handler, slot, &stream, &error) != BESOM_OK)
        return false;
    open.sweep_id = SWEEP;
    open.run_id = slot->run_id;
    open.agent_id = AGENT;
    open.attempt = slot->attempt;
    open.started_us = 1;
    message.message_case = BESOM__V1__TRACK_RUN_REQUEST__MESSAGE_OPEN;
    message.open = &open;
    bool well = besom_run_track_send(stream, &message) == BESOM_OK && await_stream(slot, 0);
    for (int64_t sequence = slot->acknowledged + 1; well && sequence <= BATCHES; sequence++)
        send_batch(stream, sequence);
    well = well && await_stream(slot, BATCHES);
    besom_stream_free(stream);
    slot->done = false;
    return well;
}

/* ---- ends ---- */

static void take_end(void *context, const void *response, const besom_error *error)
{
    struct slot *slot = context;
    const Besom__V1__FinishRunResponse *answer = response;
    slot->verdict = answer != NULL ? (int)answer->verdict_case : 0;
    slot->superseded = answer != NULL && answer->done != NULL &&
                       slot->verdict == BESOM__V1__FINISH_RUN_RESPONSE__VERDICT_DONE &&
                       answer->done->superseded;
    set_done(slot, error->code);
}

static void finish(struct slot *slot)
{
    Besom__V1__FinishRunRequest request = BESOM__V1__FINISH_RUN_REQUEST__INIT;
    request.sweep_id = SWEEP;
    request.run_id = slot->run_id;
    request.agent_id = AGENT;
    request.attempt = slot->attempt;
    request.final_sequence = BATCHES;
    request.end_class = BESOM__V1__END_CLASS__END_CLASS_EXITED;
    do {
        besom_call_free(besom_run_finish_async(served.client, &request, TIMEOUT_MS, take_end, slot));
        await_done(slot);
        if (slot->verdict == 0)
            wait_briefly();
    } while (slot->verdict != BESOM__V1__FINISH_RUN_RESPONSE__VERDICT_DONE);
}

static void *work(void *argument)
{
    struct slot *slot = argument;
    while (acquire(slot)) {
        while (!stream_once(slot))
            wait_briefly();
        finish(slot);
        slot->counter++;
    }
    return NULL;
}

static void await_finished(struct database *database, int count)
{
    char sql[128];
    (void)snprintf(sql, sizeof sql, "SELECT (count(*) >= %d)::int FROM besom.runs WHERE state = 'finished'",
                   count);
    await_number(database, sql, 1);
}

static void assert_number(struct database *database, const char *sql, int64_t wanted)
{
    int64_t found = database_number(database->url, sql);
    if (found != wanted)
        fail_msg("%s: %lld, not %lld", sql, (long long)found, (long long)wanted);
}

static void endings_under_load_lose_and_repeat_nothing(void **state)
{
    struct database *database = *state;
    static struct slot slots[SLOTS];
    served_start(&served, database, RUNS, (struct controller_options){.ingest_workers = 2});
    for (int32_t i = 0; i < SLOTS; i++) {
        slots[i] = (struct slot){.number = i};
        pthread_mutex_init(&slots[i].lock, NULL);
        pthread_cond_init(&slots[i].changed, NULL);
        assert_int_equal(pthread_create(&slots[i].thread, NULL, work, &slots[i]), 0);
    }
    for (int i = 1; i <= ENDINGS; i++) {
        await_finished(database, i * RUNS / (ENDINGS + 1));
        int64_t begin_ms = clock_monotonic_ms(&clock_system);
        served_shutdown(&served, 30000);
        assert_true(clock_monotonic_ms(&clock_system) - begin_ms < 15000);
        served_end_controller(&served);
        served_begin_controller(&served);
    }
    await_finished(database, RUNS);
    for (int i = 0; i < SLOTS; i++)
        pthread_join(slots[i].thread, NULL);
    served_stop(&served);
    assert_number(database, "SELECT count(*) FROM besom.runs WHERE attempt = 1", RUNS);
    assert_number(database, "SELECT count(*) FROM besom.run_attempts WHERE ended_at IS NOT NULL", RUNS);
    assert_number(database, "SELECT count(*) FROM besom.run_attempts", RUNS);
    assert_number(database, "SELECT count(DISTINCT result_number) FROM besom.runs", RUNS);
    assert_number(database, "SELECT max(result_number) FROM besom.runs", RUNS);
    assert_number(database, "SELECT sum(points) FROM besom.run_summaries", RUNS * BATCHES);
    assert_number(database,
                  "SELECT (SELECT coalesce(sum(points), 0) FROM besom.metric_inbox) + "
                  "(SELECT coalesce(sum(points), 0) FROM besom.metric_chunks)",
                  RUNS * BATCHES);
    assert_number(database, "SELECT count(*) FROM besom.rung_values", RUNS * 2);
    assert_number(database, "SELECT count(*) FROM besom.leases", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(endings_under_load_lose_and_repeat_nothing, database_make,
                                        database_drop),
    };
    return cmocka_run_group_tests(tests, served_begin_process, served_end_process);
}
