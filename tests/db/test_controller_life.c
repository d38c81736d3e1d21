// SPDX-License-Identifier: GPL-3.0-or-later
/* The controller's end while work is under way: nobody waits in vain, nothing is touched after it was freed.
 */
#include "controller_fixture.h"

#include <string.h>

#include "base/clock.h"

#define GRACE_MS 20000
#define OTHER "another0"
#define WAITING_READERS                                                                  \
    "SELECT max((query LIKE '%FROM besom.sweep_specs%')::int) + max((query LIKE '%FROM " \
    "besom.shown_runs%')::int) "                                                         \
    "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

struct acquired {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done; /* lock */
    besom_status code;
    int verdict;
};

static void await_answer(struct acquired *acquired)
{
    pthread_mutex_lock(&acquired->lock);
    while (!acquired->done)
        pthread_cond_wait(&acquired->changed, &acquired->lock);
    pthread_mutex_unlock(&acquired->lock);
}

struct ending {
    struct served *served;
    struct acquired *acquired; /* an answer that the client must have before it goes, NULL = none */
    int64_t shutdown_ms;
};

static void end(void *context)
{
    struct ending *ending = context;
    int64_t begin_ms = clock_monotonic_ms(&clock_system);
    served_shutdown(ending->served, GRACE_MS);
    ending->shutdown_ms = clock_monotonic_ms(&clock_system) - begin_ms;
    if (ending->acquired != NULL)
        await_answer(ending->acquired);
    served_free(ending->served);
}

/* A batch is stored after the server and most parts have ended, and reaches a band. */
static void batches_under_way_are_stored_at_the_end(void **state)
{
    struct database *database = *state;
    struct served served;
    struct ending ending = {.served = &served};
    struct waiting waiting;
    struct line line;
    char run_id[9];
    served_start(&served, database, 1, (struct controller_options){.lease_ms = 0});
    served_acquire(&served, 0, run_id);
    line_open(&line, &served, run_id);
    struct locks *locks = locks_take(database, "LOCK TABLE besom.metric_inbox IN ACCESS EXCLUSIVE MODE");
    line_send_value(&line, 1, 0.5);
    await_waiting(database, 1);
    waiting_start(&waiting, database, end, &ending);
    line_await(&line, &line.closed, 1);
    line_free(&line);
    await_no_thread("claim");
    locks_release(locks);
    waiting_join(&waiting);
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.rung_values"), 1);
    assert_int_equal(
        database_number(database->url, "SELECT last_sequence FROM besom.run_attempts WHERE attempt = 1"), 1);
}

static void take_answer(void *context, const void *response, const besom_error *error)
{
    struct acquired *acquired = context;
    const Besom__V1__AcquireRunResponse *answer = response;
    pthread_mutex_lock(&acquired->lock);
    acquired->done = true;
    acquired->code = error->code;
    acquired->verdict = answer != NULL ? (int)answer->verdict_case : -1;
    pthread_cond_broadcast(&acquired->changed);
    pthread_mutex_unlock(&acquired->lock);
}

/* A caller that is being looked up when the drain begins is told, and holds up nothing. */
static void a_caller_that_is_served_at_the_end_is_answered(void **state)
{
    struct database *database = *state;
    struct served served;
    struct acquired acquired = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct ending ending = {.served = &served, .acquired = &acquired};
    struct waiting waiting;
    Besom__V1__AcquireRunRequest request = BESOM__V1__ACQUIRE_RUN_REQUEST__INIT;
    struct line line;
    char run_id[9];
    served_start(&served, database, 1, (struct controller_options){.lease_ms = 0});
    served_acquire(&served, 0, run_id);
    line_open(&line, &served, run_id);
    struct locks *locks = locks_take(database, "LOCK TABLE besom.run_attempts IN ACCESS EXCLUSIVE MODE");
    request.sweep_id = SWEEP;
    request.agent_id = AGENT;
    request.slot = 1;
    request.wait_ms = 50000;
    besom_call_free(besom_run_acquire_async(served.client, &request, 60000, take_answer, &acquired));
    await_waiting(database, 1);
    waiting_start(&waiting, database, end, &ending);
    line_await(&line, &line.closed, 1); /* streams are drained after parked callers */
    line_free(&line);
    locks_release(locks);
    waiting_join(&waiting);
    assert_int_equal(acquired.code, BESOM_OK);
    assert_int_equal(acquired.verdict, BESOM__V1__ACQUIRE_RUN_RESPONSE__VERDICT_WAIT);
    assert_true(ending.shutdown_ms < GRACE_MS / 2);
}

