// SPDX-License-Identifier: GPL-3.0-or-later
/* A user's order to stop holds, whatever happens to the run and its agent meanwhile. */
#include "controller_fixture.h"

#include <stdlib.h>

#include "services/controller/claim.h"

static struct served served;

struct stopping {
    const char *run_id;
    besom_status code;
};

static void stop_run(void *context)
{
    struct stopping *stopping = context;
    Besom__V1__StopRunRequest request = BESOM__V1__STOP_RUN_REQUEST__INIT;
    Besom__V1__StopRunResponse *response;
    besom_error error;
    request.sweep_id = SWEEP;
    request.run_id = (char *)(uintptr_t)stopping->run_id;
    stopping->code = besom_run_stop(served.client, &request, &response, &error);
    besom_message_free(response);
}

static void assert_run(struct database *database, const char *expected)
{
    char *found = database_text(database->url, "SELECT state || ' ' || end_reason FROM besom.runs");
    assert_string_equal(found, expected);
    free(found);
}

/* The run is handed out while the order waits for its row. */
static void a_run_that_is_just_handed_out_is_stopped(void **state)
{
    struct database *database = *state;
    struct stopping stopping = {.run_id = "run00000"};
    struct waiting waiting;
    served_start(&served, database, 1, (struct controller_options){.lease_ms = 0});
    struct session *session = session_open(database);
    assert_int_equal(fixture_claim(session, AGENT, 0, 0).verdict, STORE_CLAIM_RUN);
    waiting_start(&waiting, database, stop_run, &stopping);
    assert_ok(session_commit(session));
    waiting_join(&waiting);
    session_close(session);
    assert_int_equal(stopping.code, BESOM_OK);
    assert_int_equal(
        database_number(database->url, "SELECT count(*) FROM besom.directives WHERE kind = 'stop_user'"), 1);
    served_stop(&served);
}

/* A call and its answer must fit on a machine that is busy. */
static const struct controller_options impatient = {.lease_ms = 400, .renew_ms = 200, .lost_after_ms = 1500};

/* Its agent died before it could obey. */
static void a_stopped_run_that_is_lost_does_not_come_back(void **state)
{
    struct database *database = *state;
    char run_id[9];
    struct stopping stopping = {.run_id = run_id};
    struct line line;
    served_start(&served, database, 1, impatient);
    served_acquire(&served, 0, run_id);
    line_open(&line, &served, run_id);
    stop_run(&stopping);
    assert_int_equal(stopping.code, BESOM_OK);
    line_await(&line, &line.directives, 1);
    line_free(&line);
    await_number(database, "SELECT count(*) FROM besom.runs WHERE ended_at IS NOT NULL", 1);
    assert_run(database, "killed user");
    served_stop(&served);
}

/* Its agent died before it had started it. */
static void a_stopped_run_that_never_started_does_not_come_back(void **state)
{
    struct database *database = *state;
    char run_id[9];
    struct stopping stopping = {.run_id = run_id};
    served_start(&served, database, 1, impatient);
    served_acquire(&served, 0, run_id);
    stop_run(&stopping);
    assert_int_equal(stopping.code, BESOM_OK);
    await_number(database, "SELECT count(*) FROM besom.runs WHERE ended_at IS NOT NULL", 1);
    assert_run(database, "killed user");
    served_stop(&served);
}

/* A silent run is given up; its next value, on the same stream, brings it back and counts. */
static void a_value_of_a_lost_run_counts(void **state)
{
    struct database *database = *state;
    char run_id[9];
    struct line line;
    served_start(&served, database, 1, impatient);
    served_acquire(&served, 0, run_id);
    line_open(&line, &served, run_id);
    line_send_value(&line, 1, 5.0);
    line_await(&line, &line.acks, 1);
    await_number(database, "SELECT count(*) FROM besom.run_attempts WHERE end_reason = 'lost'", 1);
    line_send_value(&line, 2, 0.5);
    line_await(&line, &line.closed, 1);
    assert_int_equal(line.end, BESOM_UNAVAILABLE);
    assert_int_equal(line.last_ack, 1);
    line_free(&line);
    line_open(&line, &served, run_id);
    line_send_value(&line, 2, 0.5);
    line_await(&line, &line.acks, 1);
    assert_int_equal(line.last_ack, 2);
    line_free(&line);
    await_number(database, "SELECT metric_rows FROM besom.run_attempts WHERE best_value = 0.5", 2);
    served_stop(&served);
}

