// SPDX-License-Identifier: GPL-3.0-or-later
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"

static int64_t take(struct session *session, const char *owner, int64_t hold_ms, bool expected)
{
    bool taken;
    int64_t epoch;
    assert_ok(store_take_refill(session_tx(session), SWEEP, owner, hold_ms, &taken, &epoch, &test_err));
    assert_int_equal(taken, expected);
    assert_ok(session_commit(session));
    return epoch;
}

static enum status insert(struct session *session, const char *owner, int64_t epoch, int64_t first, int count,
                          bool exhausted, int64_t *inserted)
{
    struct store_tx *tx = session_tx(session);
    return store_insert_runs(tx, SWEEP, owner, epoch, 1, 0, true,
                             fixture_runs(store_tx_arena(tx), first, count), (size_t)count, exhausted,
                             inserted, &test_err);
}

static void one_request_is_one_sweep(void **state)
{
    struct database *database = *state;
    struct session *session = session_open(database);
    struct store_sweep_new sweep = {.sweep_id = SWEEP,
                                    .project = "p",
                                    .name = "n",
                                    .method = "grid",
                                    .spec_json = "{\"a\":1}",
                                    .request_id = "request",
                                    .source = "",
                                    .seed = 1};
    const char *existing;
    struct store_spec spec;
    struct store_sweep read;
    assert_ok(store_create_sweep(session_tx(session), &sweep, &existing, &test_err));
    assert_null(existing);
    assert_ok(session_commit(session));
    sweep.sweep_id = "sweep002";
    assert_ok(store_create_sweep(session_tx(session), &sweep, &existing, &test_err));
    assert_string_equal(existing, SWEEP);
    sweep.sweep_id = SWEEP;
    sweep.request_id = "another";
    assert_status(STATUS_ALREADY_EXISTS,
                  store_create_sweep(session_tx(session), &sweep, &existing, &test_err));
    assert_ok(store_get_spec(session_tx(session), SWEEP, 1, &spec, &test_err));
    assert_string_equal(spec.json, "{\"a\":1}");
    assert_int_equal(spec.first_ordinal, 0);
    assert_status(STATUS_NOT_FOUND, store_get_spec(session_tx(session), SWEEP, 2, &spec, &test_err));
    assert_ok(store_get_sweep(session_tx(session), SWEEP, false, &read, &test_err));
    assert_string_equal(read.state, "pending");
    assert_string_equal(read.metric, "");
    assert_false(read.has_grid_count);
    assert_true(read.created_us > INT64_C(1700000000000000));
    assert_int_equal(read.ended_us, 0);
    assert_status(STATUS_NOT_FOUND, store_get_sweep(session_tx(session), "nosweep0", true, &read, &test_err));
    session_close(session);
}

struct create_call {
    struct session *session;
    struct store_sweep_new sweep;
    const char *existing;
    enum status status;
};

static void create_there(void *context)
{
    struct create_call *call = context;
    call->status = store_create_sweep(session_tx(call->session), &call->sweep, &call->existing, NULL);
}

static void one_request_from_two_sessions_is_one_sweep(void **state)
{
    struct database *database = *state;
    struct session *a = session_open(database);
    struct create_call call = {.session = session_open(database),
                               .sweep = {.sweep_id = "sweep002",
                                         .project = "p",
                                         .name = "n",
                                         .method = "grid",
                                         .spec_json = "{}",
                                         .request_id = "request",
                                         .source = ""}};
    struct store_sweep_new first = call.sweep;
    struct waiting waiting;
    const char *existing;
    first.sweep_id = SWEEP;
    assert_ok(store_create_sweep(session_tx(a), &first, &existing, &test_err));
    waiting_start(&waiting, database, create_there, &call);
    assert_ok(session_commit(a));
    waiting_join(&waiting);
    assert_int_equal(call.status, STATUS_CONFLICT);
    session_rollback(call.session);
    create_there(&call);
    assert_ok(call.status);
    assert_string_equal(call.existing, SWEEP);
    session_close(a);
    session_close(call.session);
}

