// SPDX-License-Identifier: GPL-3.0-or-later
/* Sweeps that learn: what a result made stale is not handed out, and dropped; its ordinals are used again. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"

/* A sweep that learns, with runs prepared at cursor 0. */
static struct session *open_learning(struct database *database, struct sweep_options options)
{
    int runs = options.runs;
    bool exhausted = options.exhausted;
    options.runs = 0;
    options.exhausted = false;
    options.agents = 4;
    fixture_sweep(database, options);
    database_execute(database->url, "UPDATE besom.sweeps SET learns = true, method = 'bayes'");
    struct session *session = session_open(database);
    struct store_tx *tx = session_tx(session);
    bool taken;
    int64_t epoch, inserted;
    assert_ok(store_take_refill(tx, SWEEP, "a", LEASE_MS, &taken, &epoch, &test_err));
    assert_ok(store_insert_runs(tx, SWEEP, "a", epoch, 1, 0, false, fixture_runs(store_tx_arena(tx), 0, runs),
                                (size_t)runs, exhausted, &inserted, &test_err));
    assert_int_equal(inserted, runs);
    assert_ok(session_commit(session));
    return session;
}

static int64_t epoch_now(struct database *database)
{
    return database_number(database->url, "SELECT epoch FROM besom.sweep_refills");
}

static struct store_queue drop(struct database *database, struct session *session)
{
    struct store_queue queue;
    assert_ok(store_drop_stale_runs(session_tx(session), SWEEP, "a", epoch_now(database), &queue, &test_err));
    return queue;
}

/* Claims with this agent and ends; commits. */
static void one_result(struct session *session, const char *agent_id)
{
    struct store_claim claim = fixture_start_run(session, agent_id);
    fixture_finish(session, fixture_end(&claim, agent_id, "finished"));
    assert_ok(session_commit(session));
}

static void a_stale_run_is_not_handed_out(void **state)
{
    struct database *database = *state;
    struct session *session = open_learning(database, (struct sweep_options){.runs = 3});
    struct store_refill_need *needs;
    size_t count;
    one_result(session, "agent0");
    assert_int_equal(fixture_claim(session, "agent1", 0, 1).verdict, STORE_CLAIM_NONE);
    assert_ok(store_list_refill_needs(session_tx(session), 10, &needs, &count, &test_err));
    assert_int_equal(count, 1);
    assert_true(needs[0].learns);
    assert_int_equal(needs[0].stale, 2);
    assert_int_equal(needs[0].queued, 0);
    session_close(session);
}

/* Where the model learns from rung values, these make runs stale and results do not. */
static void a_rung_value_makes_stale_who_learns_from_them(void **state)
{
    struct database *database = *state;
    struct session *session = open_learning(database, (struct sweep_options){.runs = 3});
    struct store_refill_need *needs;
    size_t count;
    database_execute(database->url, "UPDATE besom.sweeps SET learns_rungs = true");
    one_result(session, "agent0");
    assert_int_equal(fixture_claim(session, "agent1", 0, 1).verdict, STORE_CLAIM_RUN);
    assert_ok(session_commit(session));
    database_execute(database->url, "UPDATE besom.sweep_counters SET rung_values = 5");
    assert_int_equal(fixture_claim(session, "agent2", 0, 1).verdict, STORE_CLAIM_NONE);
    assert_ok(store_list_refill_needs(session_tx(session), 10, &needs, &count, &test_err));
    assert_int_equal(count, 1);
    assert_int_equal(needs[0].stale, 1);
    assert_int_equal(needs[0].result_cursor, 5);
    struct store_queue queue = drop(database, session);
    assert_int_equal(queue.dropped, 1);
    assert_int_equal(queue.result_cursor, 5);
    session_close(session);
}

static void what_was_handed_out_once_stays(void **state)
{
    struct database *database = *state;
    struct session *session = open_learning(database, (struct sweep_options){.runs = 3});
    struct store_claim first = fixture_claim(session, "agent0", 0, 1);
    assert_ok(session_commit(session));
    one_result(session, "agent1");
    struct store_finish lost = fixture_end(&first, "agent0", "crashed");
    lost.may_retry = true;
    assert_true(fixture_finish(session, lost).requeued);
    struct store_queue queue = drop(database, session);
    assert_int_equal(queue.dropped, 1);
    assert_int_equal(queue.queued, 1);
    assert_int_equal(queue.next_ordinal, 2);
    assert_int_equal(queue.result_cursor, 1);
    struct store_claim again = fixture_claim(session, "agent2", 0, 1);
    assert_int_equal(again.verdict, STORE_CLAIM_RUN);
    assert_string_equal(again.run_id, first.run_id);
    session_close(session);
}