/* What a superseded attempt still sends is stored, and changes nothing of the run. */
static void late_values_change_nothing(void **state)
{
    struct database *database = *state;
    char run_id[9];
    struct line line;
    served_start(&served, database, 1, impatient);
    served_acquire(&served, 0, run_id);
    line_open(&line, &served, run_id);
    line_send_value(&line, 1, 5.0);
    line_await(&line, &line.acks, 1);
    await_number(database, "SELECT count(*) FROM besom.run_attempts WHERE end_reason = 'lost'", 1);
    line_free(&line);
    served_acquire(&served, 1, run_id);
    line_open(&line, &served, run_id);
    line_send_value(&line, 2, 0.5);
    line_await(&line, &line.acks, 1);
    assert_int_equal(line.last_ack, 2);
    line_free(&line);
    /* The first attempt has ended: its value may have been packed. */
    assert_int_equal(database_number(database->url,
                                     "SELECT (SELECT coalesce(sum(points), 0) FROM besom.metric_inbox) + "
                                     "(SELECT coalesce(sum(points), 0) FROM besom.metric_chunks)"),
                     2);
    assert_int_equal(database_number(database->url,
                                     "SELECT count(*) FROM besom.run_attempts WHERE best_value = 5 "
                                     "AND metric_rows = 1 AND bands_reached = 1 AND next_step = 2"),
                     2);
    assert_int_equal(database_number(database->url, "SELECT points FROM besom.run_summaries"), 1);
    assert_int_equal(database_number(database->url, "SELECT objective FROM besom.shown_runs"), 5);
    served_stop(&served);
}

#define CALLERS 800

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int answers, exits; /* lock */
} crowd = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void count_answer(void *context, const void *response, const besom_error *error)
{
    const Besom__V1__AcquireRunResponse *answer = response;
    (void)context;
    (void)error;
    pthread_mutex_lock(&crowd.lock);
    crowd.answers++;
    crowd.exits += answer != NULL && answer->verdict_case == BESOM__V1__ACQUIRE_RUN_RESPONSE__VERDICT_EXIT;
    pthread_cond_broadcast(&crowd.changed);
    pthread_mutex_unlock(&crowd.lock);
}

/* They take more than one transaction, while the other claim thread looks for those whose time is over. */
static void all_who_wait_leave_a_canceled_sweep(void **state)
{
    struct database *database = *state;
    Besom__V1__AcquireRunRequest request = BESOM__V1__ACQUIRE_RUN_REQUEST__INIT;
    Besom__V1__ChangeSweepRequest change = BESOM__V1__CHANGE_SWEEP_REQUEST__INIT;
    Besom__V1__ChangeSweepResponse *response;
    besom_error error;
    char run_id[9];
    served_start(&served, database, 1, (struct controller_options){.claim_poll_ms = 10});
    served_acquire(&served, 0, run_id);
    request.sweep_id = change.sweep_id = SWEEP;
    request.agent_id = AGENT;
    request.wait_ms = 50000;
    for (request.slot = 1; request.slot <= CALLERS; request.slot++)
        besom_call_free(besom_run_acquire_async(served.client, &request, 60000, count_answer, NULL));
    while (claims_count(served.controller.claims, SWEEP) < CALLERS)
        continue;
    change.action = BESOM__V1__SWEEP_ACTION__SWEEP_ACTION_CANCEL;
    assert_int_equal(besom_sweep_change(served.client, &change, &response, &error), BESOM_OK);
    besom_message_free(response);
    pthread_mutex_lock(&crowd.lock);
    while (crowd.answers < CALLERS)
        pthread_cond_wait(&crowd.changed, &crowd.lock);
    pthread_mutex_unlock(&crowd.lock);
    assert_int_equal(crowd.exits, CALLERS);
    served_stop(&served);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_run_that_is_just_handed_out_is_stopped, database_make,
                                        database_drop),
        cmocka_unit_test_setup_teardown(a_stopped_run_that_is_lost_does_not_come_back, database_make,
                                        database_drop),
        cmocka_unit_test_setup_teardown(a_stopped_run_that_never_started_does_not_come_back, database_make,
                                        database_drop),
        cmocka_unit_test_setup_teardown(a_value_of_a_lost_run_counts, database_make, database_drop),
        cmocka_unit_test_setup_teardown(late_values_change_nothing, database_make, database_drop),
        cmocka_unit_test_setup_teardown(all_who_wait_leave_a_canceled_sweep, database_make, database_drop),
    };
    return cmocka_run_group_tests(tests, served_begin_process, served_end_process);
}
