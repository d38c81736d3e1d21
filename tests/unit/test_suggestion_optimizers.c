// SPDX-License-Identifier: GPL-3.0-or-later
/* Bayesian search of a study by every optimizer: replays, reasons, points of the file, imputed runs, runs
 * from elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "services/suggestion/bayes.h"

static const char *const optimizers[] = {"gp", "tpe", "cmaes", "sobol"};

#define SPACE                                                                                      \
    "\"parameters\":{\"x\":{\"min\":0.0,\"max\":1.0},\"n\":{\"min\":1,\"max\":9},"                 \
    "\"way\":{\"values\":[\"a\",\"b\"]},\"m\":{\"min\":0.0,\"max\":1.0,\"when\":{\"way\":\"a\"}}," \
    "\"k\":{\"value\":7}}"

static struct spec *parse_text(const char *text)
{
    struct spec_options options = {.methods = ~0u};
    static struct spec_problems problems;
    struct spec *spec = NULL;
    struct err err = ERR_INIT;
    spec_problems_init(&problems);
    if (spec_parse(text, strlen(text), "sweep", &options, &spec, &problems, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    spec_problems_free(&problems);
    return spec;
}

/* A sweep file with these keys beside method, metric and parameters; `metric` within the metric. */
static struct spec *parse(const char *keys, const char *metric)
{
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "{\"method\":\"bayes\",%s\"metric\":{\"name\":\"loss\"%s},\"program\":\"t\"," SPACE "}",
                   keys, metric);
    return parse_text(text);
}

static struct spec *parse_optimizer(const char *name, const char *metric)
{
    char keys[64];
    (void)snprintf(keys, sizeof keys, "\"optimizer\":\"%s\",", name);
    return parse(keys, metric);
}

static struct bayes *begin(const struct spec *spec)
{
    struct bayes *bayes = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(bayes_new(spec, 3, 0, &bayes, &err), STATUS_OK);
    return bayes;
}

static struct suggestion ask(struct bayes *bayes, int64_t ordinal)
{
    struct suggestion item = {.ordinal = ordinal};
    struct err err = ERR_INIT;
    bool exhausted = true;
    if (bayes_ask(bayes, &item, &exhausted, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_false(exhausted);
    return item;
}

static void drop(struct suggestion *item)
{
    json_decref(item->params);
    json_decref(item->why);
}

static void tell(struct bayes *bayes, int64_t ordinal, const char *state, double value)
{
    struct bayes_outcome outcome;
    struct err err = ERR_INIT;
    assert_true(bayes_outcome_of(state, value, &outcome));
    assert_int_equal(bayes_tell(bayes, ordinal, &outcome, &err), STATUS_OK);
}

static double loss(const json_t *params)
{
    double x = json_number_value(json_object_get(params, "x"));
    double n = json_number_value(json_object_get(params, "n"));
    bool a = strcmp(json_string_value(json_object_get(params, "way")), "a") == 0;
    double m = a ? json_number_value(json_object_get(params, "m")) : 1;
    assert_int_equal(a, json_object_get(params, "m") != NULL);
    assert_int_equal(json_integer_value(json_object_get(params, "k")), 7);
    return pow(x - 0.3, 2) + pow((n - 6) / 9, 2) + pow(m - 0.5, 2);
}

/* 40 runs, three at a time, some of which fail. */
static void run(struct bayes *bayes, double *out_losses)
{
    for (int64_t k = 0; k < 43; k++) {
        if (k >= 3 && (k - 3) % 7 == 6)
            tell(bayes, k - 3, "failed", NAN);
        else if (k >= 3)
            tell(bayes, k - 3, "finished", out_losses[k - 3]);
        struct suggestion item = ask(bayes, k);
        out_losses[k] = loss(item.params);
        assert_non_null(json_object_get(item.why, "phase"));
        drop(&item);
    }
}

static void test_each_replays(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(optimizers); i++) {
        struct spec *spec = parse_optimizer(optimizers[i], "");
        struct bayes *once = begin(spec);
        struct bayes *again = begin(spec);
        double a[43];
        double b[43];
        run(once, a);
        run(again, b);
        assert_memory_equal(a, b, sizeof a);
        struct suggestion item = ask(once, 43);
        assert_string_equal(json_string_value(json_object_get(item.why, "optimizer")), optimizers[i]);
        drop(&item);
        bayes_free(once);
        bayes_free(again);
        spec_free(spec);
    }
}

/* What bounds the models must know of: here a number for each of 10,001 levels. */
static void test_places_of_levels_count_as_memory(void **state)
{
    (void)state;
    struct spec *spec = parse_text("{\"method\":\"bayes\",\"metric\":{\"name\":\"loss\"},\"program\":\"t\","
                                   "\"parameters\":{\"x\":{\"distribution\":\"q_uniform\",\"min\":0,"
                                   "\"max\":10000,\"q\":1}}}");
    struct bayes *bayes = begin(spec);
    assert_true(bayes_bytes(bayes) > 10001 * sizeof(double) && bayes_bytes(bayes) < 200000);
    bayes_free(bayes);
    spec_free(spec);
}

/* ---- points of the file ---- */

static void test_points_of_the_file_come_first(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(optimizers); i++) {
        char keys[200];
        (void)snprintf(
            keys, sizeof keys,
            "\"optimizer\":\"%s\",\"enqueue\":[{\"x\":0.3,\"n\":6,\"way\":\"a\",\"m\":0.5},{\"n\":2}],",
            optimizers[i]);
        struct spec *spec = parse(keys, "");
        struct bayes *bayes = begin(spec);
        struct suggestion first = ask(bayes, 0);
        struct suggestion second = ask(bayes, 1);
        struct suggestion own = ask(bayes, 2);
        assert_true(loss(first.params) == 0);
        assert_int_equal(json_integer_value(json_object_get(first.why, "point")), 1);
        assert_int_equal(json_integer_value(json_object_get(second.params, "n")), 2);
        assert_null(json_object_get(own.why, "point"));
        assert_int_equal(json_integer_value(json_object_get(own.why, "pending")), 2);
        tell(bayes, 0, "finished", 0);
        drop(&first);
        first = ask(bayes, 3);
        assert_true(json_real_value(json_object_get(first.why, "best")) == 0); /* they are results */
        drop(&first);
        drop(&second);
        drop(&own);
        bayes_free(bayes);
        spec_free(spec);
    }
}