static void a_drop_gives_room_and_ordinals_back(void **state)
{
    struct database *database = *state;
    struct session *session =
        open_learning(database, (struct sweep_options){.runs = 4, .run_cap = 4, .exhausted = true});
    const char **ended;
    size_t count;
    one_result(session, "agent0");
    struct store_queue queue = drop(database, session);
    assert_int_equal(queue.dropped, 3);
    assert_int_equal(queue.next_ordinal, 1);
    assert_int_equal(queue.room, 3);
    assert_false(queue.exhausted);
    assert_ok(session_commit(session));
    assert_int_equal(database_number(database->url, "SELECT prepared FROM besom.sweeps"), 1);
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.suggestions"), 1);
    assert_ok(store_finish_idle_sweeps(session_tx(session), &ended, &count, &test_err));
    assert_int_equal(count, 0); /* there is room again */
    queue = drop(database, session);
    assert_int_equal(queue.dropped, 0);
    assert_int_equal(queue.next_ordinal, 1);
    session_close(session);
}

static void there_is_room_for_as_many_as_may_run(void **state)
{
    struct database *database = *state;
    struct session *session = open_learning(database, (struct sweep_options){.runs = 3, .run_cap = 9});
    (void)fixture_claim(session, "agent0", 0, 1);
    assert_ok(session_commit(session));
    assert_int_equal(drop(database, session).room, 6);
    assert_ok(session_commit(session));
    database_execute(database->url, "UPDATE besom.sweeps SET concurrency = 4");
    assert_int_equal(drop(database, session).room, 3);
    assert_ok(session_commit(session));
    database_execute(database->url, "UPDATE besom.sweeps SET concurrency = 1");
    assert_int_equal(drop(database, session).room, 1); /* one ahead */
    session_close(session);
}

static void a_gap_stays_a_gap(void **state)
{
    struct database *database = *state;
    struct session *session = open_learning(database, (struct sweep_options){.runs = 4});
    struct session *other = session_open(database);
    database_execute(database->url, "UPDATE besom.sweeps SET state = 'running'");
    /* The first run is locked while another caller takes the second; then it is free again. */
    (void)fixture_claim(other, "agent1", 0, 1);
    struct store_claim second = fixture_claim(session, "agent0", 0, 1);
    assert_string_equal(second.run_id, "run00001");
    assert_ok(session_commit(session));
    session_rollback(other);
    fixture_finish(session, fixture_end(&second, "agent0", "finished"));
    assert_ok(session_commit(session));
    struct store_queue queue = drop(database, session);
    assert_int_equal(queue.dropped, 3);
    assert_int_equal(queue.next_ordinal, 2);
    session_close(session);
    session_close(other);
}

static void kept_runs_bear_some_results(void **state)
{
    struct database *database = *state;
    struct session *session = open_learning(database, (struct sweep_options){.runs = 4});
    one_result(session, "agent0");
    assert_ok(store_keep_runs(session_tx(session), SWEEP, 1, 1, &test_err));
    assert_ok(session_commit(session));
    one_result(session, "agent1");
    one_result(session, "agent2");
    assert_int_equal(fixture_claim(session, "agent3", 0, 1).verdict, STORE_CLAIM_NONE);
    session_close(session);
}

static void only_the_owner_drops(void **state)
{
    struct database *database = *state;
    struct session *session = open_learning(database, (struct sweep_options){.runs = 2});
    struct store_queue queue;
    bool taken;
    int64_t epoch = epoch_now(database), later;
    assert_ok(store_release_refill(session_tx(session), SWEEP, "b", &test_err));
    assert_ok(store_take_refill(session_tx(session), SWEEP, "b", LEASE_MS, &taken, &later, &test_err));
    assert_false(taken);
    assert_ok(store_release_refill(session_tx(session), SWEEP, "a", &test_err));
    assert_ok(store_take_refill(session_tx(session), SWEEP, "b", LEASE_MS, &taken, &later, &test_err));
    assert_true(taken);
    assert_true(later > epoch);
    assert_status(STATUS_CONFLICT,
                  store_drop_stale_runs(session_tx(session), SWEEP, "a", epoch, &queue, &test_err));
    session_close(session);
}

