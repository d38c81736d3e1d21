// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Draws of every kind against its exact law: Kolmogorov and Smirnov's test for continuous ones, Pearson's for
 * discrete ones, 100,000 draws each at a fixed seed. The laws are written here from their definitions.
 */
#include <gsl/gsl_sf_gamma.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "space/space.h"

#define DRAWS 100000
#define SEED 11
#define LEAST_P 0.001
#define CELLS_MAX 4096
#define LEAST_EXPECTED 5.0

typedef double law(const double a[2], double x); /* P(X <= x) */

static double clamp01(double x)
{
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

static double flat(const double a[2], double x)
{
    return clamp01((x - a[0]) / (a[1] - a[0]));
}

static double flat_log(const double a[2], double x)
{
    return x <= 0 ? 0 : clamp01(log(x / a[0]) / log(a[1] / a[0]));
}

static double flat_exponent(const double a[2], double x)
{
    return x <= 0 ? 0 : flat(a, log(x));
}

static double flat_inverse_exponent(const double a[2], double x)
{
    return x <= 0 ? 0 : 1 - flat(a, log(1 / x));
}

static double bell(const double a[2], double x)
{
    return 0.5 * erfc((a[0] - x) / (a[1] * sqrt(2)));
}

static double bell_log(const double a[2], double x)
{
    return x <= 0 ? 0 : bell(a, log(x));
}

/* Simpson's rule over the density; both shapes are at least 1. */
static double beta(const double a[2], double x)
{
    enum { STEPS = 400 };
    double scale = exp(lgamma(a[0] + a[1]) - lgamma(a[0]) - lgamma(a[1]));
    double end = clamp01(x);
    double sum = 0;
    for (int i = 0; i <= STEPS; i++) {
        double t = end * i / STEPS;
        double weight = i == 0 || i == STEPS ? 1 : i % 2 == 1 ? 4 : 2;
        sum += weight * pow(t, a[0] - 1) * pow(1 - t, a[1] - 1);
    }
    return clamp01(scale * sum * end / STEPS / 3);
}

struct subject {
    const char *kind;
    const char *keys;
    law *law;
    double arguments[2];
    double low, high; /* of the law */
    double q;         /* 0: continuous */
    bool whole;       /* the values are integers */
};

#define KINDS_BOTH(name, keys, law, first, second, low, high)                         \
    {name, keys, law, {first, second}, low, high, 0, false},                          \
        {"q_" name, keys ", \"q\": 2", law, {first, second}, low, high, 2, true},     \
    {                                                                                 \
        "q_" name, keys ", \"q\": 0.25", law, {first, second}, low, high, 0.25, false \
    }

static const struct subject subjects[] = {
    KINDS_BOTH("uniform", "\"min\": -7.5, \"max\": 12", flat, -7.5, 12, -7.5, 12),
    KINDS_BOTH("log_uniform", "\"min\": -2, \"max\": 4", flat_exponent, -2, 4, 0.1353352832366127,
               54.598150033144236),
    KINDS_BOTH("log_uniform_values", "\"min\": 0.5, \"max\": 300", flat_log, 0.5, 300, 0.5, 300),
    KINDS_BOTH("normal", "\"mu\": 3, \"sigma\": 5", bell, 3, 5, -INFINITY, INFINITY),
    KINDS_BOTH("log_normal", "\"mu\": 1, \"sigma\": 0.75", bell_log, 1, 0.75, 0, INFINITY),
    KINDS_BOTH("beta", "\"a\": 2, \"b\": 3.5", beta, 2, 3.5, 0, 1),
    {"q_beta", "\"a\": 3, \"b\": 1.5, \"q\": 0.01", beta, {3, 1.5}, 0, 1, 0.01, false},
    {"log_uniform_values", "\"min\": 1e-9, \"max\": 1e9", flat_log, {1e-9, 1e9}, 1e-9, 1e9, 0, false},
    {"inv_log_uniform",
     "\"min\": -1, \"max\": 3",
     flat_inverse_exponent,
     {-1, 3},
     0.049787068367863944,
     2.718281828459046,
     0,
     false},
    {"inv_log_uniform_values", "\"min\": 0.01, \"max\": 10", flat_log, {0.01, 10}, 0.01, 10, 0, false},
};

static json_t *load(const char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, 0, &error);
    if (value == NULL)
        fail_msg("%s: %s", text, error.text);
    return value;
}

