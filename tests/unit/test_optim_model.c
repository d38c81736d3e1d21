// SPDX-License-Identifier: GPL-3.0-or-later
/* What the optimiser believes: predictions in units of the values, outliers, failures, many results. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/random.h"
#include "optim/optim.h"

#define DIMS 3

static const struct optim_dim dims[DIMS] = {
    {.kind = OPTIM_FLOAT}, {.kind = OPTIM_FLOAT}, {.kind = OPTIM_CATEGORY, .levels = 2}};
static const struct optim_space space = {.dims = dims, .count = DIMS};

static double value_of(const double *x)
{
    return 50 - 20 * pow(x[0] - 0.4, 2) - 10 * pow(x[1] - 0.7, 2) - x[2];
}

static void random_point(uint64_t ordinal, double *out)
{
    for (uint32_t i = 0; i < DIMS; i++)
        out[i] = random_draw_unit(1, ordinal, "point", i);
    out[DIMS - 1] = floor(2 * out[DIMS - 1]);
}

static struct optim *make(void)
{
    struct optim *optim = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(optim_new(&space, 7, &optim, &err), STATUS_OK);
    return optim;
}

static void tell(struct optim *optim, const double *x, double value)
{
    struct err err = ERR_INIT;
    assert_int_equal(optim_tell(optim, x, value, &err), STATUS_OK);
}

static void tell_random(struct optim *optim, uint64_t from, uint64_t to)
{
    for (uint64_t j = from; j < to; j++) {
        double x[DIMS];
        random_point(j, x);
        tell(optim, x, value_of(x));
    }
}

static void predict(struct optim *optim, const double *x, double *mean, double *deviation)
{
    struct err err = ERR_INIT;
    assert_int_equal(optim_predict(optim, x, 1, mean, deviation, &err), STATUS_OK);
}

static void test_predicts_in_units_of_the_values(void **state)
{
    (void)state;
    struct optim *optim = make();
    struct err err = ERR_INIT;
    const double best[DIMS] = {0.4, 0.7, 0};
    double mean = 0;
    double deviation = 0;
    assert_int_equal(optim_predict(optim, best, 1, &mean, &deviation, &err), STATUS_PRECONDITION);
    tell_random(optim, 0, 60);
    predict(optim, best, &mean, &deviation);
    assert_true(fabs(mean - 50) < 0.5);
    assert_true(deviation > 0 && deviation < 1);
    optim_free(optim);
}

/* Among good neighbours, a value that is far too bad is a mishap of that run. */
static void test_an_outlier_is_not_believed(void **state)
{
    (void)state;
    struct optim *optim = make();
    const double mishap[DIMS] = {0.41, 0.69, 0};
    double mean = 0;
    double deviation = 0;
    tell_random(optim, 0, 60);
    tell(optim, mishap, -1000);
    tell_random(optim, 61, 70);
    predict(optim, mishap, &mean, &deviation);
    assert_true(fabs(mean - 50) < 1);
    optim_free(optim);
}

static void suggest(struct optim *optim, uint64_t ordinal, double *out, struct optim_report *report)
{
    struct err err = ERR_INIT;
    const struct optim_question question = {.ordinal = ordinal};
    assert_int_equal(optim_suggest(optim, &question, out, report, &err), STATUS_OK);
}

/* Where nothing but failures came, the chance of success is small and the model looks elsewhere. */
static void test_failures_repel(void **state)
{
    (void)state;
    struct optim *optim = make();
    tell_random(optim, 0, 20);
    for (uint64_t j = 100; j < 160; j++) {
        double x[DIMS];
        random_point(j, x);
        if (x[0] > 0.3)
            tell(optim, x, NAN);
    }
    size_t inside = 0;
    for (uint64_t k = 0; k < 20; k++) {
        double x[DIMS];
        struct optim_report report;
        suggest(optim, 200 + k, x, &report);
        if (report.phase == OPTIM_MODEL) {
            assert_true(report.success > 0 && report.success < 1);
            inside += x[0] > 0.5;
        }
    }
    assert_true(inside <= 4);
    optim_free(optim);
}

/* Where the best is known to all digits, the other level of the category gets most of the points that look
 * elsewhere. */
static void test_looks_at_other_levels(void **state)
{
    (void)state;
    struct optim *optim = make();
    const double best[DIMS] = {0.4, 0.7, 0};
    size_t elsewhere = 0;
    size_t other = 0;
    size_t named = 0;
    tell_random(optim, 0, 60);
    tell(optim, best, value_of(best));
    for (uint64_t k = 0; k < 60; k++) {
        double x[DIMS];
        struct optim_report report;
        suggest(optim, 100 + k, x, &report);
        elsewhere += report.phase == OPTIM_EXPLORE;
        other += report.phase == OPTIM_EXPLORE && x[DIMS - 1] == 1;
        named += report.has_focus;
        if (report.has_focus)
            assert_true(report.phase == OPTIM_EXPLORE && report.focus_dim == DIMS - 1 && x[DIMS - 1] == 1);
        tell(optim, x, value_of(x));
    }
    assert_true(elsewhere > 15);
    assert_true(other * 3 > elsewhere * 2);
    assert_true(named * 2 > elsewhere && named < elsewhere);
    optim_free(optim);
}

/* More results than the model takes in: a subset stands for them, the same whoever asks when. */
static void test_many_results(void **state)
{
    (void)state;
    struct optim *pieces = make();
    struct optim *once = make();
    double a[DIMS];
    double b[DIMS];
    struct optim_report report;
    tell_random(pieces, 0, 300);
    suggest(pieces, 300, a, &report);
    tell_random(pieces, 300, 560);
    suggest(pieces, 560, a, &report);
    tell_random(pieces, 560, 700);
    tell_random(once, 0, 700);
    for (uint64_t k = 0; k < 3; k++) {
        suggest(pieces, 701 + k, a, &report);
        suggest(once, 701 + k, b, &report);
        assert_memory_equal(a, b, sizeof a);
    }
    double mean = 0;
    double deviation = 0;
    const double best[DIMS] = {0.4, 0.7, 0};
    predict(once, best, &mean, &deviation);
    assert_true(fabs(mean - 50) < 0.2);
    optim_free(pieces);
    optim_free(once);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_predicts_in_units_of_the_values),
        cmocka_unit_test(test_an_outlier_is_not_believed),
        cmocka_unit_test(test_failures_repel),
        cmocka_unit_test(test_looks_at_other_levels),
        cmocka_unit_test(test_many_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
