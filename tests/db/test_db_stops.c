// SPDX-License-Identifier: GPL-3.0-or-later
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"

static int64_t take(struct session *session, const char *owner, int64_t hold_ms, bool expected,
                    int64_t *decided)
{
    bool taken;
    int64_t epoch;
    assert_ok(
        store_take_decider(session_tx(session), SWEEP, owner, hold_ms, &taken, &epoch, decided, &test_err));
    assert_int_equal(taken, expected);
    assert_ok(session_commit(session));
    return epoch;
}

static struct store_rung_value rung(const char *run_id, int band_index)
{
    return (struct store_rung_value){.sweep_id = SWEEP,
                                     .run_id = run_id,
                                     .attempt = 1,
                                     .band_index = band_index,
                                     .band = 3,
                                     .value = 0.5,
                                     .best = 0.25};
}

static struct store_decision decision(const char *run_id, int64_t number, bool stop)
{
    return (struct store_decision){.sweep_id = SWEEP,
                                   .run_id = run_id,
                                   .rivals_json = "[]",
                                   .reason = "too slow",
                                   .number = number,
                                   .band = 3,
                                   .reached = 2,
                                   .attempt = 1,
                                   .value = 0.5,
                                   .compared = 0.5,
                                   .threshold = 0.25,
                                   .stop = stop};
}

static enum status record(struct session *session, const char *owner, int64_t epoch,
                          const struct store_decision *decisions, size_t count, int64_t *stops,
                          size_t *agents)
{
    const char **ids;
    return store_record_decisions(session_tx(session), SWEEP, owner, epoch, decisions, count, stops, &ids,
                                  agents, &test_err);
}

static void rung_values_are_numbered(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 2, .agents = 1});
    struct session *session = session_open(database);
    struct store_rung_value rows[] = {rung("run00001", 0), rung("run00000", 0)}, next = rung("run00000", 1);
    struct store_rung_value *read;
    const char **undecided;
    size_t count;
    assert_ok(store_add_rung_values(session_tx(session), rows, 2, &test_err));
    assert_int_equal(rows[0].number, 1);
    assert_int_equal(rows[1].number, 2);
    session_rollback(session);
    assert_ok(store_list_undecided(session_tx(session), &undecided, &count, &test_err));
    assert_int_equal(count, 0);
    assert_ok(store_add_rung_values(session_tx(session), rows, 2, &test_err));
    assert_ok(store_add_rung_values(session_tx(session), &next, 1, &test_err));
    assert_int_equal(next.number, 3);
    assert_ok(session_commit(session));
    assert_ok(store_list_rung_values(session_tx(session), SWEEP, 1, 10, &read, &count, &test_err));
    assert_int_equal(count, 2);
    assert_string_equal(read[0].run_id, "run00000");
    assert_true(read[0].value == 0.5 && read[0].best == 0.25);
    assert_ok(store_list_undecided(session_tx(session), &undecided, &count, &test_err));
    assert_int_equal(count, 1);
    assert_string_equal(undecided[0], SWEEP);
    session_close(session);
}

static void decisions_become_orders(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 2, .agents = 2});
    struct session *session = session_open(database);
    struct store_claim a = fixture_start_run(session, "agent0"), b = fixture_start_run(session, "agent1");
    struct store_rung_value rows[] = {rung(a.run_id, 0), rung(b.run_id, 0)};
    int64_t decided, stops;
    size_t agents, count;
    assert_ok(store_add_rung_values(session_tx(session), rows, 2, &test_err));
    assert_ok(session_commit(session));
    int64_t epoch = take(session, "scheduler", LEASE_MS, true, &decided);
    assert_int_equal(decided, 0);
    const struct store_decision decisions[] = {decision(a.run_id, 1, true), decision(b.run_id, 2, false)};
    for (int i = 0; i < 2; i++) { /* the second time as after a lost COMMIT */
        assert_ok(record(session, "scheduler", epoch, decisions, 2, &stops, &agents));
        assert_int_equal(stops, i == 0 ? 1 : 0);
        assert_int_equal(agents, 1);
        assert_ok(session_commit(session));
    }
    take(session, "scheduler", LEASE_MS, true, &decided);
    assert_int_equal(decided, 2);
    struct store_decision *read;
    struct store_end_facts facts;
    assert_ok(store_list_decisions(session_tx(session), SWEEP, a.run_id, &read, &count, &test_err));
    assert_int_equal(count, 1);
    assert_true(read[0].stop && read[0].decided_us > 0);
    assert_string_equal(read[0].reason, "too slow");
    assert_ok(store_get_end_facts(session_tx(session), SWEEP, a.run_id, 1, &facts, &test_err));
    assert_string_equal(facts.directive_kind, "stop_early");
    assert_string_equal(facts.directive_reason, "too slow");
    session_close(session);
}

