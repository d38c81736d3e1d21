// SPDX-License-Identifier: GPL-3.0-or-later
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "db/store/internal.h"
#include "db/store/results.h"
#include "fixture.h"

static void every_query_is_prepared(void **state)
{
    struct database *database = *state;
    PGconn *pg = PQconnectdb(database->url);
    int failed = 0;
    for (int i = 0; i < QUERY_COUNT; i++) {
        PGresult *result = PQprepare(pg, QUERIES[i].name, QUERIES[i].text, 0, NULL);
        if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            print_error("%s: %s\n", QUERIES[i].name, PQerrorMessage(pg));
            failed++;
        }
        PQclear(result);
    }
    PQfinish(pg);
    assert_int_equal(failed, 0);
}

static void many_runs(struct database *database, int count)
{
    char sql[1024];
    fixture_sweep(database, (struct sweep_options){.agents = 2});
    snprintf(sql, sizeof sql,
             "INSERT INTO besom.runs (sweep_id, run_id, ordinal, spec_version, params, config_hash, "
             "unique_config, "
             "run_seed, state, attempt, result_number, ended_at) "
             "SELECT '" SWEEP "', 'run' || i, i, 1, repeat('x', 200), int8send(i), true, i, "
             "CASE WHEN i %% 2 = 0 THEN 'pending' ELSE 'finished' END, i %% 2, "
             "CASE WHEN i %% 2 = 1 THEN i END, CASE WHEN i %% 2 = 1 THEN now() END "
             "FROM generate_series(0, %d - 1) i",
             count);
    database_execute(database->url, sql);
    database_execute(database->url, "ANALYZE");
}

/* Queries whose plans must use an index on runs, inbox and chunks, with arguments that make them runnable. */
static const struct {
    enum query query;
    const char *arguments;
} HOT[] = {
    {QUERY_CLAIM_RUNS, "('" SWEEP "', 60000, '{agent0}', '{1}', '{1}', false)"},
    {QUERY_READ_CLAIM_SWEEP, "('" SWEEP "')"},
    {QUERY_OPEN_RUN, "('" SWEEP "', 'run1', 1, 'agent0', true, 60000)"},
    {QUERY_LOCK_ATTEMPTS, "('{" SWEEP "}', '{run1}', '{1}')"},
    {QUERY_LOCK_ENDS, "('{" SWEEP "}', '{run1}', '{1}')"},
    {QUERY_FINISH_RUNS,
     "('{" SWEEP
     "}', '{run1}', '{1}', '{finished}', '{exit}', '{}', '{0}', '{0}', '{1}', '{f}', '{0}', '{f}')"},
    {QUERY_INHERIT_ATTEMPTS, "('" SWEEP "', '{run1}', '{2}')"},
    {QUERY_PUT_FACTS, "('{" SWEEP "}', '{run1}', '{1}', '{summary}', '{n}', '{1}', 10)"},
    {QUERY_DELETE_FACTS, "('{" SWEEP "}', '{run1}', '{1}', '{n}')"},
    {QUERY_SUBMIT_RUN, "('" SWEEP "', 'r', 'agent0', 0, 1, 0, '{}', '', 0, '', 1)"},
    {QUERY_EDIT_RUNS, "('" SWEEP "', '{run1}', true, '', true, '', '{a}', '{b}')"},
    {QUERY_LIST_RUNS_OF, "('" SWEEP "', '{run1}')"},
    {QUERY_LIST_FACTS_OF, "('" SWEEP "', '{run1}', 10)"},
    {QUERY_LIST_SUMMARIES_OF, "('" SWEEP "', '{run1}', 10)"},
    {QUERY_COUNT_RUNS, "('{" SWEEP "}')"},
    {QUERY_ADD_DIRECTIVES, "('" SWEEP "', 'kill', '{run1}', '{0}', '{why}')"},
    {QUERY_LIST_REFILL_NEEDS, "(10)"},
    {QUERY_LOCK_OPEN_COHORTS, ""},
    {QUERY_LIST_LEFT_PAUSED, ""},
    {QUERY_LOCK_RUNS, "('" SWEEP "', '{run1}')"},
    {QUERY_SETTLE_RUNS, "('" SWEEP "', '{run1}', '{promote}', '{0}')"},
    {QUERY_LIST_RUNG_VALUES, "('" SWEEP "', 0, 10)"},
    {QUERY_DIGEST_RESULTS, "('" SWEEP "', 10)"},
    {QUERY_LIST_RESULTS, "('" SWEEP "', 5, 10)"},
    {QUERY_LIST_OPEN_PARAMS, "('" SWEEP "', 5, 10)"},
    {QUERY_GET_RUN, "('" SWEEP "', 'run1')"},
    {QUERY_COUNT_RECENT_ENDS, "('" SWEEP "')"},
    {QUERY_LIST_COMPACTIONS, "('" SWEEP "', 'run1', 1, 10, 1000, 100000)"},
    {QUERY_TAKE_INBOX, "('" SWEEP "', 'run1', 1, 10, 100)"},
    {QUERY_READ_INBOX, "('" SWEEP "', 'run1', 1, 2, 0, 0, 10, 100)"},
    {QUERY_LIST_LAST_CHUNKS, "('" SWEEP "', 'run1', 1, '{a}', 500)"},
    {QUERY_LIST_METRICS, "('" SWEEP "', 'run1', 1, 2, '{}', 10)"},
    {QUERY_LIST_CHUNKS, "('" SWEEP "', 'run1', 1, 'a', 0, 9, 10)"},
    {QUERY_READ_CHUNKS, "('" SWEEP "', 'run1', 1, 'a', 0, 9, 10)"},
};

