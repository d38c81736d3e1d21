// SPDX-License-Identifier: GPL-3.0-or-later
/* Models that learn from rung values: from which budget, and the same however they came about. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "services/suggestion/model.h"

static const char spec_text[] =
    "{\"early_terminate\":{\"eta\":3.0,\"max_iter\":9,\"min_iter\":1,\"type\":\"bohb\"},"
    "\"method\":\"bayes\",\"metric\":{\"goal\":\"minimize\",\"name\":\"loss\"},\"parameters\":{"
    "\"x\":{\"distribution\":\"uniform\",\"max\":1.0,\"min\":0.0},"
    "\"y\":{\"distribution\":\"uniform\",\"max\":1.0,\"min\":0.0}},\"resume\":true}";

/* All come to the first rung but each seventh, which fails; each third to the second; each ninth ends. */
#define RUNS 24
#define FAILED 3
#define AT_SECOND 7
#define WHOLE 3
#define EVENTS (RUNS + AT_SECOND + WHOLE)

static void make_sweep(struct database *database)
{
    char sql[3000];
    fixture_sweep(database, (struct sweep_options){.sweep_id = SWEEP});
    (void)snprintf(sql, sizeof sql,
                   "UPDATE besom.sweep_specs SET spec = '%s';"
                   "INSERT INTO besom.runs (sweep_id, run_id, ordinal, spec_version, params, config_hash, "
                   "unique_config, "
                   "run_seed, state, attempt) "
                   "SELECT '%s', 'r' || i, i - 1, 1, '{\"x\":' || x || ',\"y\":' || y || '}', '', false, 0, "
                   "CASE WHEN i %% 7 = 0 THEN 'failed' WHEN i %% 9 = 1 THEN 'finished' ELSE 'paused' END, 1 "
                   "FROM (SELECT i, (i * 37 %% 101) / 101.0::float8 AS x, (i * 53 %% 89) / 89.0::float8 AS y "
                   "FROM generate_series(1, %d) i) p;"
                   "INSERT INTO besom.rung_values (sweep_id, number, run_id, attempt, band_index, band, "
                   "value, best, kind, "
                   "ordinal) "
                   "SELECT '%s', row_number() OVER (ORDER BY stage, i), 'r' || i, 1, CASE WHEN ends THEN -1 "
                   "ELSE stage END, 1, "
                   "CASE WHEN i %% 7 = 0 THEN 'NaN' ELSE 1.0 / (stage + 1) + (i * 37 %% 101) / 101.0 END, 0, "
                   "CASE WHEN ends THEN 'ended' ELSE 'value' END, i - 1 "
                   "FROM (SELECT i, stage, i %% 7 = 0 OR stage = 2 AS ends "
                   "FROM generate_series(1, %d) i, generate_series(0, 2) stage "
                   "WHERE stage = 0 OR (i %% 7 <> 0 AND i %% CASE stage WHEN 1 THEN 3 ELSE 9 END = 1)) e",
                   spec_text, SWEEP, RUNS, SWEEP, RUNS);
    database_execute(database->url, sql);
    assert_int_equal(database_number(database->url, "SELECT count(*) FROM besom.rung_values"), EVENTS);
}

static struct model_source make_source(struct database *database)
{
    struct model_source source = {.store = database->store};
    assert_ok(spec_cache_new(database->store, 1u << 20, &source.specs, &test_err));
    return source;
}

static struct suggest_batch suggest_at(struct model *model, const struct model_source *source, int64_t cursor)
{
    struct suggest_batch batch;
    const struct model_question question = {
        .sweep_id = SWEEP, .spec_version = 1, .first_ordinal = RUNS, .rung_cursor = cursor, .count = 2};
    assert_ok(model_suggest(model, source, &question, &batch, &test_err));
    assert_int_equal(batch.count, 2);
    return batch;
}

