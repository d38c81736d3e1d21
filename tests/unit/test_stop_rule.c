// SPDX-License-Identifier: GPL-3.0-or-later
/* Decisions of the band rule, also against a brute-force reading of it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    const struct stop_value brought = {value, value, value};
    if (stop_rule_observe(rule, run, attempt, band, &brought, &decision, &err) != STATUS_OK)
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
    const struct stop_value brought = {.value = 5.0, .best = 0.5, .mean = 2.0};
    assert_int_equal(stop_rule_observe(rule, "b", 1, 0, &brought, &decision, &err), STATUS_OK);
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
    assert_int_equal(other.count, 2); /* the first attempt's value at band 1 stays: the second goes on */
    stop_rule_forget(rule, "b");
    struct err err = ERR_INIT;
    assert_int_equal(stop_rule_judge(rule, "b", 1, 9.0, &other, &err), STATUS_PRECONDITION);
    assert_int_equal(observe(rule, "b", 1, 1, 8.0).count, 2);
    stop_rule_free(rule);
}

static void test_wrong_values_are_refused(void **state)
{
    (void)state;
    struct stop_rule *rule = new_rule(3, true, false);
    struct stop_decision decision;
    struct err err = ERR_INIT;
    static const struct stop_value wrong[] = {{NAN, 0, 0}, {INFINITY, 0, 0}, {0, NAN, 0}, {0, 0, -INFINITY}};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_int_equal(stop_rule_observe(rule, "a", 1, 0, &wrong[i], &decision, &err), STATUS_INVALID);
    static const struct stop_value right = {1, 1, 1};
    assert_int_equal(stop_rule_observe(rule, "a", 1, 99, &right, &decision, &err), STATUS_INVALID);
    assert_int_equal(stop_rule_observe(rule, "", 1, 0, &right, &decision, &err), STATUS_INVALID);
    stop_rule_free(rule);
}

/* 1 / 49 times 49 is less than 1 in doubles. */
static void test_the_rank_is_rounded_as_in_python(void **state)
{
    (void)state;
    struct stop_rule *rule = new_rule(49, true, false);
    struct stop_decision decision;
    for (int i = 1; i <= 50; i++) {
        char run[32];
        snprintf(run, sizeof run, "run%d", i);
        decision = observe(rule, run, 1, 0, i);
        assert_int_equal(decision.rank_index, i == 50 ? 1 : 0);
    }
    assert_true(decision.threshold == 2);
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
    return sorted[(size_t)(1 / eta * (double)count)];
}

static void test_agrees_with_brute_force(void **state)
{
    (void)state;
    static const double etas[] = {1.5, 2, 3, 4.5, 49};
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

static struct stop_rule *rule_of(const struct stop_config *config)
{
    struct stop_rule *rule = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(stop_rule_new(config, false, &rule, &err), STATUS_OK);
    return rule;
}

static struct stop_decision bring(struct stop_rule *rule, size_t number, size_t band, struct stop_value value)
{
    char run[32];
    struct stop_decision decision;
    struct err err = ERR_INIT;
    snprintf(run, sizeof run, "run%zu", number);
    assert_int_equal(stop_rule_observe(rule, run, 1, band, &value, &decision, &err), STATUS_OK);
    return decision;
}

/* How many of the others are better. */
static size_t better_than(const double *values, size_t count, double value)
{
    size_t better = 0;
    for (size_t i = 0; i < count; i++)
        better += values[i] < value;
    return better;
}

static void test_asha_keeps_the_best_share(void **state)
{
    (void)state;
    static const struct stop_config config = {
        .type = STOP_ASHA, .min_iter = 1, .max_iter = 81, .eta = 3, .strict = true};
    struct stop_rule *rule = rule_of(&config);
    double values[RUNS];
    assert_int_equal(stop_rule_band_count(rule), 4);
    assert_int_equal(stop_rule_band(rule, 3), 27);
    for (size_t i = 0; i < RUNS; i++) {
        values[i] = floor(random_draw_unit(6, i, "value", 0) * 50);
        struct stop_decision decision = bring(rule, i, 0, (struct stop_value){values[i], 0, 0});
        size_t kept = (i + 1) / 3 > 1 ? (i + 1) / 3 : 1;
        assert_int_equal(decision.stop, better_than(values, i, values[i]) >= kept);
        assert_int_equal(decision.rank_index, kept - 1);
    }
    stop_rule_free(rule);
}

static double brute_median(const double *values, size_t count)
{
    double sorted[RUNS];
    memcpy(sorted, values, count * sizeof sorted[0]);
    qsort(sorted, count, sizeof sorted[0], compare_doubles);
    return count % 2 == 1 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

static void test_median_of_the_others_averages(void **state)
{
    (void)state;
    static const struct stop_config config = {
        .type = STOP_MEDIAN, .min_iter = 1, .eta = 1.15, .min_runs = 5, .grace = 2};
    struct stop_rule *rule = rule_of(&config);
    double means[RUNS];
    for (size_t i = 0; i < RUNS; i++) {
        means[i] = floor(random_draw_unit(7, i, "mean", 0) * 50);
        double best = means[i] - floor(random_draw_unit(7, i, "best", 0) * 20);
        struct stop_decision decision = bring(rule, i, 1, (struct stop_value){99, best, means[i]});
        bool worse = i > 0 && best > brute_median(means, i);
        assert_int_equal(decision.stop, worse && i >= 5);
        assert_int_equal(decision.spared, worse && i < 5 ? STOP_SPARED_TOO_FEW : STOP_NOT_SPARED);
        assert_int_equal(decision.count, i);
    }
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(bring(rule, i, 0, (struct stop_value){0, 5.0 + (double)i, (double)i}).spared,
                         i == 0  ? STOP_NOT_SPARED
                         : i < 5 ? STOP_SPARED_TOO_FEW
                                 : STOP_SPARED_GRACE);
    stop_rule_free(rule);
}

static void test_grace_and_share_of_stops(void **state)
{
    (void)state;
    static const struct stop_config config = {
        .form = STOP_FORM_MIN_ITER, .min_iter = 1, .eta = 3, .strict = true, .grace = 3, .max_stops = 0.25};
    struct stop_rule *rule = rule_of(&config);
    size_t stops = 0;
    for (size_t i = 0; i < 40; i++) {
        struct stop_value value = {.value = (double)i};
        assert_int_equal(bring(rule, i, 0, value).spared, i == 0 ? STOP_NOT_SPARED : STOP_SPARED_GRACE);
        struct stop_decision decision = bring(rule, i, 1, value);
        stops += decision.stop;
        assert_true((double)stops <= 0.25 * (double)(i + 1));
        assert_true(decision.value <= decision.threshold || decision.stop ||
                    decision.spared == STOP_SPARED_MAX_STOPS);
    }
    assert_int_equal(stops, 10);
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
        cmocka_unit_test(test_the_rank_is_rounded_as_in_python),
        cmocka_unit_test(test_agrees_with_brute_force),
        cmocka_unit_test(test_rivals_are_the_best_and_the_nearest),
        cmocka_unit_test(test_asha_keeps_the_best_share),
        cmocka_unit_test(test_median_of_the_others_averages),
        cmocka_unit_test(test_grace_and_share_of_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