static void a_stale_decider_is_refused(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 1, .agents = 1});
    struct session *session = session_open(database);
    struct store_claim a = fixture_start_run(session, "agent0");
    struct store_rung_value row = rung(a.run_id, 0);
    int64_t decided, stops;
    size_t agents;
    assert_ok(store_add_rung_values(session_tx(session), &row, 1, &test_err));
    assert_ok(session_commit(session));
    int64_t epoch = take(session, "one", 1, true, &decided);
    take(session, "one", -1000, true, &decided);
    assert_int_equal(take(session, "two", LEASE_MS, true, &decided), epoch + 1);
    take(session, "one", LEASE_MS, false, &decided);
    const struct store_decision stop = decision(a.run_id, 1, true);
    assert_status(STATUS_CONFLICT, record(session, "one", epoch, &stop, 1, &stops, &agents));
    session_rollback(session);
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.stop_decisions"), 0);
    session_close(session);
}

struct take_call {
    struct session *session;
    bool taken;
    int64_t epoch, decided;
    enum status status;
};

static void take_there(void *context)
{
    struct take_call *call = context;
    call->status = store_take_decider(session_tx(call->session), SWEEP, "two", LEASE_MS, &call->taken,
                                      &call->epoch, &call->decided, NULL);
}

static void two_deciders_at_once_are_one(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){0});
    struct session *a = session_open(database);
    struct take_call call = {.session = session_open(database)};
    struct waiting waiting;
    bool taken;
    int64_t epoch, decided;
    assert_ok(store_take_decider(session_tx(a), SWEEP, "one", LEASE_MS, &taken, &epoch, &decided, &test_err));
    assert_true(taken);
    waiting_start(&waiting, database, take_there, &call);
    assert_ok(session_commit(a));
    waiting_join(&waiting);
    assert_ok(call.status);
    assert_false(call.taken);
    session_close(a);
    session_close(call.session);
}

static void orders_have_generations(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 3, .agents = 1});
    struct session *session = session_open(database);
    struct store_tx *tx = session_tx(session);
    struct store_claim a = fixture_claim(session, "agent0", 0, 1), b = fixture_claim(session, "agent0", 1, 1);
    bool created;
    int64_t many;
    assert_ok(store_add_directive(tx, SWEEP, b.run_id, "stop_user", "by hand", &created, &test_err));
    assert_true(created);
    assert_ok(store_add_directive(tx, SWEEP, b.run_id, "stop_user", "by hand", &created, &test_err));
    assert_false(created);
    assert_ok(store_add_directive(tx, SWEEP, "run00002", "kill", "", &created, &test_err));
    assert_false(created); /* not live */
    assert_ok(store_add_directives_for_sweep(tx, SWEEP, "kill", "canceled", &many, &test_err));
    assert_int_equal(many, 2);
    const struct store_lease_key keys[] = {{SWEEP, a.run_id, 1}, {SWEEP, b.run_id, 1}};
    struct store_directive *orders;
    size_t count;
    assert_ok(store_list_directives(tx, keys, 2, &orders, &count, &test_err));
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(orders[i].generation, i + 1);
    assert_string_equal(orders[0].kind, "stop_user");
    assert_string_equal(orders[2].kind, "kill");
    assert_ok(store_answer_directive(tx, SWEEP, "agent0", 1, true, &test_err));
    assert_ok(store_answer_directive(tx, SWEEP, "agent0", 1, false, &test_err));
    assert_status(STATUS_NOT_FOUND, store_answer_directive(tx, SWEEP, "agent0", 9, true, &test_err));
    assert_ok(store_list_directives(tx, keys, 2, &orders, &count, &test_err));
    assert_int_equal(count, 2);
    assert_ok(session_commit(session));
    assert_int_equal(database_number(database->url, "SELECT supported::integer FROM besom.directives "
                                                    "WHERE generation = 1"),
                     1);
    session_close(session);
}

