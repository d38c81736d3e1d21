// SPDX-License-Identifier: GPL-3.0-or-later
/* New versions of a sweep's spec, and prior runs. */
#include <string.h>

#include "fixture.h"

static struct store_sweep_update update_of(const char *spec_json)
{
    return (struct store_sweep_update){.sweep_id = SWEEP,
                                       .name = "renamed",
                                       .program = "other.py",
                                       .file_name = "new.yaml",
                                       .spec_json = spec_json,
                                       .has_grid_count = true,
                                       .grid_count = 9,
                                       .run_cap = 20,
                                       .concurrency = 3,
                                       .source = "source",
                                       .source_length = 6};
}

/* Prepares runs `first`... of a version, `hash_from`... being what they are. */
static int64_t prepare_version(struct session *session, int32_t version, int64_t first, int64_t hash_from,
                               int count, bool exhausted)
{
    struct store_tx *tx = session_tx(session);
    struct store_new_run *runs = fixture_runs(store_tx_arena(tx), hash_from, count);
    bool taken;
    int64_t epoch, inserted;
    for (int i = 0; i < count; i++) {
        runs[i].ordinal = first + i;
        runs[i].run_id = arena_printf(store_tx_arena(tx), "new%05d", (int)first + i);
    }
    assert_ok(store_take_refill(tx, SWEEP, "test", LEASE_MS, &taken, &epoch, &test_err));
    assert_true(taken);
    assert_ok(store_insert_runs(tx, SWEEP, "test", epoch, version, 0, true, runs, (size_t)count, exhausted,
                                &inserted, &test_err));
    return inserted;
}

static void an_update_replaces_what_waits_and_keeps_what_ran(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 5, .agents = 1, .exhausted = true});
    struct session *session = session_open(database);
    fixture_start_run(session, "agent0");
    struct store_sweep sweep;
    struct store_spec spec;
    struct store_claim_sweep waiting;
    struct store_sweep_update update = update_of("{\"b\":2}");
    int64_t dropped;
    assert_ok(store_get_sweep(session_tx(session), SWEEP, true, &sweep, &test_err));
    assert_ok(store_update_sweep(session_tx(session), &update, &dropped, &test_err));
    assert_int_equal(dropped, 4);
    assert_ok(store_get_sweep(session_tx(session), SWEEP, false, &sweep, &test_err));
    assert_int_equal(sweep.spec_version, 2);
    assert_false(sweep.exhausted);
    assert_string_equal(sweep.name, "renamed");
    assert_string_equal(sweep.program, "other.py");
    assert_int_equal(sweep.run_cap, 20);
    assert_int_equal(sweep.grid_count, 9);
    assert_ok(store_get_spec(session_tx(session), SWEEP, 2, &spec, &test_err));
    assert_string_equal(spec.json, "{\"b\":2}");
    assert_int_equal(spec.first_ordinal, 5);
    assert_int_equal(fixture_run(session, "run00000").spec_version, 1);
    /* by value: the point that ran is left out, the four that waited come again */
    assert_int_equal(prepare_version(session, 2, 5, 0, 5, true), 4);
    assert_ok(store_get_claim_sweep(session_tx(session), SWEEP, &waiting, &test_err));
    assert_int_equal(waiting.expected, 5);
    assert_ok(store_get_sweep(session_tx(session), SWEEP, false, &sweep, &test_err));
    assert_int_equal(sweep.grid_count, 5);
    assert_ok(session_commit(session));
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.suggestions"), 5);
    session_close(session);
}

static void a_refill_of_the_version_before_is_refused(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 1});
    struct session *session = session_open(database);
    struct store_tx *tx = session_tx(session);
    struct store_sweep sweep;
    struct store_sweep_update update = update_of("{}");
    int64_t dropped, epoch, inserted;
    bool taken;
    assert_ok(store_take_refill(tx, SWEEP, "test", LEASE_MS, &taken, &epoch, &test_err));
    assert_ok(store_get_sweep(tx, SWEEP, true, &sweep, &test_err));
    assert_ok(store_update_sweep(tx, &update, &dropped, &test_err));
    assert_status(STATUS_CONFLICT,
                  store_insert_runs(tx, SWEEP, "test", epoch, 1, 0, true,
                                    fixture_runs(store_tx_arena(tx), 1, 1), 1, false, &inserted, &test_err));
    session_close(session);
}

static void used_configurations_are_listed(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.runs = 3, .agents = 1});
    struct session *session = session_open(database);
    const char **params;
    size_t count;
    fixture_start_run(session, "agent0");
    assert_ok(store_list_used_params(session_tx(session), SWEEP, 10, &params, &count, &test_err));
    assert_int_equal(count, 1);
    assert_string_equal(params[0], "{\"x\":0}");
    session_close(session);
}

static void prior_runs_are_copied_and_left_out(void **state)
{
    struct database *database = *state;
    fixture_sweep(database, (struct sweep_options){.sweep_id = "sweep000", .runs = 0});
    fixture_sweep(database, (struct sweep_options){.runs = 2, .agents = 1});
    struct session *session = session_open(database);
    struct store_claim claim = fixture_start_run(session, "agent0");
    const char *const both[] = {"run00000", "run00001"};
    assert_status(STATUS_NOT_FOUND,
                  store_add_prior_runs(session_tx(session), "sweep000", "", both, 1, &test_err));
    session_rollback(session);
    fixture_finish(session, fixture_end(&claim, "agent0", "finished"));
    assert_ok(session_commit(session));
    assert_status(STATUS_NOT_FOUND,
                  store_add_prior_runs(session_tx(session), "sweep000", "", both, 2, &test_err));
    assert_non_null(strstr(test_err.text, "run00001"));
    session_rollback(session);
    assert_status(STATUS_NOT_FOUND,
                  store_add_prior_runs(session_tx(session), "sweep000", "other", both, 1, &test_err));
    session_rollback(session);
    assert_ok(store_add_prior_runs(session_tx(session), "sweep000", "tests", both, 1, &test_err));
    struct store_tx *tx = session_tx(session);
    bool taken;
    int64_t epoch, inserted;
    assert_ok(store_take_refill(tx, "sweep000", "test", LEASE_MS, &taken, &epoch, &test_err));
    struct store_new_run *runs = fixture_runs(store_tx_arena(tx), 0, 3);
    assert_ok(
        store_insert_runs(tx, "sweep000", "test", epoch, 1, 0, true, runs, 3, true, &inserted, &test_err));
    assert_int_equal(inserted, 2);
    assert_ok(session_commit(session));
    session_close(session);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, database_make, database_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_update_replaces_what_waits_and_keeps_what_ran),
        CASE(a_refill_of_the_version_before_is_refused),
        CASE(used_configurations_are_listed),
        CASE(prior_runs_are_copied_and_left_out),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