static void sweeps_are_listed_in_pages(void **state)
{
    struct database *database = *state;
    static const char *const IDS[] = {"sweep00a", "sweep00b", "sweep00c"};
    for (size_t i = 0; i < ARRAY_LEN(IDS); i++)
        fixture_sweep(database, (struct sweep_options){.sweep_id = IDS[i]});
    struct session *session = session_open(database);
    struct store_sweep *page;
    size_t count;
    assert_ok(store_list_sweeps(session_tx(session), "tests", NULL, 0, NULL, 2, &page, &count, &test_err));
    assert_int_equal(count, 2);
    assert_string_equal(page[0].sweep_id, "sweep00c");
    assert_ok(store_list_sweeps(session_tx(session), "", NULL, page[1].created_us, page[1].sweep_id, 2, &page,
                                &count, &test_err));
    assert_int_equal(count, 1);
    assert_string_equal(page[0].sweep_id, "sweep00a");
    assert_ok(store_list_sweeps(session_tx(session), "other", NULL, 0, NULL, 2, &page, &count, &test_err));
    assert_int_equal(count, 0);
    assert_ok(store_set_sweep_state(session_tx(session), "sweep00a", "canceled", "", &test_err));
    assert_ok(store_list_live_sweeps(session_tx(session), &page, &count, &test_err));
    assert_int_equal(count, 2);
    assert_status(STATUS_NOT_FOUND,
                  store_set_sweep_state(session_tx(session), "nosweep0", "running", "", &test_err));
    session_close(session);
}

static void a_refill_has_one_owner(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){0});
    struct session *session = session_open(database);
    int64_t inserted;
    assert_int_equal(take(session, "a", LEASE_MS, true), 1);
    assert_int_equal(take(session, "a", LEASE_MS, true), 1);
    take(session, "b", LEASE_MS, false);
    assert_int_equal(take(session, "a", -1000, true), 1); /* given up */
    assert_int_equal(take(session, "b", LEASE_MS, true), 2);
    assert_status(STATUS_CONFLICT, insert(session, "a", 1, 0, 3, false, &inserted));
    assert_ok(insert(session, "b", 2, 0, 3, false, &inserted));
    assert_int_equal(inserted, 3);
    assert_ok(session_commit(session));
    assert_status(STATUS_CONFLICT, insert(session, "b", 2, 0, 3, false, &inserted));
    assert_status(STATUS_CONFLICT, insert(session, "b", 2, 4, 3, false, &inserted));
    assert_ok(store_set_sweep_state(session_tx(session), SWEEP, "paused", "", &test_err));
    assert_status(STATUS_CONFLICT, insert(session, "b", 2, 3, 3, false, &inserted));
    session_close(session);
}

static void the_cap_counts_runs(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.run_cap = 5, .runs = 3});
    struct session *session = session_open(database);
    struct store_refill_need *needs;
    size_t count;
    int64_t epoch = take(session, "a", LEASE_MS, true), inserted;
    assert_ok(store_list_refill_needs(session_tx(session), 10, &needs, &count, &test_err));
    assert_int_equal(count, 1);
    assert_int_equal(needs[0].queued, 3);
    assert_int_equal(needs[0].room, 2);
    assert_int_equal(needs[0].next_ordinal, 3);
    assert_ok(store_list_refill_needs(session_tx(session), 3, &needs, &count, &test_err));
    assert_int_equal(count, 0);
    assert_ok(insert(session, "a", epoch, 3, 10, true, &inserted));
    assert_int_equal(inserted, 2);
    assert_ok(session_commit(session));
    assert_int_equal(database_number(database->url, "SELECT next_ordinal FROM besom.sweeps"), 5);
    assert_int_equal(database_number(database->url, "SELECT exhausted::integer FROM besom.sweeps"), 0);
    assert_ok(store_list_refill_needs(session_tx(session), 10, &needs, &count, &test_err));
    assert_int_equal(count, 0);
    assert_ok(insert(session, "a", epoch, 5, 10, false, &inserted));
    assert_int_equal(inserted, 0);
    session_close(session);
}

