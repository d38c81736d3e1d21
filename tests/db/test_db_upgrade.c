// SPDX-License-Identifier: GPL-3.0-or-later
/* A database of the second schema with something in each table: what is there stays, and goes on. */
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"
#include "migrations.h"

#define OLD_VERSION 2

/* run1 was lost after a step of 41 and waits, run2 runs, run3 has ended. */
static const char content[] =
    "INSERT INTO besom.projects (project) VALUES ('p');"
    "INSERT INTO besom.sweeps (sweep_id, project, name, state, method, metric, seed, request_id) "
    "VALUES ('sweep001', 'p', 'n', 'running', 'random', 'loss', 7, 'sweep001');"
    "INSERT INTO besom.sweep_specs (sweep_id, version, source, spec) VALUES ('sweep001', 1, 's', '{}');"
    "INSERT INTO besom.sweep_counters VALUES ('sweep001', 1, 1);"
    "INSERT INTO besom.sweep_refills (sweep_id) VALUES ('sweep001');"
    "INSERT INTO besom.sweep_deciders (sweep_id) VALUES ('sweep001');"
    "INSERT INTO besom.suggestions VALUES ('sweep001', 1, 1, 0, 0, '{}');"
    "INSERT INTO besom.prior_runs VALUES ('sweep001', 0, 'old1', 'sweep000', '{}', '', 'finished', 1);"
    "INSERT INTO besom.runs (sweep_id, run_id, ordinal, spec_version, params, config_hash, unique_config, "
    "run_seed, state, attempt, objective, result_number, ended_at) "
    "VALUES ('sweep001', 'run1', 1, 1, '{}', '', false, 0, 'pending', 1, NULL, NULL, NULL), "
    "('sweep001', 'run2', 2, 1, '{}', '', false, 0, 'running', 1, NULL, NULL, NULL), "
    "('sweep001', 'run3', 3, 1, '{}', '', false, 0, 'finished', 1, 0.5, 1, now());"
    "INSERT INTO besom.agents (sweep_id, agent_id, host, pid, slots, protocol) "
    "VALUES ('sweep001', 'agent0', 'h', 1, 4, 1);"
    "INSERT INTO besom.run_attempts (sweep_id, run_id, attempt, agent_id, slot, counter, started_at, "
    "ended_at, "
    "last_sequence, metric_rows, best_value, bands_reached) "
    "VALUES ('sweep001', 'run1', 1, 'agent0', 0, 1, now(), now(), 3, 42, 0.25, 1), "
    "('sweep001', 'run2', 1, 'agent0', 1, 1, now(), NULL, 5, 10, 0.5, 0), "
    "('sweep001', 'run3', 1, 'agent0', 2, 1, now(), now(), 5, 10, 0.5, 0);"
    "INSERT INTO besom.leases VALUES ('sweep001', 'run2', 1, 'agent0', now() + interval '1 hour');"
    "INSERT INTO besom.directives (sweep_id, agent_id, generation, run_id, attempt, kind, reason) "
    "VALUES ('sweep001', 'agent0', 1, 'run2', 1, 'stop_user', 'r');"
    "INSERT INTO besom.metric_inbox VALUES ('sweep001', 'run2', 1, 5, 1, 'payload');"
    "INSERT INTO besom.metric_chunks VALUES ('sweep001', 'run1', 1, 'loss', 0, 1, 42, 0, 41, 0.25, 1, 0.5, "
    "'x');"
    "INSERT INTO besom.run_summaries VALUES ('sweep001', 'run1', 1, 'loss', 42, 0.5, 41, 0.25, 1), "
    "('sweep001', 'run1', 1, 'epoch', 4, 3, 40, 0, 3), "
    "('sweep001', 'run2', 1, 'loss', 10, 0.5, 9223372036854775807, 0.5, 1);"
    "INSERT INTO besom.run_logs VALUES ('sweep001', 'run2', 1, 0, false, 'text');"
    "INSERT INTO besom.rung_values VALUES ('sweep001', 1, 'run1', 1, 0, 9, 0.5, 0.25);"
    "INSERT INTO besom.stop_decisions "
    "VALUES ('sweep001', 1, 'run1', 1, 0, 9, 0.5, 0.25, 0.3, false, 1, '[]', '', 1);"
    "INSERT INTO besom.events (sweep_id, kind, actor) VALUES ('sweep001', 'sweep_created', 'a');";