static void hot_queries_use_indexes(void **state)
{
    struct database *database = *state;
    many_runs(database, 10000);
    enum status status;
    PGconn *pg = connection_open(database->url, "plans", &status, &test_err);
    assert_non_null(pg);
    for (size_t i = 0; i < ARRAY_LEN(HOT); i++) {
        char sql[512];
        PQclear(PQexec(pg, "SET plan_cache_mode = force_generic_plan"));
        PQclear(PQprepare(pg, QUERIES[HOT[i].query].name, QUERIES[HOT[i].query].text, 0, NULL));
        snprintf(sql, sizeof sql, "EXPLAIN EXECUTE \"%s\"%s", QUERIES[HOT[i].query].name, HOT[i].arguments);
        PGresult *result = PQexec(pg, sql);
        if (PQresultStatus(result) != PGRES_TUPLES_OK)
            fail_msg("%s: %s", sql, PQerrorMessage(pg));
        for (int row = 0; row < PQntuples(result); row++)
            if (strstr(PQgetvalue(result, row, 0), "Seq Scan on run") != NULL ||
                strstr(PQgetvalue(result, row, 0), "Seq Scan on metric") != NULL)
                fail_msg("%s: %s", QUERIES[HOT[i].query].name, PQgetvalue(result, row, 0));
        PQclear(result);
    }
    PQfinish(pg);
}

/* The fastest of some tries, so that a busy machine does not count. */
static int64_t fastest_count_us(struct session *session)
{
    struct store_run_counts counts;
    int64_t best_us = INT64_MAX;
    for (int i = 0; i < 20; i++) {
        int64_t start_us = clock_monotonic_us(&clock_system);
        assert_ok(store_count_runs(session_tx(session), SWEEP, &counts, &test_err));
        int64_t took_us = clock_monotonic_us(&clock_system) - start_us;
        best_us = took_us < best_us ? took_us : best_us;
    }
    assert_int_equal(counts.queued, 5000);
    assert_int_equal(counts.finished, 5000);
    return best_us;
}

static void counting_is_fast(void **state)
{
    struct database *database = *state;
    many_runs(database, 10000);
    struct session *session = session_open(database);
    int64_t took_us = fastest_count_us(session);
    print_message("store_count_runs of 10000 runs: %d us\n", (int)took_us);
    assert_true(took_us < 20000);
    session_close(session);
}