static void a_known_configuration_is_skipped(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 2});
    struct session *session = session_open(database);
    struct store_tx *tx = session_tx(session);
    int64_t epoch = take(session, "a", LEASE_MS, true), inserted;
    struct store_new_run *runs = fixture_runs(store_tx_arena(tx), 2, 3);
    runs[1].config_hash = fixture_runs(store_tx_arena(tx), 1, 1)->config_hash;
    assert_ok(store_insert_runs(tx, SWEEP, "a", epoch, 1, 0, true, runs, 3, true, &inserted, &test_err));
    assert_int_equal(inserted, 2);
    assert_ok(session_commit(session));
    assert_int_equal(database_number(database->url, "SELECT next_ordinal FROM besom.sweeps"), 5);
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.suggestions"), 4);
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.runs WHERE ordinal = 3"), 0);
    assert_status(STATUS_PRECONDITION, insert(session, "a", epoch, 5, 1, false, &inserted));
    session_close(session);
}

struct insert_call {
    struct session *session;
    int64_t epoch, inserted;
    enum status status;
};

static void insert_there(void *context)
{
    struct insert_call *call = context;
    struct store_tx *tx = session_tx(call->session);
    call->status = store_insert_runs(tx, SWEEP, "a", call->epoch, 1, 0, true,
                                     fixture_runs(store_tx_arena(tx), 0, 4), 4, false, &call->inserted, NULL);
}

static void two_inserts_never_exceed_the_cap(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.run_cap = 4});
    struct session *a = session_open(database);
    struct insert_call call = {.session = session_open(database)};
    struct waiting waiting;
    int64_t inserted;
    call.epoch = take(a, "a", LEASE_MS, true);
    assert_ok(insert(a, "a", call.epoch, 0, 4, false, &inserted));
    waiting_start(&waiting, database, insert_there, &call);
    assert_ok(session_commit(a));
    waiting_join(&waiting);
    assert_int_equal(call.status, STATUS_CONFLICT); /* the ordinal has moved on */
    session_rollback(call.session);
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.runs"), 4);
    session_close(a);
    session_close(call.session);
}

static void an_insert_that_waited_sees_the_pause(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){0});
    struct session *a = session_open(database);
    struct insert_call call = {.session = session_open(database)};
    struct waiting waiting;
    call.epoch = take(a, "a", LEASE_MS, true);
    assert_ok(store_set_sweep_state(session_tx(a), SWEEP, "paused", "", &test_err));
    waiting_start(&waiting, database, insert_there, &call);
    assert_ok(session_commit(a));
    waiting_join(&waiting);
    assert_int_equal(call.status, STATUS_CONFLICT);
    session_close(a);
    session_close(call.session);
}

static void idle_sweeps_end(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 1, .agents = 1, .exhausted = true});
    fixture_sweep(database, (struct sweep_options){.sweep_id = "sweep002"});
    struct session *session = session_open(database);
    const char **ended;
    size_t count;
    assert_ok(store_finish_idle_sweeps(session_tx(session), &ended, &count, &test_err));
    assert_int_equal(count, 0);
    struct store_claim claim = fixture_start_run(session, "agent0");
    assert_ok(store_finish_idle_sweeps(session_tx(session), &ended, &count, &test_err));
    assert_int_equal(count, 0);
    fixture_finish(session, fixture_end(&claim, "agent0", "finished"));
    assert_ok(store_finish_idle_sweeps(session_tx(session), &ended, &count, &test_err));
    assert_int_equal(count, 1);
    assert_string_equal(ended[0], SWEEP);
    struct store_sweep sweep;
    assert_ok(store_get_sweep(session_tx(session), SWEEP, false, &sweep, &test_err));
    assert_string_equal(sweep.state, "finished");
    assert_true(sweep.started_us > 0 && sweep.ended_us > 0);
    assert_ok(store_set_sweep_state(session_tx(session), SWEEP, "running", "resumed", &test_err));
    assert_ok(store_get_sweep(session_tx(session), SWEEP, false, &sweep, &test_err));
    assert_int_equal(sweep.ended_us, 0);
    session_close(session);
}

