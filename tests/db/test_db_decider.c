// SPDX-License-Identifier: GPL-3.0-or-later
/* Early stops decided on a real database: in order, once, by one decider at a time. */
#include "services/scheduler/decider.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/random.h"
#include "fixture.h"
#include "services/scheduler/judge.h"

#define CACHE_BYTES (1u << 20)

static const char spec_text[] =
    "{\"early_terminate\":{\"min_iter\":1,\"type\":\"hyperband\"},\"method\":\"random\",\"metric\":{\"goal\":"
    "\"minimize\",\"name\":\"loss\"},\"parameters\":{\"x\":{\"distribution\":\"uniform\",\"max\":1.0,\"min\":"
    "0.0}}}";

static void make_sweep(struct database *database, const char *spec, int agents, int runs)
{
    char sql[1024];
    fixture_sweep(database, (struct sweep_options){.agents = agents, .runs = runs});
    (void)snprintf(sql, sizeof sql, "UPDATE besom.sweep_specs SET spec = '%s'", spec);
    database_execute(database->url, sql);
}

/* `value` as the next rung value of a run at the first band. */
static void add_value(struct database *database, const char *run_id, double value)
{
    struct session *session = session_open(database);
    struct store_rung_value row = {.sweep_id = SWEEP,
                                   .run_id = run_id,
                                   .attempt = 1,
                                   .band_index = 0,
                                   .band = 1,
                                   .value = value,
                                   .best = value};
    assert_ok(store_add_rung_values(session_tx(session), &row, 1, &test_err));
    assert_ok(session_commit(session));
    session_close(session);
}

static struct decider *new_decider(struct database *database, const char *owner)
{
    struct decider *decider = NULL;
    assert_ok(decider_new(database->store, owner, CACHE_BYTES, &decider, &test_err));
    return decider;
}

static void decide(struct decider *decider, int64_t decided, int64_t made)
{
    struct arena arena = arena_make(0);
    struct decider_outcome outcome;
    assert_ok(decider_run(decider, SWEEP, &arena, &outcome, &test_err));
    assert_int_equal(outcome.decided, decided);
    assert_int_equal(outcome.made, made);
    arena_free(&arena);
}

static void assert_refused(struct decider *decider, const char *sweep_id, enum status status)
{
    struct arena arena = arena_make(0);
    struct decider_outcome outcome;
    assert_status(status, decider_run(decider, sweep_id, &arena, &outcome, &test_err));
    arena_free(&arena);
}

static void a_stop_orders_its_agent(void **state)
{
    struct database *database = *state;
    struct arena arena = arena_make(0);
    struct decider_outcome outcome;
    make_sweep(database, spec_text, 2, 2);
    struct session *session = session_open(database);
    char good[16];
    char bad[16];
    (void)snprintf(good, sizeof good, "%s", fixture_start_run(session, "agent0").run_id);
    (void)snprintf(bad, sizeof bad, "%s", fixture_start_run(session, "agent1").run_id);
    session_close(session);
    add_value(database, good, 0.25);
    add_value(database, bad, 0.5);
    struct decider *decider = new_decider(database, "one");
    assert_ok(decider_run(decider, SWEEP, &arena, &outcome, &test_err));
    assert_int_equal(outcome.decided, 2);
    assert_int_equal(outcome.made, 2);
    assert_int_equal(outcome.stops, 1);
    assert_int_equal(outcome.agent_count, 1);
    assert_string_equal(outcome.agent_ids[0], "agent1");
    char *reason = database_text(database->url, "SELECT reason FROM besom.stop_decisions WHERE stop");
    assert_string_equal(reason,
                        "0.5 at row 1 is worse than the threshold 0.25 (rank 1 of 2 that reached it)");
    free(reason);
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.directives"
                                                    " WHERE agent_id = 'agent1' AND kind = 'stop_early'"),
                     1);
    decider_free(decider);
    arena_free(&arena);
}