static void assert_as_rebuilt(struct model *model, const struct model_source *source, int64_t cursor)
{
    struct model fresh = {.bayes = NULL};
    struct suggest_batch a CLEANUP(suggest_batch_free) = suggest_at(model, source, cursor);
    struct suggest_batch b CLEANUP(suggest_batch_free) = suggest_at(&fresh, source, cursor);
    for (size_t i = 0; i < a.count; i++) {
        assert_memory_equal(a.items[i].config_hash, b.items[i].config_hash, SPACE_HASH_SIZE);
        assert_true(json_equal(a.items[i].why, b.items[i].why));
    }
    model_clear(&fresh, source->specs);
}

static void assert_budget(struct model *model, const struct model_source *source, int64_t cursor, int64_t at,
                          int64_t values)
{
    struct suggest_batch batch CLEANUP(suggest_batch_free) = suggest_at(model, source, cursor);
    const json_t *budget = json_object_get(batch.items[0].why, "budget");
    assert_int_equal(json_integer_value(json_object_get(budget, "at")), at);
    assert_int_equal(json_integer_value(json_object_get(budget, "values")), values);
    assert_string_equal(json_string_value(json_object_get(budget, "unit")), "row");
}

static void a_grown_model_says_what_a_rebuilt_one_says(void **state)
{
    struct database *database = *state;
    struct model_source source = make_source(database);
    struct model grown = {.bayes = NULL};
    make_sweep(database);
    for (int64_t cursor = 0; cursor <= EVENTS; cursor++)
        assert_as_rebuilt(&grown, &source, cursor);
    assert_as_rebuilt(&grown, &source, RUNS / 2); /* an older one */
    model_clear(&grown, source.specs);
    spec_cache_free(source.specs);
}

static void the_highest_budget_with_enough_values_is_learnt_from(void **state)
{
    struct database *database = *state;
    struct model_source source = make_source(database);
    struct model model = {.bayes = NULL};
    make_sweep(database);
    assert_budget(&model, &source, 0, 1, 0);
    assert_budget(&model, &source, 3, 1, 3);
    assert_budget(&model, &source, RUNS, 1, RUNS - FAILED);
    assert_budget(&model, &source, RUNS + 3, 1, RUNS - FAILED);
    assert_budget(&model, &source, RUNS + 4, 3, 4); /* two dimensions need four */
    assert_budget(&model, &source, EVENTS, 3, AT_SECOND);
    model_clear(&model, source.specs);
    spec_cache_free(source.specs);
}

static void prior_runs_are_whole_ones(void **state)
{
    struct database *database = *state;
    struct model_source source = make_source(database);
    struct model model = {.bayes = NULL};
    make_sweep(database);
    database_execute(
        database->url,
        "INSERT INTO besom.prior_runs (sweep_id, position, run_id, source_sweep_id, params, "
        "config_hash, state, objective) SELECT '" SWEEP "', i, 'p' || i, 'other', "
        "'{\"x\":' || i / 10.0 || ',\"y\":0.5}', '', 'finished', i FROM generate_series(0, 1) i");
    assert_budget(&model, &source, EVENTS - 2, 3, AT_SECOND);
    assert_budget(&model, &source, EVENTS, 9, WHOLE + 2);
    assert_as_rebuilt(&model, &source, EVENTS);
    model_clear(&model, source.specs);
    spec_cache_free(source.specs);
}

static void an_end_that_changed_is_learnt_anew(void **state)
{
    struct database *database = *state;
    struct model_source source = make_source(database);
    struct model model = {.bayes = NULL};
    make_sweep(database);
    struct suggest_batch before CLEANUP(suggest_batch_free) = suggest_at(&model, &source, RUNS);
    assert_true(before.count > 0);
    database_execute(database->url, "UPDATE besom.runs SET state = 'stopped' WHERE run_id = 'r14'");
    assert_as_rebuilt(&model, &source, RUNS);
    database_execute(database->url, "DELETE FROM besom.runs WHERE run_id = 'r5'");
    assert_as_rebuilt(&model, &source, RUNS);
    assert_budget(&model, &source, RUNS, 1, RUNS - FAILED - 1);
    model_clear(&model, source.specs);
    spec_cache_free(source.specs);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, database_make, database_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_grown_model_says_what_a_rebuilt_one_says),
        CASE(the_highest_budget_with_enough_values_is_learnt_from),
        CASE(prior_runs_are_whole_ones),
        CASE(an_end_that_changed_is_learnt_anew),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