/* ---- imputed runs ---- */

/* What the model is told of a run that failed with `value`, when 1 and 3 were results before and 9 comes
 * after: the same suggestions as of a run that finished with `as`. */
static void assert_counts_as(const char *metric, const char *failed, double value, double latest, double as,
                             bool with_worse)
{
    struct spec *spec = parse("\"optimizer\":\"tpe\",", metric);
    struct spec *plain = parse("\"optimizer\":\"tpe\",", "");
    struct bayes *bayes[2] = {begin(spec), begin(plain)};
    struct err err = ERR_INIT;
    json_t *last[2];
    for (size_t side = 0; side < 2; side++) {
        for (int64_t k = 0; k < 14; k++) {
            struct suggestion item = ask(bayes[side], k);
            drop(&item);
        }
        for (int64_t k = 0; k < 12; k++)
            tell(bayes[side], k, "finished", k % 2 == 0 ? 1 : 3 - 0.01 * (double)k);
        struct bayes_outcome outcome;
        assert_true(bayes_outcome_of(side == 0 ? failed : "finished", side == 0 ? value : as, &outcome));
        outcome.latest = side == 0 ? latest : as;
        assert_int_equal(bayes_tell(bayes[side], 12, &outcome, &err), STATUS_OK);
        tell(bayes[side], 13, "finished", with_worse ? 9 : 2);
        struct suggestion item = ask(bayes[side], 14);
        last[side] = json_incref(item.params);
        if (side == 0)
            assert_int_equal(json_integer_value(json_object_get(item.why, "imputed")), 1);
        drop(&item);
        bayes_free(bayes[side]);
    }
    assert_true(json_equal(last[0], last[1]));
    json_decref(last[0]);
    json_decref(last[1]);
    spec_free(spec);
    spec_free(plain);
}