static void claiming_from_a_long_queue_is_fast(void **state)
{
    struct database *database = *state;
    many_runs(database, 200000);
    struct session *session = session_open(database);
    int64_t best_us = INT64_MAX;
    for (int i = 0; i < 50; i++) {
        int64_t start_us = clock_monotonic_us(&clock_system);
        struct store_claim claim = fixture_claim(session, "agent0", 0, i);
        int64_t took_us = clock_monotonic_us(&clock_system) - start_us;
        best_us = took_us < best_us ? took_us : best_us;
        assert_int_equal(claim.verdict, STORE_CLAIM_RUN);
        assert_ok(session_commit(session));
    }
    print_message("a claim from 100000 pending runs: %d us\n", (int)best_us);
    assert_true(best_us < 20000);
    session_close(session);
}

/* Every agent that registers is asked, whether any was quarantined or not; nothing finished elsewhere. */
static void asking_for_a_quarantine_is_fast(void **state)
{
    struct database *database = *state;
    many_runs(database, 100000);
    database_execute(
        database->url,
        "INSERT INTO besom.run_attempts (sweep_id, run_id, attempt, agent_id, slot, counter) "
        "SELECT sweep_id, run_id, 1, 'agent0', 0, ordinal FROM besom.runs WHERE state = 'finished';"
        "ANALYZE");
    struct session *session = session_open(database);
    const char *reason;
    for (int quarantined = 0; quarantined < 2; quarantined++) {
        int64_t best_us = INT64_MAX;
        if (quarantined)
            database_execute(database->url, "UPDATE besom.agents SET quarantined = true, retired_at = now()");
        for (int i = 0; i < 10; i++) {
            int64_t start_us = clock_monotonic_us(&clock_system);
            assert_ok(store_get_quarantine(session_tx(session), SWEEP, "host", "agent9", &reason, &test_err));
            int64_t took_us = clock_monotonic_us(&clock_system) - start_us;
            best_us = took_us < best_us ? took_us : best_us;
            assert_null(reason);
        }
        print_message("quarantine, %d marked, 50000 runs finished: %d us\n", quarantined, (int)best_us);
        assert_true(best_us < 20000);
    }
    session_close(session);
}

static void ordering_many_is_fast(void **state)
{
    struct database *database = *state;
    struct session *session = session_open(database);
    int64_t created, start_us;
    fixture_sweep(database, (struct sweep_options){0});
    database_execute(database->url,
                     "INSERT INTO besom.agents (sweep_id, agent_id, host, pid, slots, protocol) "
                     "SELECT '" SWEEP "', 'many' || i, '', 1, 1, 1 FROM generate_series(1, 5000) i;"
                     "INSERT INTO besom.runs (sweep_id, run_id, ordinal, spec_version, params, config_hash, "
                     "unique_config, run_seed, state, attempt) "
                     "SELECT '" SWEEP "', 'm' || i, i, 1, '{}', '', false, 0, 'running', 1 "
                     "FROM generate_series(1, 5000) i;"
                     "INSERT INTO besom.run_attempts (sweep_id, run_id, attempt, agent_id, slot, counter) "
                     "SELECT '" SWEEP "', 'm' || i, 1, 'many' || i, 0, 1 FROM generate_series(1, 5000) i");
    start_us = clock_monotonic_us(&clock_system);
    assert_ok(store_add_directives_for_sweep(session_tx(session), SWEEP, "kill", "", &created, &test_err));
    int64_t took_ms = (clock_monotonic_us(&clock_system) - start_us) / 1000;
    print_message("orders to 5000 agents: %d ms\n", (int)took_ms);
    assert_int_equal(created, 5000);
    assert_true(took_ms < 4000);
    session_close(session);
}

/* Rows of the attempts that a plan with its figures has read. */
static long attempts_read(const PGresult *plan)
{
    long sum = 0;
    for (int row = 0; row < PQntuples(plan); row++) {
        const char *line = PQgetvalue(plan, row, 0), *actual = strstr(line, "(actual rows=");
        long rows = 0, loops = 0;
        if (strstr(line, " on run_attempts ") != NULL && actual != NULL &&
            sscanf(actual, "(actual rows=%ld loops=%ld)", &rows, &loops) == 2)
            sum += rows * loops;
    }
    return sum;
}