/* One run was let go on, one had finished before the order to stop, one waits for its decision. */
static void bands_count_runs(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 3, .agents = 1});
    struct session *session = session_open(database);
    struct store_tx *tx = session_tx(session);
    struct store_rung_value rows[] = {rung("run00000", 0), rung("run00001", 0), rung("run00002", 0)};
    struct store_band *bands;
    struct store_threshold *course;
    struct store_savings savings;
    int64_t decided, stops;
    size_t count, agents;
    assert_ok(store_add_rung_values(tx, rows, 3, &test_err));
    assert_ok(session_commit(session));
    int64_t epoch = take(session, "one", LEASE_MS, true, &decided);
    const struct store_decision decisions[] = {decision("run00000", 1, false), decision("run00001", 2, true)};
    assert_ok(record(session, "one", epoch, decisions, 2, &stops, &agents));
    assert_ok(session_commit(session));
    database_execute(database->url, "UPDATE besom.runs SET state = 'finished' WHERE run_id = 'run00001'");
    assert_ok(store_list_bands(tx, SWEEP, false, 0, 0, &bands, &count, &test_err));
    assert_int_equal(count, 1);
    assert_int_equal(bands[0].reached, 3);
    assert_int_equal(bands[0].went_on, 1);
    assert_int_equal(bands[0].stopped, 1);
    assert_int_equal(bands[0].outrun, 1);
    assert_int_equal(bands[0].spared_max_stops, 1); /* worse, and neither below grace nor too early */
    assert_int_equal(bands[0].thresholds, 2);
    assert_true(bands[0].first_threshold == 0.25 && bands[0].last_threshold == 0.25);
    assert_ok(store_list_bands(tx, SWEEP, true, 0, 0, &bands, &count, &test_err));
    assert_int_equal(bands[0].spared_max_stops, 0);
    assert_ok(store_list_bands(tx, SWEEP, false, 3, 9, &bands, &count, &test_err));
    assert_int_equal(bands[0].spared_too_few, 1);
    assert_ok(store_list_bands(tx, SWEEP, false, 2, 9, &bands, &count, &test_err));
    assert_int_equal(bands[0].spared_grace, 1);
    assert_ok(store_list_thresholds(tx, SWEEP, 32, &course, &count, &test_err));
    assert_int_equal(count, 2);
    assert_ok(store_get_savings(tx, SWEEP, &savings, &test_err));
    assert_int_equal(savings.finished_runs, 1);
    assert_int_equal(savings.run_time_saved_ms, 0);
    session_close(session);
}

/* The order waits with the attempt that may come back; a user's order is for another way (see StopRun). */
static void a_lost_run_is_stopped_early_when_it_comes_back(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 1, .agents = 1});
    struct session *session = session_open(database);
    struct store_claim claim = fixture_start_run(session, "agent0");
    bool created;
    database_execute(database->url, "UPDATE besom.runs SET state = 'pending';"
                                    "UPDATE besom.run_attempts SET ended_at = now(), end_reason = 'lost'");
    assert_ok(
        store_add_directive(session_tx(session), SWEEP, claim.run_id, "stop_user", "", &created, &test_err));
    assert_false(created);
    assert_ok(
        store_add_directive(session_tx(session), SWEEP, claim.run_id, "stop_early", "", &created, &test_err));
    assert_true(created);
    session_close(session);
}

struct order_call {
    struct session *session;
    const char *run_id;
    bool created;
    enum status status;
};

static void order_there(void *context)
{
    struct order_call *call = context;
    call->status = store_add_directive(session_tx(call->session), SWEEP, call->run_id, "kill", "twice",
                                       &call->created, NULL);
}

static void two_sessions_give_one_order_and_ordered_generations(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 2, .agents = 1});
    struct session *session = session_open(database);
    struct order_call call = {.session = session_open(database)};
    struct waiting waiting;
    struct store_claim a = fixture_claim(session, "agent0", 0, 1), b = fixture_claim(session, "agent0", 1, 1);
    bool created;
    assert_ok(session_commit(session));
    call.run_id = a.run_id;
    assert_ok(store_add_directive(session_tx(session), SWEEP, a.run_id, "kill", "once", &created, &test_err));
    waiting_start(&waiting, database, order_there, &call);
    assert_ok(session_commit(session));
    waiting_join(&waiting);
    assert_int_equal(call.status, STATUS_CONFLICT);
    session_rollback(call.session);
    order_there(&call);
    assert_ok(call.status);
    assert_false(call.created);
    call.run_id = b.run_id;
    order_there(&call);
    assert_true(call.created);
    assert_ok(session_commit(call.session));
    assert_int_equal(database_number(database->url, "SELECT max(generation) FROM besom.directives"), 2);
    session_close(session);
    session_close(call.session);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, database_make, database_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(rung_values_are_numbered),
        CASE(decisions_become_orders),
        CASE(a_stale_decider_is_refused),
        CASE(two_deciders_at_once_are_one),
        CASE(bands_count_runs),
        CASE(orders_have_generations),
        CASE(a_lost_run_is_stopped_early_when_it_comes_back),
        CASE(two_sessions_give_one_order_and_ordered_generations),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
