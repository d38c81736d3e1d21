// SPDX-License-Identifier: GPL-3.0-or-later
/* Models of Bayesian sweeps: however one came about, the same results give the same suggestions. */
#include "services/suggestion/models.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

static const char spec_text[] =
    "{\"method\":\"bayes\",\"metric\":{\"goal\":\"minimize\",\"name\":\"loss\"},\"parameters\":{"
    "\"x\":{\"distribution\":\"uniform\",\"max\":1.0,\"min\":0.0},"
    "\"y\":{\"distribution\":\"uniform\",\"max\":1.0,\"min\":0.0}}}";

#define RUNS 40

/* Runs with results 1 to RUNS; each seventh failed. */
static void make_sweep(struct database *database, const char *sweep_id)
{
    char sql[2048];
    fixture_sweep(database, (struct sweep_options){.sweep_id = sweep_id});
    (void)snprintf(sql, sizeof sql,
                   "UPDATE besom.sweep_specs SET spec = '%s' WHERE sweep_id = '%s';"
                   "INSERT INTO besom.runs (sweep_id, run_id, ordinal, spec_version, params, config_hash, "
                   "unique_config, run_seed, state, attempt, objective, result_number) "
                   "SELECT '%s', '%s' || i, i - 1, 1, '{\"x\":' || x || ',\"y\":' || y || '}', '', false, 0, "
                   "CASE WHEN i %% 7 = 0 THEN 'failed' ELSE 'finished' END, 1, "
                   "CASE WHEN i %% 7 <> 0 THEN (x - 0.3) ^ 2 + (y - 0.6) ^ 2 END, i "
                   "FROM (SELECT i, (i * 37 %% 101) / 101.0::float8 AS x, (i * 53 %% 89) / 89.0::float8 AS y "
                   "FROM generate_series(1, %d) i) p",
                   spec_text, sweep_id, sweep_id, sweep_id, RUNS);
    database_execute(database->url, sql);
}

static struct model_source make_source(struct database *database)
{
    struct model_source source = {.store = database->store};
    assert_ok(spec_cache_new(database->store, 1u << 20, &source.specs, &test_err));
    return source;
}

static struct model_question at_cursor(int64_t cursor)
{
    return (struct model_question){.sweep_id = SWEEP,
                                   .spec_version = 1,
                                   .first_ordinal = cursor + 3, /* the three before are open */
                                   .result_cursor = cursor,
                                   .count = 2};
}

static struct suggest_batch suggest_with(struct model *model, const struct model_source *source,
                                         struct model_question question)
{
    struct suggest_batch batch;
    assert_ok(model_suggest(model, source, &question, &batch, &test_err));
    return batch;
}

static void assert_same(const struct suggest_batch *a, const struct suggest_batch *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_int_equal(a->items[i].ordinal, b->items[i].ordinal);
        assert_memory_equal(a->items[i].config_hash, b->items[i].config_hash, SPACE_HASH_SIZE);
        assert_true(json_equal(a->items[i].why, b->items[i].why));
    }
}

/* Compares what `model` says with what one says that begins from nothing. */
static void assert_as_rebuilt(struct model *model, const struct model_source *source,
                              struct model_question question)
{
    struct model fresh = {.bayes = NULL};
    struct suggest_batch a CLEANUP(suggest_batch_free) = suggest_with(model, source, question);
    struct suggest_batch b CLEANUP(suggest_batch_free) = suggest_with(&fresh, source, question);
    assert_int_equal(a.count, question.count);
    assert_same(&a, &b);
    model_clear(&fresh, source->specs);
}

static void a_grown_model_says_what_a_rebuilt_one_says(void **state)
{
    struct database *database = *state;
    struct model_source source = make_source(database);
    struct model grown = {.bayes = NULL};
    make_sweep(database, SWEEP);
    for (int64_t cursor = 0; cursor <= RUNS - 3; cursor++)
        assert_as_rebuilt(&grown, &source, at_cursor(cursor));
    model_clear(&grown, source.specs);
    spec_cache_free(source.specs);
}

static void an_older_cursor_is_answered_as_it_was(void **state)
{
    struct database *database = *state;
    struct model_source source = make_source(database);
    struct model model = {.bayes = NULL};
    make_sweep(database, SWEEP);
    struct suggest_batch before CLEANUP(suggest_batch_free) = suggest_with(&model, &source, at_cursor(20));
    struct suggest_batch later CLEANUP(suggest_batch_free) = suggest_with(&model, &source, at_cursor(30));
    struct suggest_batch after CLEANUP(suggest_batch_free) = suggest_with(&model, &source, at_cursor(20));
    assert_same(&before, &after);
    assert_memory_not_equal(before.items[0].config_hash, later.items[0].config_hash, SPACE_HASH_SIZE);
    model_clear(&model, source.specs);
    spec_cache_free(source.specs);
}

