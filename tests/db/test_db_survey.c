// SPDX-License-Identifier: GPL-3.0-or-later
/* Surveys of a sweep's results: what counts, what a change does, and who makes room for whom. */
#include "services/suggestion/survey.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "services/suggestion/bayes_space.h"
#include "services/suggestion/models.h"
#include "services/suggestion/slice.h"

static const char spec_text[] =
    "{\"method\":\"random\",\"metric\":{\"goal\":\"maximize\",\"name\":\"score\"},\"parameters\":{"
    "\"kind\":{\"distribution\":\"categorical\",\"values\":[\"a\",\"b\"]},"
    "\"x\":{\"distribution\":\"uniform\",\"max\":10.0,\"min\":0.0},"
    "\"y\":{\"distribution\":\"uniform\",\"max\":1.0,\"min\":0.0,\"when\":{\"kind\":\"b\"}}}}";

#define RUNS 36

/* Runs with results `first` to `last`: score 10 - (x - 3)^2 / 5, and y more for b; each ninth failed. */
static void add_runs(struct database *database, int first, int last)
{
    char sql[2048];
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO besom.runs (sweep_id, run_id, ordinal, spec_version, params, config_hash, "
                   "unique_config, "
                   "run_seed, state, attempt, objective, result_number) "
                   "SELECT '" SWEEP "', lpad(i::text, 8, '0'), i - 1, 1, "
                   "CASE WHEN b THEN '{\"kind\":\"b\",\"x\":' || x || ',\"y\":' || y || '}' "
                   "ELSE '{\"kind\":\"a\",\"x\":' || x || '}' END, '', false, 0, "
                   "CASE WHEN i %% 9 = 0 THEN 'failed' ELSE 'finished' END, 1, "
                   "CASE WHEN i %% 9 <> 0 THEN 10 - (x - 3) ^ 2 / 5 + CASE WHEN b THEN y ELSE 0 END END, i "
                   "FROM (SELECT i, i %% 2 = 0 AS b, (i * 37 %% 101) / 10.1::float8 AS x, (i * 53 %% 89) / "
                   "89.0::float8 AS y "
                   "FROM generate_series(%d, %d) i) p",
                   first, last);
    database_execute(database->url, sql);
}

static void make_sweep(struct database *database)
{
    char sql[1024];
    fixture_sweep(database, (struct sweep_options){.sweep_id = SWEEP});
    (void)snprintf(sql, sizeof sql, "UPDATE besom.sweep_specs SET spec = '%s' WHERE sweep_id = '" SWEEP "'",
                   spec_text);
    database_execute(database->url, sql);
}

static struct survey_source make_source(struct database *database)
{
    struct survey_source source = {.store = database->store};
    assert_ok(spec_cache_new(database->store, 1u << 20, &source.specs, &test_err));
    return source;
}

static void assert_same(struct survey *a, struct survey *b)
{
    struct survey_importance x, y;
    assert_ok(survey_importance(a, &x, &test_err));
    assert_ok(survey_importance(b, &y, &test_err));
    assert_int_equal(x.count, y.count);
    assert_int_equal(x.left_out, y.left_out);
    size_t size = bayes_space_dims(survey_space(a))->count * sizeof *x.importance->total;
    assert_memory_equal(x.importance->total, y.importance->total, size);
    assert_memory_equal(x.importance->first, y.importance->first, size);
}

static void a_survey_that_grew_is_as_one_made_anew(void **state)
{
    struct database *database = *state;
    struct survey_source source = make_source(database);
    struct survey *grown = NULL, *fresh = NULL;
    struct survey_importance found;
    make_sweep(database);
    add_runs(database, 1, 20);
    assert_ok(survey_update(&grown, &source, SWEEP, &test_err));
    assert_ok(survey_importance(grown, &found, &test_err));
    assert_int_equal(found.count, 18);
    add_runs(database, 21, RUNS);
    assert_ok(survey_update(&grown, &source, SWEEP, &test_err));
    assert_ok(survey_update(&fresh, &source, SWEEP, &test_err));
    assert_same(grown, fresh);
    assert_ok(survey_importance(grown, &found, &test_err));
    assert_int_equal(found.count, 32);
    assert_int_equal(found.left_out, 4);
    assert_true(found.importance->total[1].value > found.importance->total[2].value);
    assert_true(isnan(found.correlations[0]) && found.correlations[1] < 0);
    assert_true(found.runs[1] == 32 && found.runs[2] == 16);

    database_execute(database->url, "UPDATE besom.runs SET objective = 50 WHERE result_number = 3");
    survey_free(fresh, source.specs);
    fresh = NULL;
    assert_ok(survey_update(&grown, &source, SWEEP, &test_err));
    assert_ok(survey_update(&fresh, &source, SWEEP, &test_err));
    assert_same(grown, fresh);
    survey_free(grown, source.specs);
    survey_free(fresh, source.specs);
    spec_cache_free(source.specs);
}

/* As after an update that narrows the range of x. */
static void what_the_space_does_not_hold_is_left_out(void **state)
{
    struct database *database = *state;
    struct survey_source source = make_source(database);
    struct survey *survey = NULL;
    struct survey_importance found;
    make_sweep(database);
    add_runs(database, 1, RUNS);
    database_execute(database->url,
                     "UPDATE besom.runs SET params = '{\"kind\":\"a\",\"x\":10.5}' WHERE result_number = 1");
    database_execute(
        database->url,
        "UPDATE besom.runs SET params = '{\"kind\":\"a\",\"x\":1,\"old\":1}' WHERE result_number = 3");
    assert_ok(survey_update(&survey, &source, SWEEP, &test_err));
    assert_ok(survey_importance(survey, &found, &test_err));
    assert_int_equal(found.count, 31);
    assert_int_equal(found.left_out, 5);
    survey_free(survey, source.specs);
    spec_cache_free(source.specs);
}