static struct space *one(const char *kind, const char *keys)
{
    char text[300];
    snprintf(text, sizeof text, "{\"p\": {\"distribution\": \"%s\", %s}}", kind, keys);
    json_t *parameters = load(text);
    struct space *space = NULL;
    struct err err = ERR_INIT;
    if (space_new(parameters, &space, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    json_decref(parameters);
    return space;
}

/* New reference. */
static json_t *draw(const struct space *space, uint64_t ordinal)
{
    json_t *config = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(space_random_point(space, SEED, ordinal, &config, &err), STATUS_OK);
    json_t *value = json_incref(json_object_get(config, "p"));
    json_decref(config);
    return value;
}

static double values[DRAWS];

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void draw_all(const struct subject *subject)
{
    struct space *space = one(subject->kind, subject->keys);
    double slack = subject->q / 2;
    for (uint64_t i = 0; i < DRAWS; i++) {
        json_t *value = draw(space, i);
        values[i] = json_number_value(value);
        if (json_is_integer(value) != subject->whole || !json_is_number(value))
            fail_msg("%s, draw %llu: wrong type", subject->kind, (unsigned long long)i);
        if (!(values[i] >= subject->low - slack && values[i] <= subject->high + slack))
            fail_msg("%s, draw %llu: %.17g is outside", subject->kind, (unsigned long long)i, values[i]);
        json_decref(value);
    }
    space_free(space);
    qsort(values, DRAWS, sizeof values[0], compare_doubles);
}

/* P of a distance as large between a law and an empirical one. */
static double kolmogorov_p(double distance)
{
    double lambda = (sqrt(DRAWS) + 0.12 + 0.11 / sqrt(DRAWS)) * distance;
    double sum = 0;
    for (int k = 1; k <= 100; k++)
        sum += (k % 2 == 1 ? 2 : -2) * exp(-2.0 * k * k * lambda * lambda);
    return lambda < 0.2 ? 1 : clamp01(sum);
}

static void check_continuous(const struct subject *subject)
{
    double distance = 0;
    for (int i = 0; i < DRAWS; i++) {
        double p = subject->law(subject->arguments, values[i]);
        distance = fmax(distance, fmax(p - (double)i / DRAWS, (i + 1.0) / DRAWS - p));
    }
    double p = kolmogorov_p(distance);
    if (!(p > LEAST_P))
        fail_msg("%s (seed %d): distance %g, p = %g", subject->kind, SEED, distance, p);
}

/* Neighbouring cells are put together until each may expect enough. */
struct pearson {
    double expected, seen;
    double statistic;
    int cells;
};

static void add_cell(struct pearson *pearson, double expected, double seen, bool last)
{
    pearson->expected += expected;
    pearson->seen += seen;
    if (pearson->expected < LEAST_EXPECTED && !last)
        return;
    if (pearson->expected > 0) {
        double off = pearson->seen - pearson->expected;
        pearson->statistic += off * off / pearson->expected;
        pearson->cells++;
    }
    pearson->expected = pearson->seen = 0;
}

static void assert_pearson(const struct pearson *pearson, const char *kind)
{
    if (pearson->cells < 2)
        return;
    double p = gsl_sf_gamma_inc_Q((pearson->cells - 1) / 2.0, pearson->statistic / 2);
    if (!(p > LEAST_P))
        fail_msg("%s (seed %d): chi-square %g over %d cells, p = %g", kind, SEED, pearson->statistic,
                 pearson->cells, p);
}

static void check_quantised(const struct subject *subject)
{
    struct pearson pearson = {0};
    double q = subject->q;
    int used = 0;
    double first = rint(values[0] / q);
    double last = rint(values[DRAWS - 1] / q);
    double below = 0;
    assert_true(last - first < CELLS_MAX);
    for (double k = first; k <= last; k++) {
        double up_to = k == last ? 1 : subject->law(subject->arguments, (k + 0.5) * q);
        int before = used;
        while (used < DRAWS && values[used] <= (k + 0.25) * q)
            if (values[used++] != k * q)
                fail_msg("%s: %.17g is no multiple of %g", subject->kind, values[used - 1], q);
        add_cell(&pearson, DRAWS * (up_to - below), used - before, k == last);
        below = up_to;
    }
    assert_int_equal(used, DRAWS);
    assert_pearson(&pearson, subject->kind);
}

static void check_subjects(size_t first, size_t count)
{
    for (size_t i = first; i < first + count && i < ARRAY_LEN(subjects); i++) {
        draw_all(&subjects[i]);
        if (subjects[i].q > 0)
            check_quantised(&subjects[i]);
        else
            check_continuous(&subjects[i]);
    }
}

static void test_uniform_laws(void **state)
{
    (void)state;
    check_subjects(0, 3);
}

static void test_logarithmic_laws(void **state)
{
    (void)state;
    check_subjects(3, 3);
}

static void test_logarithmic_laws_of_values(void **state)
{
    (void)state;
    check_subjects(6, 3);
}

static void test_normal_laws(void **state)
{
    (void)state;
    check_subjects(9, 3);
}

static void test_log_normal_laws(void **state)
{
    (void)state;
    check_subjects(12, 3);
}

static void test_beta_laws(void **state)
{
    (void)state;
    check_subjects(15, 4);
}

static void test_other_logarithmic_laws(void **state)
{
    (void)state;
    check_subjects(19, 3);
    assert_int_equal(ARRAY_LEN(subjects), 22);
}

/* Counts of each value of a list, in its order. */
static void check_counts(const char *kind, const char *keys, const double *probabilities, int count,
                         int first)
{
    struct space *space = one(kind, keys);
    struct pearson pearson = {0};
    double seen[16] = {0};
    for (uint64_t i = 0; i < DRAWS; i++) {
        json_t *value = draw(space, i);
        json_int_t at = json_integer_value(value) - first;
        assert_true(json_is_integer(value) && at >= 0 && at < count);
        seen[at]++;
        json_decref(value);
    }
    for (int i = 0; i < count; i++) {
        if (probabilities[i] == 0)
            assert_true(seen[i] == 0);
        add_cell(&pearson, DRAWS * probabilities[i], seen[i], i == count - 1);
    }
    assert_pearson(&pearson, kind);
    space_free(space);
}

static void test_discrete_laws(void **state)
{
    (void)state;
    static const double sevenths[] = {1 / 7.0, 1 / 7.0, 1 / 7.0, 1 / 7.0, 1 / 7.0, 1 / 7.0, 1 / 7.0};
    static const double weights[] = {0.5, 0, 0.2, 0.05, 0.25};
    check_counts("int_uniform", "\"min\": -3, \"max\": 3", sevenths, 7, -3);
    check_counts("categorical", "\"values\": [0, 1, 2, 3, 4, 5, 6]", sevenths, 7, 0);
    check_counts("categorical_w_probabilities",
                 "\"values\": [0, 1, 2, 3, 4], \"probabilities\": [0.5, 0, 0.2, 0.05, 0.25]", weights, 5, 0);
    check_counts("constant", "\"value\": 5", (const double[]){1, 0}, 1, 5);
}

/* W&B's rule: round(x / q, half to even) * q of the same law's value at the same place, never clamped. */
static void test_quantised_values_are_rounded_plain_ones(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    for (size_t i = 0; i < ARRAY_LEN(subjects); i++) {
        if (subjects[i].q == 0)
            continue;
        char keys[200];
        snprintf(keys, sizeof keys, "%s", subjects[i].keys);
        *strstr(keys, ", \"q\"") = '\0';
        struct space *rounded = one(subjects[i].kind, subjects[i].keys);
        struct space *plain = one(subjects[i].kind + strlen("q_"), keys);
        for (int step = 0; step <= 1000; step++) {
            double u = step / 1000.0;
            json_t *x = NULL;
            json_t *y = NULL;
            assert_int_equal(space_from_unit(plain, &u, &x, &err), STATUS_OK);
            assert_int_equal(space_from_unit(rounded, &u, &y, &err), STATUS_OK);
            double expected = rint(json_real_value(json_object_get(x, "p")) / subjects[i].q) * subjects[i].q;
            assert_true(json_number_value(json_object_get(y, "p")) == expected);
            json_decref(x);
            json_decref(y);
        }
        space_free(rounded);
        space_free(plain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uniform_laws),
        cmocka_unit_test(test_logarithmic_laws),
        cmocka_unit_test(test_logarithmic_laws_of_values),
        cmocka_unit_test(test_normal_laws),
        cmocka_unit_test(test_log_normal_laws),
        cmocka_unit_test(test_beta_laws),
        cmocka_unit_test(test_other_logarithmic_laws),
        cmocka_unit_test(test_discrete_laws),
        cmocka_unit_test(test_quantised_values_are_rounded_plain_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
