// SPDX-License-Identifier: GPL-3.0-or-later
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "migrations.h"

struct migrator {
    struct database *database;
    pthread_t thread;
    int applied;
    enum status status;
};

static void *migrate(void *context)
{
    struct migrator *migrator = context;
    migrator->status = store_migrate(migrator->database->url, &migrator->applied, NULL);
    return NULL;
}

static void two_at_once_are_harmless(void **state)
{
    struct database *database = *state;
    struct migrator migrators[4];
    int applied = 0;
    for (int i = 0; i < 4; i++) {
        migrators[i] = (struct migrator){.database = database};
        assert_int_equal(pthread_create(&migrators[i].thread, NULL, migrate, &migrators[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(migrators[i].thread, NULL);
        assert_ok(migrators[i].status);
        applied += migrators[i].applied;
    }
    assert_int_equal(applied, MIGRATION_COUNT);
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.migrations"),
                     MIGRATION_COUNT);
    assert_ok(store_check_schema(database->store, &test_err));
}

static void an_empty_database_is_refused(void **state)
{
    struct database *database = *state;
    assert_status(STATUS_PRECONDITION, store_check_schema(database->store, &test_err));
    assert_non_null(strstr(test_err.text, "besom-controller migrate"));
}

static void an_old_schema_is_refused(void **state)
{
    struct database *database = *state;
    char expected[64];
    database_execute(database->url, "UPDATE besom.schema_info SET version = 0");
    assert_status(STATUS_PRECONDITION, store_check_schema(database->store, &test_err));
    snprintf(expected, sizeof expected, "at version 0, this program needs %d", MIGRATION_COUNT);
    assert_non_null(strstr(test_err.text, expected));
}

static void a_newer_schema_is_fine_while_it_allows_it(void **state)
{
    struct database *database = *state;
    int applied = -1;
    database_execute(database->url, "UPDATE besom.schema_info SET version = 1000");
    assert_ok(store_check_schema(database->store, &test_err));
    assert_ok(store_migrate(database->url, &applied, &test_err));
    assert_int_equal(applied, 0);
    database_execute(database->url, "UPDATE besom.schema_info SET oldest_compatible_binary = 1000");
    assert_status(STATUS_PRECONDITION, store_check_schema(database->store, &test_err));
    assert_non_null(strstr(test_err.text, "for programs of version 1000 or newer"));
    assert_status(STATUS_PRECONDITION, store_migrate(database->url, &applied, &test_err));
}

static void a_failing_migration_leaves_nothing(void **state)
{
    struct database *database = *state;
    int applied;
    database_execute(database->url, "CREATE SCHEMA besom; CREATE TABLE besom.events (x integer)");
    assert_int_not_equal(store_migrate(database->url, &applied, &test_err), STATUS_OK);
    assert_int_equal(
        database_number(database->url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'besom'"), 1);
}

static void migrations_have_no_gaps(void **state)
{
    (void)state;
    for (int i = 0; i < MIGRATION_COUNT; i++) {
        assert_int_equal(MIGRATIONS[i].number, i + 1);
        assert_int_equal(MIGRATIONS[i].text[strlen(MIGRATIONS[i].text) - 1], '\n');
    }
}

static void constraints_can_be_read(void **state)
{
    struct database *database = *state;
    struct session *session = session_open(database);
    const char *definition;
    assert_ok(store_get_constraint(session_tx(session), "runs_state_check", &definition, &test_err));
    assert_non_null(strstr(definition, "'preempting'"));
    assert_status(STATUS_NOT_FOUND,
                  store_get_constraint(session_tx(session), "nonsense", &definition, &test_err));
    session_close(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_at_once_are_harmless, database_make_empty, database_drop),
        cmocka_unit_test_setup_teardown(an_empty_database_is_refused, database_make_empty, database_drop),
        cmocka_unit_test_setup_teardown(an_old_schema_is_refused, database_make, database_drop),
        cmocka_unit_test_setup_teardown(a_newer_schema_is_fine_while_it_allows_it, database_make,
                                        database_drop),
        cmocka_unit_test_setup_teardown(a_failing_migration_leaves_nothing, database_make_empty,
                                        database_drop),
        cmocka_unit_test_setup_teardown(constraints_can_be_read, database_make, database_drop),
        cmocka_unit_test(migrations_have_no_gaps),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
