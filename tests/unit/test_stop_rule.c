// SPDX-License-Identifier: GPL-3.0-or-later
/* Decisions of the band rule, also against a brute-force reading of it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/random.h"
#include "stop/stop.h"

static struct stop_rule *new_rule(double eta, bool strict, bool maximize)
{
    struct stop_config config = {.form = STOP_FORM_MIN_ITER, .min_iter = 3, .eta = eta, .strict = strict};
    struct stop_rule *rule = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(stop_rule_new(&config, maximize, &rule, &err), STATUS_OK);
    return rule;
}

static struct stop_decision observe(struct stop_rule *rule, const char *run, int64_t attempt, size_t band,
                                    double value)
{
    struct stop_decision decision;
    struct err err = ERR_INIT;
    if (stop_rule_observe(rule, run, attempt, band, value, value, &decision, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return decision;
}

static void test_below_eta_the_best_is_the_threshold(void **state)
{
    (void)state;
    struct stop_rule *rule = new_rule(3, true, false);
    struct stop_decision first = observe(rule, "a", 1, 0, 1.0);
    assert_false(first.stop);
    assert_int_equal(first.count, 1);
    assert_int_equal(first.rank_index, 0);
    assert_true(first.threshold == 1.0);
    assert_int_equal(first.rival_count, 0);
    assert_true(observe(rule, "b", 1, 0, 2.0).stop);
    struct stop_decision third = observe(rule, "c", 1, 0, 1.5);
    assert_int_equal(third.count, 3);
    assert_int_equal(third.rank_index, 1);
    assert_true(third.threshold == 1.5);
    assert_false(third.stop);
    assert_int_equal(third.band, 3);
    stop_rule_free(rule);
}

static void test_ties_survive(void **state)
{
    (void)state;
    struct stop_rule *rule = new_rule(3, true, false);
    observe(rule, "a", 1, 0, 1.0);
    assert_false(observe(rule, "b", 1, 0, 1.0).stop);
    assert_true(observe(rule, "c", 1, 0, 1.0000001).stop);
    assert_true(observe(rule, "d", 1, 0, 1.1).stop);
    stop_rule_free(rule);
}

static void test_maximised_values_keep_their_sign(void **state)
{
    (void)state;
    struct stop_rule *rule = new_rule(4, true, true);
    observe(rule, "a", 1, 1, 0.9);
    struct stop_decision decision = observe(rule, "b", 1, 1, 0.5);
    assert_true(decision.stop);
    assert_true(decision.threshold == 0.9);
    assert_true(decision.value == 0.5);
    assert_int_equal(decision.band, 12);
    assert_int_equal(decision.rival_count, 1);
    assert_string_equal(decision.rivals[0].run, "a");
    assert_true(decision.rivals[0].value == 0.9);
    assert_false(observe(rule, "c", 1, 1, 0.95).stop);
    struct stop_decision zero = observe(rule, "d", 1, 0, 0.0);
    assert_false(signbit(zero.value));
    stop_rule_free(rule);
}

static void test_best_so_far_counts_when_not_strict(void **state)
{
    (void)state;
    struct stop_rule *rule = new_rule(3, false, false);
    struct stop_decision decision;
    struct err err = ERR_INIT;
    observe(rule, "a", 1, 0, 1.0);
    assert_int_equal(stop_rule_observe(rule, "b", 1, 0, 5.0, 0.5, &decision, &err), STATUS_OK);
    assert_false(decision.stop);
    assert_true(decision.value == 0.5);
    assert_true(observe(rule, "c", 1, 0, 5.5).stop);
    stop_rule_free(rule);
}

static void test_one_value_per_run_of_its_latest_attempt(void **state)
{
    (void)state;
    struct stop_rule *rule = new_rule(3, true, false);
    observe(rule, "a", 1, 0, 0.1);
    observe(rule, "a", 1, 1, 0.1);
    struct stop_decision again = observe(rule, "a", 2, 0, 0.7);
    assert_int_equal(again.count, 1);
    assert_true(again.threshold == 0.7);
    struct stop_decision stale = observe(rule, "a", 1, 0, 0.2);
    assert_true(stale.stale);
    assert_false(stale.stop);
    struct stop_decision other = observe(rule, "b", 1, 1, 9.0);
    assert_int_equal(other.count, 1); /* the first attempt's value at band 1 went with it */
    stop_rule_forget(rule, "b");
    struct err err = ERR_INIT;
    assert_int_equal(stop_rule_judge(rule, "b", 1, 9.0, &other, &err), STATUS_PRECONDITION);
    assert_int_equal(observe(rule, "b", 1, 1, 8.0).count, 1);
    stop_rule_free(rule);
}