/* A sweep that somebody watches is asked four times a second: attempts of runs that ended do not matter. */
static void the_best_run_alone_is_shown(void **state)
{
    struct database *database = *state;
    enum status status;
    many_runs(database, 10000);
    database_execute(
        database->url,
        "UPDATE besom.runs SET objective = ordinal WHERE state = 'finished';"
        "INSERT INTO besom.run_attempts (sweep_id, run_id, attempt, agent_id, slot, counter) "
        "SELECT sweep_id, run_id, 1, 'agent0', 0, ordinal FROM besom.runs WHERE state = 'finished';"
        "ANALYZE");
    PGconn *pg = connection_open(database->url, "plans", &status, &test_err);
    assert_non_null(pg);
    PQclear(PQprepare(pg, "best", QUERIES[QUERY_GET_BEST_RUN].text, 0, NULL));
    PGresult *result = PQexec(pg, "EXPLAIN (ANALYZE, TIMING OFF) EXECUTE best('" SWEEP "')");
    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    assert_int_equal(attempts_read(result), 1);
    PQclear(result);
    PQfinish(pg);
}

/* Runs in cohorts of 20: three in four had a value at the first rung, and all ended. */
static void many_cohorts(struct database *database, int runs)
{
    char sql[2048];
    many_runs(database, runs);
    snprintf(
        sql, sizeof sql,
        "INSERT INTO besom.rung_values (sweep_id, number, run_id, attempt, band_index, band, value, best, "
        "kind, ordinal) SELECT '" SWEEP "', i + 1 + k * %d, 'run' || i, 1, -k, 1, 0.5, 0.5, "
        "CASE k WHEN 0 THEN 'value' ELSE 'ended' END, i "
        "FROM generate_series(0, %d - 1) i, generate_series(0, 1) k WHERE k = 1 OR i %% 20 < 15;"
        "INSERT INTO besom.stop_decisions (sweep_id, number, run_id, attempt, band_index, band, value, "
        "compared, threshold, stop, reached, rivals, reason, epoch, cohort, bracket, planned) "
        "SELECT sweep_id, number, run_id, 1, 0, 1, value, value, 0, false, 1, '[]', '', 1, "
        "ordinal / 20 * 20, 2, 20 FROM besom.rung_values WHERE kind = 'value';"
        "ANALYZE",
        runs, runs);
    database_execute(database->url, sql);
}

static void many_cohorts_are_read_fast(void **state)
{
    enum { RUNS = 20000 };
    struct database *database = *state;
    struct store_cohort_rung *rungs;
    const char **open;
    size_t count;
    many_cohorts(database, RUNS);
    struct session *session = session_open(database);
    int64_t start_us = clock_monotonic_us(&clock_system);
    assert_ok(store_list_cohorts(session_tx(session), SWEEP, RUNS / 20, &rungs, &count, &test_err));
    int64_t listed_us = clock_monotonic_us(&clock_system);
    assert_int_equal(count, RUNS / 20);
    assert_true(rungs[0].reached == 15 && rungs[0].ended == 5);
    assert_ok(store_list_open_budget_params(session_tx(session), SWEEP, RUNS, 2 * RUNS - 10, 1, &open, &count,
                                            &test_err));
    int64_t read_us = clock_monotonic_us(&clock_system);
    assert_int_equal(count, 10); /* the last ones had not ended by then */
    print_message("cohorts of %d runs: %d ms; their open configurations: %d ms\n", RUNS,
                  (int)((listed_us - start_us) / 1000), (int)((read_us - listed_us) / 1000));
    assert_true(read_us - start_us < 6000000);
    session_close(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_query_is_prepared, database_make, database_drop),
        cmocka_unit_test_setup_teardown(hot_queries_use_indexes, database_make, database_drop),
        cmocka_unit_test_setup_teardown(counting_is_fast, database_make, database_drop),
        cmocka_unit_test_setup_teardown(the_best_run_alone_is_shown, database_make, database_drop),
        cmocka_unit_test_setup_teardown(asking_for_a_quarantine_is_fast, database_make, database_drop),
        cmocka_unit_test_setup_teardown(ordering_many_is_fast, database_make, database_drop),
        cmocka_unit_test_setup_teardown(many_cohorts_are_read_fast, database_make, database_drop),
        cmocka_unit_test_setup_teardown(claiming_from_a_long_queue_is_fast, database_make, database_drop),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