static const char keep_copies[] = "CREATE SCHEMA old;"
                                  "DO $$ DECLARE t text; n bigint; BEGIN "
                                  "FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'besom' "
                                  "AND tablename NOT IN ('schema_info', 'migrations') LOOP "
                                  "EXECUTE format('CREATE TABLE old.%I AS TABLE besom.%I', t, t);"
                                  "EXECUTE format('SELECT count(*) FROM old.%I', t) INTO n;"
                                  "IF n = 0 THEN RAISE 'nothing in %', t; END IF;"
                                  "END LOOP; END $$";

static const char compare_copies[] =
    "DO $$ DECLARE t text; c text; n bigint; BEGIN "
    "FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'old' LOOP "
    "SELECT string_agg(quote_ident(column_name), ',') INTO c FROM information_schema.columns "
    "WHERE table_schema = 'old' AND table_name = t;"
    "EXECUTE format('SELECT count(*) FROM (SELECT %s FROM old.%I EXCEPT ALL SELECT %s FROM besom.%I) x', "
    "c, t, c, t) INTO n;"
    "IF n > 0 THEN RAISE '% changed', t; END IF;"
    "END LOOP; END $$";

static int make_old(void **state)
{
    if (database_make_empty(state) != 0)
        return -1;
    struct database *database = *state;
    char sql[256];
    for (int i = 0; i < OLD_VERSION; i++) {
        database_execute(database->url, MIGRATIONS[i].text);
        (void)snprintf(sql, sizeof sql,
                       "INSERT INTO besom.migrations (number, name) VALUES (%d, '%s');"
                       "UPDATE besom.schema_info SET version = %d",
                       MIGRATIONS[i].number, MIGRATIONS[i].name, MIGRATIONS[i].number);
        database_execute(database->url, sql);
    }
    database_execute(database->url, content);
    database_execute(database->url, keep_copies);
    return 0;
}

static void upgrade(const struct database *database)
{
    int applied;
    assert_ok(store_migrate(database->url, &applied, &test_err));
    assert_int_equal(applied, MIGRATION_COUNT - OLD_VERSION);
}

static void nothing_changes(void **state)
{
    struct database *database = *state;
    upgrade(database);
    database_execute(database->url, compare_copies);
    assert_ok(store_check_schema(database->store, &test_err));
}

static void binaries_of_before_may_stay(void **state)
{
    struct database *database = *state;
    upgrade(database);
    assert_true(database_number(database->url, "SELECT oldest_compatible_binary FROM besom.schema_info") <=
                OLD_VERSION);
    /* What they write, they write without the columns that came since. */
    database_execute(
        database->url,
        "INSERT INTO besom.run_summaries (sweep_id, run_id, attempt, name, points, last, last_step, "
        "min, max) VALUES ('sweep001', 'run2', 1, 'acc', 1, 1, 1, 1, 1);"
        "INSERT INTO besom.rung_values (sweep_id, number, run_id, attempt, band_index, band, value, "
        "best) VALUES ('sweep001', 2, 'run2', 1, 0, 9, 4, 3)");
    struct session *session = session_open(database);
    struct store_rung_value *values;
    size_t count;
    assert_ok(store_list_rung_values(session_tx(session), "sweep001", 0, 10, &values, &count, &test_err));
    assert_int_equal(count, 2);
    assert_true(values[0].mean == 0.5 && values[1].mean == 4);
    session_close(session);
}