/* ---- two sessions ---- */

struct call {
    struct database *database;
    struct session *session;
    struct store_queue queue;
    struct store_claim claim;
    int64_t epoch;
    enum status status;
};

static void drop_there(void *context)
{
    struct call *call = context;
    call->status =
        store_drop_stale_runs(session_tx(call->session), SWEEP, "a", call->epoch, &call->queue, NULL);
}

static void claim_there(void *context)
{
    struct call *call = context;
    call->claim = fixture_claim(call->session, "agent3", 0, 1);
}

/* A claim begins before the result is there and commits after the drop began: the run is the caller's. */
static void a_claim_under_way_beats_the_drop(void **state)
{
    struct database *database = *state;
    struct session *a = open_learning(database, (struct sweep_options){.runs = 4});
    struct session *b = session_open(database);
    struct call call = {.database = database, .session = session_open(database)};
    struct waiting waiting;
    call.epoch = epoch_now(database);
    struct store_claim first = fixture_start_run(a, "agent0");
    struct store_claim second = fixture_claim(b, "agent1", 0, 1);
    assert_int_equal(second.verdict, STORE_CLAIM_RUN);
    fixture_finish(a, fixture_end(&first, "agent0", "finished"));
    assert_ok(session_commit(a));
    waiting_start(&waiting, database, drop_there, &call);
    assert_ok(session_commit(b));
    waiting_join(&waiting);
    assert_ok(call.status);
    assert_int_equal(call.queue.dropped, 2);
    assert_int_equal(call.queue.next_ordinal, 2);
    assert_ok(session_commit(call.session));
    assert_int_equal(database_number(database->url, "SELECT prepared FROM besom.sweeps"), 2);
    assert_int_equal(
        database_number(database->url, "SELECT count(*) FROM besom.runs WHERE state = 'assigned'"), 1);
    session_close(a);
    session_close(b);
    session_close(call.session);
}

static void a_claim_that_waited_for_the_drop_gets_nothing_stale(void **state)
{
    struct database *database = *state;
    struct session *a = open_learning(database, (struct sweep_options){.runs = 4});
    struct call call = {.database = database, .session = session_open(database)};
    struct waiting waiting;
    one_result(a, "agent0");
    assert_int_equal(drop(database, a).dropped, 3);
    waiting_start(&waiting, database, claim_there, &call);
    assert_ok(session_commit(a));
    waiting_join(&waiting);
    assert_int_equal(call.claim.verdict, STORE_CLAIM_NONE);
    session_close(a);
    session_close(call.session);
}

/* The suggestion was asked for before a result that is stored before the insert: stale from the start. */
static void an_insert_behind_a_result_is_stale(void **state)
{
    struct database *database = *state;
    struct session *session = open_learning(database, (struct sweep_options){.runs = 1});
    int64_t inserted;
    one_result(session, "agent0");
    struct store_tx *tx = session_tx(session);
    assert_ok(store_insert_runs(tx, SWEEP, "a", epoch_now(database), 1, 0, false,
                                fixture_runs(store_tx_arena(tx), 1, 1), 1, false, &inserted, &test_err));
    assert_ok(session_commit(session));
    assert_int_equal(fixture_claim(session, "agent1", 0, 1).verdict, STORE_CLAIM_NONE);
    assert_int_equal(drop(database, session).next_ordinal, 1);
    session_close(session);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, database_make, database_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_stale_run_is_not_handed_out),        CASE(a_rung_value_makes_stale_who_learns_from_them),
        CASE(what_was_handed_out_once_stays),       CASE(a_drop_gives_room_and_ordinals_back),
        CASE(there_is_room_for_as_many_as_may_run), CASE(a_gap_stays_a_gap),
        CASE(kept_runs_bear_some_results),          CASE(only_the_owner_drops),
        CASE(a_claim_under_way_beats_the_drop),     CASE(a_claim_that_waited_for_the_drop_gets_nothing_stale),
        CASE(an_insert_behind_a_result_is_stale),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