static void a_result_that_changed_is_learnt_anew(void **state)
{
    struct database *database = *state;
    struct model_source source = make_source(database);
    struct model model = {.bayes = NULL};
    make_sweep(database, SWEEP);
    struct suggest_batch before CLEANUP(suggest_batch_free) = suggest_with(&model, &source, at_cursor(30));
    assert_int_equal(before.count, at_cursor(30).count);
    database_execute(database->url, "UPDATE besom.runs SET objective = -5 WHERE result_number = 3");
    assert_as_rebuilt(&model, &source, at_cursor(30));
    database_execute(database->url, "UPDATE besom.runs SET state = 'running', objective = NULL "
                                    "WHERE result_number = 4");
    assert_as_rebuilt(&model, &source, at_cursor(30));
    database_execute(database->url, "DELETE FROM besom.runs WHERE result_number = 5");
    assert_as_rebuilt(&model, &source, at_cursor(31));
    model_clear(&model, source.specs);
    spec_cache_free(source.specs);
}

static void prior_runs_are_learnt_first(void **state)
{
    struct database *database = *state;
    struct model_source source = make_source(database);
    struct model model = {.bayes = NULL};
    make_sweep(database, SWEEP);
    database_execute(database->url,
                     "INSERT INTO besom.prior_runs (sweep_id, position, run_id, source_sweep_id, params, "
                     "config_hash, state, objective) SELECT sweep_id, ordinal, run_id, 'other', params, '', "
                     "state, objective FROM besom.runs");
    struct suggest_batch batch CLEANUP(suggest_batch_free) = suggest_with(&model, &source, at_cursor(0));
    assert_int_equal(json_integer_value(json_object_get(batch.items[0].why, "results")), RUNS);
    model_clear(&model, source.specs);
    spec_cache_free(source.specs);
}

/* Those that are no points of the space are passed over, and told. */
static void prior_runs_of_another_space(void **state)
{
    struct database *database = *state;
    struct model_source source = make_source(database);
    struct model model = {.bayes = NULL};
    make_sweep(database, SWEEP);
    database_execute(database->url,
                     "INSERT INTO besom.prior_runs (sweep_id, position, run_id, source_sweep_id, params, "
                     "config_hash, state, objective) VALUES "
                     "('" SWEEP "', 0, 'p0', 'other', '{\"x\":0.5,\"y\":0.5,\"z\":1}', '', 'finished', 1),"
                     "('" SWEEP "', 1, 'p1', 'other', '{\"x\":0.5}', '', 'finished', 1),"
                     "('" SWEEP "', 2, 'p2', 'other', '{\"x\":0.5,\"y\":2}', '', 'finished', 1)");
    struct suggest_batch batch CLEANUP(suggest_batch_free) = suggest_with(&model, &source, at_cursor(0));
    const json_t *why = batch.items[0].why;
    assert_int_equal(json_integer_value(json_object_get(why, "results")), 1);
    assert_int_equal(json_integer_value(json_object_get(why, "passed_over")), 2);
    assert_string_equal(json_string_value(json_object_get(why, "passed_over_first")),
                        "parameter y: missing from the configuration");
    model_clear(&model, source.specs);
    spec_cache_free(source.specs);
}

/* With impute: latest a failed run counts by what it logged last. */
static void last_values_of_failed_runs_count(void **state)
{
    struct database *database = *state;
    struct model_source source = make_source(database);
    struct model model = {.bayes = NULL};
    make_sweep(database, SWEEP);
    database_execute(
        database->url,
        "UPDATE besom.sweep_specs SET spec = replace(spec, '\"goal\"', "
        "'\"impute\":\"latest\",\"goal\"') WHERE sweep_id = '" SWEEP "';"
        "UPDATE besom.sweeps SET metric = 'loss' WHERE sweep_id = '" SWEEP "';"
        "INSERT INTO besom.run_summaries (sweep_id, run_id, attempt, name, points, last, last_step, "
        "min, max) SELECT sweep_id, run_id, 1, 'loss', 3, -4, 2, -6, 1 FROM besom.runs "
        "WHERE sweep_id = '" SWEEP "' AND state = 'failed'");
    struct suggest_batch batch CLEANUP(suggest_batch_free) = suggest_with(&model, &source, at_cursor(8));
    const json_t *why = batch.items[0].why;
    assert_true(json_real_value(json_object_get(why, "best")) == -4);
    assert_int_equal(json_integer_value(json_object_get(why, "imputed")), 1);
    model_clear(&model, source.specs);
    spec_cache_free(source.specs);
}