struct reading {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool closed; /* lock */
    besom_status code;
};

static void ignore_message(void *context, const void *message)
{
    (void)context;
    (void)message;
}

static void note_close(void *context, const besom_error *error)
{
    struct reading *reading = context;
    pthread_mutex_lock(&reading->lock);
    reading->closed = true;
    reading->code = error->code;
    pthread_cond_broadcast(&reading->changed);
    pthread_mutex_unlock(&reading->lock);
}

static const besom_stream_handler reading_handler = {.on_message = ignore_message, .on_close = note_close};

static void end_reading(struct reading *reading, besom_stream *stream)
{
    pthread_mutex_lock(&reading->lock);
    while (!reading->closed)
        pthread_cond_wait(&reading->changed, &reading->lock);
    pthread_mutex_unlock(&reading->lock);
    assert_int_equal(reading->code, BESOM_UNAVAILABLE);
    besom_stream_free(stream);
}

/* Streams that are being opened when the drain begins are ended as well. */
static void readers_who_come_with_the_end_are_sent_away(void **state)
{
    struct database *database = *state;
    struct served served;
    struct ending ending = {.served = &served};
    struct waiting waiting;
    struct line line;
    struct reading watching = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct reading logs = watching;
    Besom__V1__WatchSweepRequest watch_request = BESOM__V1__WATCH_SWEEP_REQUEST__INIT;
    Besom__V1__ReadLogsRequest logs_request = BESOM__V1__READ_LOGS_REQUEST__INIT;
    besom_stream *streams[2];
    besom_error error;
    char run_id[9];
    fixture_sweep(database, (struct sweep_options){.sweep_id = OTHER, .exhausted = true});
    served_start(&served, database, 1, (struct controller_options){.claim_poll_ms = 60000});
    served_acquire(&served, 0, run_id);
    line_open(&line, &served, run_id);
    struct locks *locks =
        locks_take(database, "LOCK TABLE besom.sweep_specs, besom.runs IN ACCESS EXCLUSIVE MODE");
    watch_request.sweep_id = OTHER;
    assert_int_equal(
        besom_sweep_watch(served.client, &watch_request, &reading_handler, &watching, &streams[0], &error),
        BESOM_OK);
    logs_request.sweep_id = SWEEP;
    logs_request.run_id = run_id;
    logs_request.follow = true;
    assert_int_equal(
        besom_run_logs(served.client, &logs_request, &reading_handler, &logs, &streams[1], &error), BESOM_OK);
    await_number(database, WAITING_READERS, 2);
    waiting_start(&waiting, database, end, &ending);
    line_await(&line, &line.closed, 1);
    line_free(&line);
    locks_release(locks);
    end_reading(&watching, streams[0]);
    end_reading(&logs, streams[1]);
    waiting_join(&waiting);
    assert_true(ending.shutdown_ms < GRACE_MS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(batches_under_way_are_stored_at_the_end, database_make,
                                        database_drop),
        cmocka_unit_test_setup_teardown(readers_who_come_with_the_end_are_sent_away, database_make,
                                        database_drop),
        cmocka_unit_test_setup_teardown(a_caller_that_is_served_at_the_end_is_answered, database_make,
                                        database_drop),
    };
    return cmocka_run_group_tests(tests, served_begin_process, served_end_process);
}