static void test_wrong_values_are_refused(void **state)
{
    (void)state;
    struct stop_rule *rule = new_rule(3, true, false);
    struct stop_decision decision;
    struct err err = ERR_INIT;
    assert_int_equal(stop_rule_observe(rule, "a", 1, 0, NAN, 0, &decision, &err), STATUS_INVALID);
    assert_int_equal(stop_rule_observe(rule, "a", 1, 0, INFINITY, 0, &decision, &err), STATUS_INVALID);
    assert_int_equal(stop_rule_observe(rule, "a", 1, 99, 1, 1, &decision, &err), STATUS_INVALID);
    assert_int_equal(stop_rule_observe(rule, "", 1, 0, 1, 1, &decision, &err), STATUS_INVALID);
    stop_rule_free(rule);
}

#define RUNS 400

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double brute_threshold(const double *values, size_t count, double eta)
{
    double sorted[RUNS];
    for (size_t i = 0; i < count; i++)
        sorted[i] = values[i];
    qsort(sorted, count, sizeof sorted[0], compare_doubles);
    return sorted[(size_t)((double)count / eta)];
}

static void test_agrees_with_brute_force(void **state)
{
    (void)state;
    static const double etas[] = {1.5, 2, 3, 4.5};
    for (size_t e = 0; e < ARRAY_LEN(etas); e++) {
        struct stop_rule *rule = new_rule(etas[e], true, false);
        double values[RUNS];
        for (size_t i = 0; i < RUNS; i++) {
            char run[32];
            snprintf(run, sizeof run, "run%zu", i);
            values[i] = floor(random_draw_unit(5, i, "value", (uint32_t)e) * 50); /* with ties */
            struct stop_decision decision = observe(rule, run, 1, 0, values[i]);
            double threshold = brute_threshold(values, i + 1, etas[e]);
            assert_true(decision.threshold == threshold);
            assert_int_equal(decision.stop, values[i] > threshold);
            assert_int_equal(decision.count, i + 1);
        }
        stop_rule_free(rule);
    }
}

static void test_rivals_are_the_best_and_the_nearest(void **state)
{
    (void)state;
    struct stop_rule *rule = new_rule(3, true, false);
    for (int i = 0; i < 100; i++) {
        char run[32];
        snprintf(run, sizeof run, "run%d", i);
        observe(rule, run, 1, 0, i);
    }
    struct stop_decision decision = observe(rule, "late", 1, 0, 60.5);
    assert_true(decision.stop);
    assert_int_equal(decision.rival_count, STOP_RIVALS_MAX);
    assert_string_equal(decision.rivals[0].run, "run0");
    assert_int_equal(decision.rivals[0].rank, 0);
    assert_string_equal(decision.rivals[1].run, "run51");
    assert_string_equal(decision.rivals[10].run, "run60");
    assert_string_equal(decision.rivals[11].run, "run61");
    assert_int_equal(decision.rivals[11].rank, 62);
    stop_rule_free(rule);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_below_eta_the_best_is_the_threshold),
        cmocka_unit_test(test_ties_survive),
        cmocka_unit_test(test_maximised_values_keep_their_sign),
        cmocka_unit_test(test_best_so_far_counts_when_not_strict),
        cmocka_unit_test(test_one_value_per_run_of_its_latest_attempt),
        cmocka_unit_test(test_wrong_values_are_refused),
        cmocka_unit_test(test_agrees_with_brute_force),
        cmocka_unit_test(test_rivals_are_the_best_and_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