static void test_failed_runs_count_as_told(void **state)
{
    (void)state;
    assert_counts_as(",\"impute\":\"worst\"", "failed", 0.5, 0.5, 2.99, false);
    assert_counts_as(",\"impute\":\"worst\"", "failed", NAN, NAN, 9, true); /* the worst that came later */
    assert_counts_as(",\"impute\":\"worst\"", "killed", 7, 7, 7, false);    /* its own is the worst */
    assert_counts_as(",\"impute\":\"best\"", "crashed", 0.5, 4, 0.5, false);
    assert_counts_as(",\"impute\":\"latest\"", "failed", 0.5, 4, 4, false);
    assert_counts_as(",\"impute\":\"latest\"", "failed", NAN, NAN, 0,
                     false); /* as W&B: 0 for what is not there */
    assert_counts_as(",\"impute\":\"worst\"", "finished", NAN, NAN, 2.99, false);
}

static void test_by_default_failures_are_failures(void **state)
{
    (void)state;
    struct spec *spec = parse("", "");
    struct bayes *bayes = begin(spec);
    for (int64_t k = 0; k < 3; k++) {
        struct suggestion item = ask(bayes, k);
        drop(&item);
    }
    tell(bayes, 0, "finished", 0.25);
    tell(bayes, 1, "failed", 0.125);
    struct suggestion item = ask(bayes, 3);
    assert_true(json_real_value(json_object_get(item.why, "best")) == 0.25);
    assert_null(json_object_get(item.why, "imputed"));
    drop(&item);
    bayes_free(bayes);
    spec_free(spec);
}

static void test_running_runs_count_as_the_worst(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) { /* gp and tpe */
        struct spec *spec = parse_optimizer(optimizers[i], ",\"impute_while_running\":\"worst\"");
        struct bayes *bayes = begin(spec);
        double losses[43];
        run(bayes, losses);
        struct suggestion item = ask(bayes, 43);
        assert_int_equal(json_integer_value(json_object_get(item.why, "imputed_running")), 3);
        drop(&item);
        bayes_free(bayes);
        spec_free(spec);
    }
}

/* ---- runs from elsewhere ---- */

static void observe(struct bayes *bayes, const char *text, double value)
{
    struct bayes_outcome outcome;
    struct err err = ERR_INIT;
    json_t *params = json_loads(text, 0, NULL);
    assert_non_null(params);
    assert_true(bayes_outcome_of("finished", value, &outcome));
    assert_int_equal(bayes_observe(bayes, params, &outcome, &err), STATUS_OK);
    json_decref(params);
}

static void test_runs_of_other_spaces(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(optimizers); i++) {
        struct spec *spec = parse_optimizer(optimizers[i], "");
        struct bayes *bayes = begin(spec);
        observe(bayes, "{\"x\":0.5,\"n\":3,\"way\":\"b\"}", 3); /* the constant is filled in */
        observe(bayes, "{\"x\":0.5,\"n\":3.0,\"way\":\"a\",\"m\":1,\"k\":8,\"more\":[1]}",
                2);                                               /* one more is left out */
        observe(bayes, "{\"x\":0.5,\"n\":3,\"way\":\"a\"}", 1);   /* m is missing */
        observe(bayes, "{\"x\":1.5,\"n\":3,\"way\":\"b\"}", 0.5); /* beyond the range */
        observe(bayes, "{\"x\":0.5,\"n\":3,\"way\":\"c\"}", 0.25);
        struct suggestion item = ask(bayes, 0);
        assert_int_equal(json_integer_value(json_object_get(item.why, "results")), 2);
        assert_true(json_real_value(json_object_get(item.why, "best")) == 2);
        assert_int_equal(json_integer_value(json_object_get(item.why, "passed_over")), 3);
        assert_string_equal(json_string_value(json_object_get(item.why, "passed_over_first")),
                            "parameter m: missing from the configuration");
        drop(&item);
        bayes_free(bayes);
        spec_free(spec);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_replays),
        cmocka_unit_test(test_places_of_levels_count_as_memory),
        cmocka_unit_test(test_points_of_the_file_come_first),
        cmocka_unit_test(test_failed_runs_count_as_told),
        cmocka_unit_test(test_by_default_failures_are_failures),
        cmocka_unit_test(test_running_runs_count_as_the_worst),
        cmocka_unit_test(test_runs_of_other_spaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