static void another_owner_waits_its_turn(void **state)
{
    struct database *database = *state;
    make_sweep(database, spec_text, 0, 0);
    struct decider *one = new_decider(database, "one");
    struct decider *two = new_decider(database, "two");
    add_value(database, "a", 1);
    decide(one, 1, 1);
    add_value(database, "b", 2);
    assert_refused(two, SWEEP, STATUS_CONFLICT);
    decide(one, 2, 1);
    decider_free(one);
    add_value(database, "c", 3);
    decide(two, 3, 1);
    decider_free(two);
}

static void a_decider_that_was_replaced_drops_what_it_knew(void **state)
{
    struct database *database = *state;
    make_sweep(database, spec_text, 0, 0);
    struct decider *decider = new_decider(database, "one");
    add_value(database, "a", 1);
    decide(decider, 1, 1);
    database_execute(database->url, "UPDATE besom.sweep_deciders SET owner = 'thief', epoch = epoch + 1,"
                                    " deadline = now() + interval '1 hour'");
    add_value(database, "b", 2);
    assert_refused(decider, SWEEP, STATUS_CONFLICT);
    /* The thief decides on, dies, and its hold ends. */
    database_execute(
        database->url,
        "INSERT INTO besom.stop_decisions SELECT sweep_id, number, run_id, attempt, band_index, band,"
        " value, value, value, false, 2, '[]', 'thief', 2 FROM besom.rung_values WHERE number = 2");
    database_execute(database->url, "UPDATE besom.sweep_deciders SET decided = 2, deadline = now()");
    add_value(database, "c", 1.5);
    decide(decider, 3, 1);
    assert_int_equal(
        database_number(database->url, "SELECT reached FROM besom.stop_decisions WHERE number = 3"), 3);
    decider_free(decider);
}

static void what_cannot_be_decided_is_told(void **state)
{
    struct database *database = *state;
    make_sweep(database,
               "{\"method\":\"random\",\"parameters\":{\"x\":{\"distribution\":\"uniform\",\"max\":1.0,"
               "\"min\":0.0}}}",
               0, 0);
    struct decider *decider = new_decider(database, "one");
    add_value(database, "a", 1);
    assert_refused(decider, "nosweep1", STATUS_NOT_FOUND);
    assert_refused(decider, SWEEP, STATUS_PRECONDITION);
    decider_reconcile(decider);
    decider_free(decider);
}

static void reconciling_decides_what_nobody_asked_for(void **state)
{
    struct database *database = *state;
    make_sweep(database, spec_text, 0, 0);
    struct decider *decider = new_decider(database, "one");
    add_value(database, "a", 1);
    add_value(database, "b", 2);
    decider_reconcile(decider);
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.stop_decisions"), 2);
    decider_free(decider);
}

static void note_payload(void *context, const char *payload)
{
    (void)snprintf(context, 64, "%s", payload);
}

/* Nobody asked, so nobody waits for the answer: controllers are told where an order may lie. */
static void a_stop_by_reconciling_wakes_controllers(void **state)
{
    struct database *database = *state;
    struct store_listener *listener;
    char heard[64] = "", worse[16];
    bool reconnected;
    make_sweep(database, spec_text, 2, 2);
    struct session *session = session_open(database);
    (void)fixture_start_run(session, "agent0");
    (void)snprintf(worse, sizeof worse, "%s", fixture_start_run(session, "agent1").run_id);
    session_close(session);
    assert_ok(store_listener_new(database->url, &listener, &test_err));
    assert_ok(store_listener_wait(listener, 1000, note_payload, heard, &reconnected, &test_err));
    struct decider *decider = new_decider(database, "one");
    add_value(database, "other", 0.25);
    decider_reconcile(decider);
    assert_ok(store_listener_wait(listener, 0, note_payload, heard, &reconnected, &test_err));
    assert_string_equal(heard, "");
    add_value(database, worse, 0.5);
    decider_reconcile(decider);
    assert_ok(store_listener_wait(listener, 20000, note_payload, heard, &reconnected, &test_err));
    assert_string_equal(heard, "one " SWEEP);
    decider_free(decider);
    store_listener_free(listener);
}

/* ---- replay ---- */

#define SETS 12
#define SET_SIZE 100