static void runs_are_read_in_orders(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 4, .agents = 1, .maximize = true});
    struct session *session = session_open(database);
    static const double VALUES[] = {1, 3, 2};
    for (int i = 0; i < 3; i++) {
        struct store_claim claim = fixture_claim(session, "agent0", 0, i);
        struct store_attempt attempt = {.sweep_id = SWEEP, .run_id = claim.run_id, .attempt = 1};
        assert_ok(store_lock_attempts(session_tx(session), &attempt, 1, &test_err));
        attempt.has_best = true;
        attempt.best_value = VALUES[i];
        assert_ok(store_save_attempts(session_tx(session), &attempt, 1, LEASE_MS, &test_err));
        struct store_finish end = fixture_end(&claim, "agent0", "finished");
        end.has_objective = true;
        if (i < 2) /* the third is live: its best so far counts */
            fixture_finish(session, end);
    }
    struct store_run *runs, best;
    size_t count;
    int64_t recent;
    assert_ok(
        store_list_runs(session_tx(session), SWEEP, "", STORE_BY_OBJECTIVE, 0, 10, &runs, &count, &test_err));
    assert_int_equal(count, 3);
    assert_string_equal(runs[0].run_id, "run00001");
    assert_string_equal(runs[1].run_id, "run00002");
    assert_ok(store_list_runs(session_tx(session), SWEEP, "pending,finished", STORE_BY_ORDINAL, 1, 10, &runs,
                              &count, &test_err));
    assert_int_equal(count, 2);
    assert_string_equal(runs[0].run_id, "run00001");
    assert_string_equal(runs[0].host, "host");
    assert_string_equal(runs[1].run_id, "run00003");
    assert_ok(
        store_list_runs(session_tx(session), SWEEP, "", STORE_BY_NEWEST, 0, 1, &runs, &count, &test_err));
    assert_int_equal(count, 1);
    assert_ok(store_get_best_run(session_tx(session), SWEEP, &best, &test_err));
    assert_string_equal(best.run_id, "run00001");
    assert_ok(store_count_recent_ends(session_tx(session), SWEEP, &recent, &test_err));
    assert_int_equal(recent, 2);
    assert_ok(store_get_run(session_tx(session), "", "run00002", &best, &test_err));
    assert_string_equal(best.sweep_id, SWEEP);
    assert_status(STATUS_NOT_FOUND, store_get_run(session_tx(session), SWEEP, "nothing", &best, &test_err));
    assert_ok(session_commit(session));
    fixture_sweep(database, (struct sweep_options){.sweep_id = "sweep002", .runs = 1});
    assert_status(STATUS_ALREADY_EXISTS,
                  store_get_run(session_tx(session), "", "run00000", &best, &test_err));
    assert_status(STATUS_NOT_FOUND, store_get_best_run(session_tx(session), "sweep002", &best, &test_err));
    session_close(session);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, database_make, database_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(one_request_is_one_sweep),
        CASE(one_request_from_two_sessions_is_one_sweep),
        CASE(sweeps_are_listed_in_pages),
        CASE(a_refill_has_one_owner),
        CASE(the_cap_counts_runs),
        CASE(a_known_configuration_is_skipped),
        CASE(two_inserts_never_exceed_the_cap),
        CASE(an_insert_that_waited_sees_the_pause),
        CASE(idle_sweeps_end),
        CASE(runs_are_read_in_orders),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