static void refuses_what_tells_nothing(void **state)
{
    struct database *database = *state;
    struct survey_source source = make_source(database);
    struct survey *survey = NULL;
    struct survey_importance found;
    make_sweep(database);
    add_runs(database, 1, 7);
    assert_int_equal(survey_update(&survey, &source, "zzzzzzzz", &test_err), STATUS_NOT_FOUND);
    assert_ok(survey_update(&survey, &source, SWEEP, &test_err));
    assert_int_equal(survey_importance(survey, &found, &test_err), STATUS_PRECONDITION);
    assert_string_equal(test_err.text, "needs at least 8 finished runs with a value, has 7");
    add_runs(database, 8, 20);
    database_execute(database->url, "UPDATE besom.runs SET objective = 0.1 WHERE objective IS NOT NULL");
    assert_ok(survey_update(&survey, &source, SWEEP, &test_err));
    assert_int_equal(survey_importance(survey, &found, &test_err), STATUS_PRECONDITION);
    survey_free(survey, source.specs);
    spec_cache_free(source.specs);
}

static void recommends_and_predicts(void **state)
{
    struct database *database = *state;
    struct survey_source source = make_source(database);
    struct survey *survey = NULL;
    struct survey_run run, best;
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct slice slice CLEANUP(slice_release) = {.configs = NULL};
    size_t index = 0;
    const char *const paths[] = {"x", "kind"};
    make_sweep(database);
    add_runs(database, 1, RUNS);
    assert_ok(survey_update(&survey, &source, SWEEP, &test_err));
    assert_ok(survey_recommend(survey, &run, &best, &index, &test_err));
    assert_true(best.observed >= run.observed && run.mean >= best.mean);
    assert_true(fabs(run.mean - run.observed) < 0.3 && run.deviation < 0.3);

    const struct slice_question question = {
        .paths = paths, .path_count = 2, .points = 5, .base = survey_point(survey, index)};
    assert_ok(slice_predict(survey, &question, &slice, &arena, &test_err));
    assert_int_equal(slice.count, 10);
    for (size_t k = 0; k < slice.axes[0].count; k++) {
        double x = json_real_value(slice.axes[0].values[k]);
        double mean = slice.means[2 * k]; /* of a */
        if (fabs(mean - (10 - (x - 3) * (x - 3) / 5)) > 0.4)
            fail_msg("at x = %g %g is expected", x, mean);
    }
    assert_string_equal(json_string_value(slice.axes[1].values[1]), "b");
    survey_free(survey, source.specs);
    spec_cache_free(source.specs);
}

/* ---- threads ---- */

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int begun, done;
    bool open;
};

struct waiting_job {
    struct model_job job; /* first */
    struct gate *gate;
    bool waits;
};

static void pass(struct model_job *job, struct model *model, const struct model_source *source)
{
    struct waiting_job *waiting = (struct waiting_job *)(void *)job;
    struct gate *gate = waiting->gate;
    (void)model;
    (void)source;
    pthread_mutex_lock(&gate->lock);
    gate->begun++;
    pthread_cond_broadcast(&gate->changed);
    while (waiting->waits && !gate->open)
        pthread_cond_wait(&gate->changed, &gate->lock);
    gate->done++;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

/* Two long jobs are aside and two threads are there: the third job finds one of them free. */
static void jobs_aside_leave_a_thread(void **state)
{
    struct database *database = *state;
    struct gate gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct models *models = NULL;
    struct models_options options = {
        .source = {.store = database->store}, .threads = 2, .bytes_max = 1 << 20};
    assert_ok(spec_cache_new(database->store, 1u << 20, &options.source.specs, &test_err));
    assert_ok(models_new(&options, &models, &test_err));
    struct waiting_job jobs[] = {
        {.job = {.sweep_id = "one", .aside = true, .run = pass}, .gate = &gate, .waits = true},
        {.job = {.sweep_id = "two", .aside = true, .run = pass}, .gate = &gate, .waits = true},
        {.job = {.sweep_id = "three", .run = pass}, .gate = &gate}};
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
        assert_ok(models_submit(models, &jobs[i].job, &test_err));
    pthread_mutex_lock(&gate.lock);
    while (gate.done < 1)
        pthread_cond_wait(&gate.changed, &gate.lock);
    while (gate.begun < 2)
        pthread_cond_wait(&gate.changed, &gate.lock);
    assert_int_equal(gate.begun, 2);
    gate.open = true;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
    models_free(models);
    assert_int_equal(gate.done, 3);
    spec_cache_free(options.source.specs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_survey_that_grew_is_as_one_made_anew, database_make, database_drop),
        cmocka_unit_test_setup_teardown(what_the_space_does_not_hold_is_left_out, database_make,
                                        database_drop),
        cmocka_unit_test_setup_teardown(refuses_what_tells_nothing, database_make, database_drop),
        cmocka_unit_test_setup_teardown(recommends_and_predicts, database_make, database_drop),
        cmocka_unit_test_setup_teardown(jobs_aside_leave_a_thread, database_make, database_drop),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