/* A run that waits goes on above its steps, from as many rows as it had. */
static void a_lost_run_goes_on(void **state)
{
    struct database *database = *state;
    upgrade(database);
    struct session *session = session_open(database);
    struct store_claim claim = fixture_claim(session, "agent0", 0, 2);
    assert_int_equal(claim.verdict, STORE_CLAIM_RUN);
    assert_string_equal(claim.run_id, "run1");
    assert_int_equal(claim.attempt, 2);
    assert_int_equal(claim.next_step, 42);
    struct store_attempt attempt = {.sweep_id = SWEEP, .run_id = "run1", .attempt = 2};
    assert_ok(store_lock_attempts(session_tx(session), &attempt, 1, &test_err));
    assert_int_equal(attempt.metric_rows, 42);
    assert_int_equal(attempt.bands_reached, 1);
    assert_true(attempt.best_value == 0.25);
    session_close(session);
}

/* Sums that began before they were kept are not known, and never look as if they were. */
static void unknown_sums_stay_unknown(void **state)
{
    struct database *database = *state;
    upgrade(database);
    struct session *session = session_open(database);
    struct store_attempt attempt = {.sweep_id = SWEEP, .run_id = "run2", .attempt = 1};
    assert_ok(store_lock_attempts(session_tx(session), &attempt, 1, &test_err));
    assert_true(isnan(attempt.metric_total));
    assert_true(attempt.next_step == INT64_MAX);
    const struct store_summary more = {.sweep_id = SWEEP,
                                       .run_id = "run2",
                                       .name = "loss",
                                       .attempt = 1,
                                       .points = 1,
                                       .last = 3,
                                       .min = 3,
                                       .max = 3,
                                       .first = 3,
                                       .total = 3,
                                       .finite = 1};
    struct store_summary *rows;
    size_t count;
    assert_ok(store_merge_summaries(session_tx(session), &more, 1, &test_err));
    assert_ok(store_list_summaries(session_tx(session), SWEEP, "run2", 1, &rows, &count, &test_err));
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].points, 11);
    assert_true(isnan(rows[0].total) && isnan(rows[0].first) && rows[0].max == 3);
    session_close(session);
}

static void *migrate(void *context)
{
    const struct database *database = context;
    struct err err = ERR_INIT;
    int applied = 0;
    enum status status = store_migrate(database->url, &applied, &err);
    return (void *)(uintptr_t)(status == STATUS_OK && applied == MIGRATION_COUNT - OLD_VERSION);
}

/* Somebody reads for long, as a backup does. The migration waits, and nobody waits behind it for ever. */
static void a_long_reader_holds_up_the_migration_alone(void **state)
{
    struct database *database = *state;
    struct session *reader = session_open(database);
    struct store_sweep sweep;
    pthread_t thread;
    void *migrated = NULL;
    assert_ok(store_get_sweep(session_tx(reader), SWEEP, false, &sweep, &test_err));
    assert_int_equal(pthread_create(&thread, NULL, migrate, database), 0);
    while (database_number(database->url, "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = "
                                          "'AccessExclusiveLock'") == 0)
        sched_yield();
    database_execute(database->url, "SET statement_timeout = '60s'; SELECT count(*) FROM besom.sweeps");
    assert_true(database_number(database->url, "SELECT version FROM besom.schema_info") < MIGRATION_COUNT);
    assert_ok(session_commit(reader));
    session_close(reader);
    pthread_join(thread, &migrated);
    assert_non_null(migrated);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_changes, make_old, database_drop),
        cmocka_unit_test_setup_teardown(binaries_of_before_may_stay, make_old, database_drop),
        cmocka_unit_test_setup_teardown(a_lost_run_goes_on, make_old, database_drop),
        cmocka_unit_test_setup_teardown(unknown_sums_stay_unknown, make_old, database_drop),
        cmocka_unit_test_setup_teardown(a_long_reader_holds_up_the_migration_alone, make_old, database_drop),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