static void what_cannot_be_answered_is_told(void **state)
{
    struct database *database = *state;
    struct model_source source = make_source(database);
    struct model model = {.bayes = NULL};
    struct suggest_batch batch;
    struct model_question question = at_cursor(0);
    make_sweep(database, SWEEP);
    question.count = 0;
    assert_status(STATUS_INVALID, model_suggest(&model, &source, &question, &batch, &test_err));
    question = at_cursor(0);
    question.spec_version = 2;
    assert_status(STATUS_NOT_FOUND, model_suggest(&model, &source, &question, &batch, &test_err));
    question = at_cursor(0);
    question.first_ordinal = -1;
    assert_status(STATUS_INVALID, model_suggest(&model, &source, &question, &batch, &test_err));
    assert_null(model.bayes);
    spec_cache_free(source.specs);
}

/* ---- threads ---- */

struct asked {
    struct model_job job; /* first */
    struct model_question question;
    struct suggest_batch batch;
    atomic_int *left;
};

static void run_asked(struct model_job *job, struct model *model, const struct model_source *source)
{
    struct asked *asked = (struct asked *)(void *)job;
    struct err err = ERR_INIT;
    if (model_suggest(model, source, &asked->question, &asked->batch, &err) != STATUS_OK)
        asked->batch = (struct suggest_batch){0};
    atomic_fetch_sub(asked->left, 1);
}

#define JOBS 24

/* The answers to JOBS questions about two sweeps, asked at once; returns how many models were left. */
static void ask_at_once(struct database *database, size_t bytes_max, struct asked asked[JOBS], size_t *kept)
{
    struct model_source source = make_source(database);
    const struct models_options options = {.source = source, .threads = 3, .bytes_max = bytes_max};
    struct models *models = NULL;
    atomic_int left = JOBS;
    assert_ok(models_new(&options, &models, &test_err));
    for (int i = 0; i < JOBS; i++) {
        asked[i] = (struct asked){.question = at_cursor(i), .left = &left};
        asked[i].question.sweep_id = i % 2 == 0 ? "sweepaaa" : "sweepbbb";
        asked[i].job = (struct model_job){.sweep_id = asked[i].question.sweep_id, .run = run_asked};
        assert_ok(models_submit(models, &asked[i].job, &test_err));
    }
    while (atomic_load(&left) > 0)
        (void)models_count(models);
    *kept = models_count(models);
    models_free(models);
    assert_int_equal(atomic_load(&left), 0);
    spec_cache_free(source.specs);
}

static void models_of_many_sweeps_share_threads_and_memory(void **state)
{
    struct database *database = *state;
    static struct asked roomy[JOBS], narrow[JOBS];
    size_t kept = 0;
    make_sweep(database, "sweepaaa");
    make_sweep(database, "sweepbbb");
    ask_at_once(database, 64u << 20, roomy, &kept);
    assert_int_equal(kept, 2);
    ask_at_once(database, 1, narrow, &kept);
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(roomy[i].batch.count, 2);
        assert_same(&roomy[i].batch, &narrow[i].batch);
        suggest_batch_free(&roomy[i].batch);
        suggest_batch_free(&narrow[i].batch);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_grown_model_says_what_a_rebuilt_one_says, database_make,
                                        database_drop),
        cmocka_unit_test_setup_teardown(an_older_cursor_is_answered_as_it_was, database_make, database_drop),
        cmocka_unit_test_setup_teardown(a_result_that_changed_is_learnt_anew, database_make, database_drop),
        cmocka_unit_test_setup_teardown(prior_runs_are_learnt_first, database_make, database_drop),
        cmocka_unit_test_setup_teardown(prior_runs_of_another_space, database_make, database_drop),
        cmocka_unit_test_setup_teardown(last_values_of_failed_runs_count, database_make, database_drop),
        cmocka_unit_test_setup_teardown(what_cannot_be_answered_is_told, database_make, database_drop),
        cmocka_unit_test_setup_teardown(models_of_many_sweeps_share_threads_and_memory, database_make,
                                        database_drop),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