static void add_values(struct database *database, int set)
{
    static struct store_rung_value rows[SET_SIZE];
    static char ids[SET_SIZE][16];
    struct session *session = session_open(database);
    for (int i = 0; i < SET_SIZE; i++) {
        double value = random_draw_unit(1, (uint64_t)(set * SET_SIZE + i), "value", 0);
        (void)snprintf(ids[i], sizeof ids[i], "run%d", set * SET_SIZE + i);
        rows[i] = (struct store_rung_value){
            .sweep_id = SWEEP, .run_id = ids[i], .attempt = 1, .band = 1, .value = value, .best = value};
    }
    assert_ok(store_add_rung_values(session_tx(session), rows, SET_SIZE, &test_err));
    assert_ok(session_commit(session));
    session_close(session);
}

struct worker {
    struct database *database;
    const char *owner;
    const char *done; /* SQL: everything is decided */
};

/* Decides with deciders that come and go until all is decided. */
static void *work(void *context)
{
    struct worker *worker = context;
    while (database_number(worker->database->url, worker->done) == 0) {
        struct decider *decider = NULL;
        struct err err = ERR_INIT;
        if (decider_new(worker->database->store, worker->owner, CACHE_BYTES, &decider, &err) == STATUS_OK)
            decider_reconcile(decider);
        decider_free(decider);
    }
    return NULL;
}

/* The decisions in the database are those of one straight pass over the values. */
static void assert_replays(struct database *database)
{
    struct stop_config config = {.form = STOP_FORM_MIN_ITER, .min_iter = 1, .eta = 3, .strict = true};
    struct session *session = session_open(database);
    struct arena arena = arena_make(0);
    struct stop_rule *rule = NULL;
    struct store_rung_value *values = NULL;
    size_t count = 0;
    assert_ok(stop_rule_new(&config, false, &rule, &test_err));
    assert_ok(
        store_list_rung_values(session_tx(session), SWEEP, 0, SETS * SET_SIZE, &values, &count, &test_err));
    assert_int_equal(count, SETS * SET_SIZE);
    for (size_t i = 0; i < count; i++) {
        struct store_decision expected;
        char sql[256];
        assert_ok(judge_value(rule, &values[i], &arena, &expected, &test_err));
        (void)snprintf(
            sql, sizeof sql,
            "SELECT count(*) FROM besom.stop_decisions WHERE number = %lld AND run_id = '%s' AND stop = %s",
            (long long)expected.number, expected.run_id, expected.stop ? "true" : "false");
        if (i % 97 == 0)
            assert_int_equal(database_number(database->url, sql), 1);
        arena_reset(&arena);
    }
    stop_rule_free(rule);
    arena_free(&arena);
    session_close(session);
}

static void deciders_that_compete_decide_each_value_once(void **state)
{
    struct database *database = *state;
    char done[128];
    (void)snprintf(done, sizeof done, "SELECT count(*) FROM besom.sweep_deciders WHERE decided = %d",
                   SETS * SET_SIZE);
    struct worker workers[] = {{database, "one", done}, {database, "two", done}, {database, "three", done}};
    pthread_t threads[ARRAY_LEN(workers)];
    make_sweep(database, spec_text, 0, 0);
    for (size_t i = 0; i < ARRAY_LEN(workers); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    for (int set = 0; set < SETS; set++)
        add_values(database, set);
    for (size_t i = 0; i < ARRAY_LEN(workers); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.stop_decisions"),
                     SETS * SET_SIZE);
    assert_replays(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_stop_orders_its_agent, database_make, database_drop),
        cmocka_unit_test_setup_teardown(another_owner_waits_its_turn, database_make, database_drop),
        cmocka_unit_test_setup_teardown(a_decider_that_was_replaced_drops_what_it_knew, database_make,
                                        database_drop),
        cmocka_unit_test_setup_teardown(what_cannot_be_decided_is_told, database_make, database_drop),
        cmocka_unit_test_setup_teardown(reconciling_decides_what_nobody_asked_for, database_make,
                                        database_drop),
        cmocka_unit_test_setup_teardown(a_stop_by_reconciling_wakes_controllers, database_make,
                                        database_drop),
        cmocka_unit_test_setup_teardown(deciders_that_compete_decide_each_value_once, database_make,
                                        database_drop),
    };
    log_set_level(LOG_LEVEL_WARN);
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
