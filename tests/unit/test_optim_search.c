// SPDX-License-Identifier: GPL-3.0-or-later
/* The methods behind `optimizer`: each on standard functions against what is known of it, and on every kind
 * of space. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "base/random.h"
#include "optim/cell.h"
#include "optim/margin.h"
#include "optim/search.h"

#define DIMS_MAX 10

static const struct optim_dim floats[DIMS_MAX]; /* zeroed: OPTIM_FLOAT */

static struct search begin(const struct search_method *method, const struct optim_space *space, uint64_t seed)
{
    struct search search;
    struct err err = ERR_INIT;
    assert_int_equal(search_init(&search, method, space, seed, &err), STATUS_OK);
    return search;
}

static struct search_report ask(struct search *search, uint64_t ordinal, const double *pending, size_t count,
                                double *point)
{
    struct search_report report;
    struct err err = ERR_INIT;
    const struct optim_question question = {.ordinal = ordinal, .pending = pending, .pending_count = count};
    if (search->method->suggest(search->state, &question, point, &report, &err) != STATUS_OK)
        fail_msg("%s: %s", search->method->name, err.text);
    return report;
}

static void tell(struct search *search, const double *point, double value)
{
    struct err err = ERR_INIT;
    if (search->method->tell(search->state, point, value, &err) != STATUS_OK)
        fail_msg("%s: %s", search->method->name, err.text);
}

/* ---- CMA-ES on the functions that it is judged by ---- */

static double sphere(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sum;
}

static double ellipsoid(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += pow(1e6, (double)i / (double)(n - 1)) * x[i] * x[i];
    return sum;
}

static double rosenbrock(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i + 1 < n; i++)
        sum += 100 * pow(x[i + 1] - x[i] * x[i], 2) + pow(1 - x[i], 2);
    return sum;
}

/* Evaluations until the function of 10 (u - 0.4) is below 1e-9. */
static size_t count_evaluations(double (*function)(const double *, size_t), uint64_t seed, size_t most)
{
    const struct optim_space space = {.dims = floats, .count = DIMS_MAX};
    struct search search = begin(&search_cmaes, &space, seed);
    double point[DIMS_MAX];
    double x[DIMS_MAX];
    size_t count = 0;
    for (double value = 1; value > 1e-9 && count < most; count++) {
        ask(&search, count, NULL, 0, point);
        for (size_t i = 0; i < DIMS_MAX; i++)
            x[i] = 10 * (point[i] - 0.4);
        value = function(x, DIMS_MAX);
        tell(&search, point, -value);
    }
    search_release(&search);
    return count;
}

static int compare_sizes(const void *a, const void *b)
{
    size_t x = *(const size_t *)a;
    size_t y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

static void test_cmaes_needs_what_it_needs_elsewhere(void **state)
{
    static const struct {
        const char *name;
        double (*function)(const double *, size_t);
        size_t least, most;
    } cases[] = {
        {"sphere", sphere, 1400, 2500},
        {"ellipsoid", ellipsoid, 3500, 7000},
        {"rosenbrock", rosenbrock, 4000, 8000},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t counts[7];
        for (size_t seed = 0; seed < ARRAY_LEN(counts); seed++)
            counts[seed] = count_evaluations(cases[i].function, seed, 30000);
        qsort(counts, ARRAY_LEN(counts), sizeof counts[0], compare_sizes);
        printf("%s: %zu evaluations, from %zu to %zu\n", cases[i].name, counts[3], counts[0], counts[6]);
        assert_in_range(counts[3], cases[i].least, cases[i].most);
    }
}

/* Evaluations to 1e-9 on the sphere with eight at a time, which end in any order. */
static size_t count_evaluations_of_eight(uint64_t seed, size_t most)
{
    enum { OPEN = 8 };
    const struct optim_space space = {.dims = floats, .count = DIMS_MAX};
    struct search search = begin(&search_cmaes, &space, seed);
    static double open[OPEN][DIMS_MAX];
    double x[DIMS_MAX];
    size_t begun = 0;
    size_t ended = 0;
    for (; begun < OPEN; begun++)
        ask(&search, begun, NULL, 0, open[begun]);
    for (double value = 1; value > 1e-9 && ended < most; ended++) {
        double *point = open[(size_t)(random_draw_unit(seed, ended, "ends", 0) * OPEN)];
        for (size_t i = 0; i < DIMS_MAX; i++)
            x[i] = 10 * (point[i] - 0.4);
        value = sphere(x, DIMS_MAX);
        tell(&search, point, -value);
        ask(&search, begun++, NULL, 0, point);
    }
    search_release(&search);
    return ended;
}

static void test_cmaes_bears_workers(void **state)
{
    size_t counts[7];
    (void)state;
    for (size_t seed = 0; seed < ARRAY_LEN(counts); seed++)
        counts[seed] = count_evaluations_of_eight(seed, 30000);
    qsort(counts, ARRAY_LEN(counts), sizeof counts[0], compare_sizes);
    printf("sphere, eight at a time: %zu evaluations, from %zu to %zu\n", counts[3], counts[0], counts[6]);
    assert_in_range(counts[3], 1400, 3500);
}

static double fact(const struct search_report *report, const char *name)
{
    for (size_t i = 0; i < report->fact_count; i++)
        if (strcmp(report->facts[i].name, name) == 0)
            return report->facts[i].value;
    fail_msg("no fact %s", name);
    return NAN;
}

/* Where nothing changes it begins anew, with twice as many a generation. */
static void test_cmaes_begins_anew(void **state)
{
    const struct optim_space space = {.dims = floats, .count = 2};
    struct search search = begin(&search_cmaes, &space, 1);
    double point[2];
    double first = 0;
    struct search_report report;
    (void)state;
    for (size_t c = 0; c < 1000; c++) {
        report = ask(&search, c, NULL, 0, point);
        first = c == 0 ? fact(&report, "population") : first;
        tell(&search, point, c % 5 == 0 ? NAN : 3);
    }
    assert_true(fact(&report, "restarts") >= 1);
    assert_true(fact(&report, "population") == first * pow(2, fact(&report, "restarts")));
    search_release(&search);
}

/* However small the distribution, both neighbours of the mean's level keep alpha/2, a lone one alpha. */
static void test_margin_keeps_neighbours(void **state)
{
    static const double alpha = 0.02;
    struct err err = ERR_INIT;
    (void)state;
    for (uint64_t levels = 2; levels <= 9; levels++)
        for (size_t step = 0; step <= 40; step++) {
            const struct optim_dim dim = {.kind = OPTIM_ORDERED, .levels = levels};
            double mean = -0.2 + 1.4 * (double)step / 40;
            struct cma *cma = NULL;
            assert_int_equal(cma_new(1, 6, 1e-3 * (double)(1 + step % 7 * 50), &mean, &cma, &err), STATUS_OK);
            margin_keep(cma, 0, &dim, alpha);
            double low = 0;
            double high = 0;
            uint64_t level = dims_level_near(&dim, cma->mean[0]);
            cell_bounds(&dim, level, &low, &high);
            double deviation = cma_deviation(cma, 0);
            double below = cell_mass(-HUGE_VAL, (low - cma->mean[0]) / deviation);
            double above = cell_mass((high - cma->mean[0]) / deviation, HUGE_VAL);
            bool lowest = level == 0;
            bool highest = level + 1 == levels;
            assert_true(lowest || below >= alpha / (highest ? 1 : 2) * (1 - 1e-6));
            assert_true(highest || above >= alpha / (lowest ? 1 : 2) * (1 - 1e-6));
            cma_free(cma);
        }
}

/* ---- TPE against recorded runs of Optuna's ---- */

static double branin(const double *u, size_t n)
{
    double x = 15 * u[0] - 5;
    double y = 15 * u[1];
    (void)n;
    return pow(y - 5.1 / (4 * M_PI * M_PI) * x * x + 5 / M_PI * x - 6, 2) +
           10 * (1 - 1 / (8 * M_PI)) * cos(x) + 10 - 0.39788735772973816;
}

static double hartmann6(const double *x, size_t n)
{
    static const double heights[4] = {1, 1.2, 3, 3.2};
    static const double steepness[4][6] = {{10, 3, 17, 3.5, 1.7, 8},
                                           {0.05, 10, 17, 0.1, 8, 14},
                                           {3, 3.5, 1.7, 10, 17, 8},
                                           {17, 8, 0.05, 10, 0.1, 14}};
    static const double peaks[4][6] = {{0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886},
                                       {0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991},
                                       {0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650},
                                       {0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381}};
    double sum = 3.3223680114155147;
    for (size_t k = 0; k < 4; k++) {
        double distance = 0;
        for (size_t i = 0; i < n; i++)
            distance += steepness[k][i] * pow(x[i] - peaks[k][i], 2);
        sum -= heights[k] * exp(-distance);
    }
    return sum;
}

static double rosenbrock_wide(const double *u, size_t n)
{
    double x[DIMS_MAX];
    for (size_t i = 0; i < n; i++)
        x[i] = 15 * u[i] - 5;
    return rosenbrock(x, n);
}

struct problem {
    const char *name;
    double (*regret)(const double *, size_t);
    size_t dims;
    double one_by_one[3],
        by_eight[3]; /* of Optuna 5's TPE after 100 runs: lower quartile, median, upper one */
};

static const struct problem problems[] = {
    {"branin", branin, 2, {0.0181, 0.0243, 0.0563}, {0.0251, 0.0385, 0.1017}},
    {"hartmann6", hartmann6, 6, {0.0611, 0.0915, 0.1799}, {0.2026, 0.2651, 0.604}},
    {"rosenbrock4", rosenbrock_wide, 4, {18.4968, 58.9809, 170.4562}, {23.4579, 41.2988, 169.1538}},
};

#define RUNS 100
#define WORKERS 8

/* Least regret of 100 runs, with so many at a time that end in the order in which they began. */
static double run_problem(const struct problem *problem, size_t workers, uint64_t seed)
{
    const struct optim_space space = {.dims = floats, .count = problem->dims};
    struct search search = begin(&search_tpe, &space, seed);
    double pending[WORKERS * DIMS_MAX];
    double least = HUGE_VAL;
    size_t dims = problem->dims;
    size_t begun = 0;
    for (size_t ended = 0; ended < RUNS; ended++) {
        for (size_t open = begun - ended; open < workers && begun < RUNS; open++, begun++)
            ask(&search, begun, pending, open, pending + open * dims);
        double regret = problem->regret(pending, dims);
        tell(&search, pending, -regret);
        memmove(pending, pending + dims, (WORKERS - 1) * dims * sizeof *pending);
        least = fmin(least, regret);
    }
    search_release(&search);
    return least;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

#define SEEDS 21

static void assert_no_worse(const struct problem *problem, size_t workers, const double reference[3])
{
    double regrets[SEEDS];
    for (size_t seed = 0; seed < SEEDS; seed++)
        regrets[seed] = run_problem(problem, workers, seed);
    qsort(regrets, SEEDS, sizeof regrets[0], compare_doubles);
    printf("%s, %zu at a time: median regret %.4g (quartiles %.4g, %.4g), Optuna %.4g (%.4g, %.4g)\n",
           problem->name, workers, regrets[SEEDS / 2], regrets[SEEDS / 4], regrets[3 * SEEDS / 4],
           reference[1], reference[0], reference[2]);
    assert_true(regrets[SEEDS / 2] <= reference[2]);
}

static void test_tpe_is_as_good_as_recorded(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(problems); i++) {
        assert_no_worse(&problems[i], 1, problems[i].one_by_one);
        assert_no_worse(&problems[i], WORKERS, problems[i].by_eight);
    }
}

/* ---- Sobol points ---- */

#define STRATA 256
#define WIDE 50 /* beyond the table of direction numbers */

static void test_each_stratum_is_hit_once(void **state)
{
    static struct optim_dim many[WIDE]; /* zeroed: OPTIM_FLOAT */
    const struct optim_space space = {.dims = many, .count = WIDE};
    static bool hit[WIDE][STRATA];
    double point[WIDE];
    (void)state;
    for (uint64_t first = 0; first <= 3 * STRATA; first += STRATA) {
        struct search search = begin(&search_sobol, &space, 5);
        memset(hit, 0, sizeof hit);
        for (uint64_t ordinal = first; ordinal < first + STRATA; ordinal++) {
            assert_int_equal(ask(&search, ordinal, NULL, 0, point).exhausted, false);
            for (size_t i = 0; i < WIDE; i++) {
                bool *stratum = &hit[i][(size_t)(point[i] * STRATA)];
                assert_false(*stratum);
                *stratum = true;
            }
        }
        search_release(&search);
    }
}

/* What was told does not matter. */
static void test_sobol_has_no_memory(void **state)
{
    const struct optim_space space = {.dims = floats, .count = 3};
    struct search a = begin(&search_sobol, &space, 7);
    struct search b = begin(&search_sobol, &space, 7);
    double x[3];
    double y[3];
    (void)state;
    for (uint64_t ordinal = 0; ordinal < 20; ordinal++) {
        ask(&a, ordinal, NULL, 0, x);
        ask(&b, ordinal, x, 1, y);
        assert_memory_equal(x, y, sizeof x);
        tell(&a, x, (double)ordinal);
    }
    search_release(&a);
    search_release(&b);
}

/* Squared L2 star discrepancy (Warnock's formula). */
static double discrepancy(const double *points, size_t count, size_t dims)
{
    double sum = pow(3, -(double)dims);
    for (size_t i = 0; i < count; i++) {
        double single = 1;
        for (size_t k = 0; k < dims; k++)
            single *= (1 - points[i * dims + k] * points[i * dims + k]) / 2;
        sum -= 2 * single / (double)count;
        for (size_t j = 0; j < count; j++) {
            double pair = 1;
            for (size_t k = 0; k < dims; k++)
                pair *= 1 - fmax(points[i * dims + k], points[j * dims + k]);
            sum += pair / (double)(count * count);
        }
    }
    return sum;
}

static void test_sobol_is_more_even_than_draws(void **state)
{
    enum { DIMS = 4, COUNT = 256 };
    const struct optim_space space = {.dims = floats, .count = DIMS};
    static double even[COUNT * DIMS];
    static double drawn[COUNT * DIMS];
    (void)state;
    for (uint64_t seed = 0; seed < 5; seed++) {
        struct search search = begin(&search_sobol, &space, seed);
        for (size_t c = 0; c < COUNT; c++) {
            ask(&search, c, NULL, 0, even + c * DIMS);
            for (size_t i = 0; i < DIMS; i++)
                drawn[c * DIMS + i] = random_draw_unit(seed, c, "drawn", (uint32_t)i);
        }
        assert_true(discrepancy(even, COUNT, DIMS) < discrepancy(drawn, COUNT, DIMS) / 4);
        search_release(&search);
    }
}

/* ---- mixed spaces ---- */

static const struct optim_dim mixed[] = {{.kind = OPTIM_FLOAT},
                                         {.kind = OPTIM_FLOAT},
                                         {.kind = OPTIM_ORDERED, .levels = 32},
                                         {.kind = OPTIM_ORDERED, .levels = 2},
                                         {.kind = OPTIM_CATEGORY, .levels = 5}};

static double mixed_loss(const double *x)
{
    double category = x[4] == 3 ? 0 : 0.3;
    return pow(x[0] - 0.3, 2) + pow(x[1] - x[0] - 0.2, 2) + pow((x[2] - 21) / 32, 2) + 0.2 * (x[3] != 1) +
           category;
}

/* Every method that learns finds levels and category; failures in a corner stop none. */
static void test_mixed_spaces(void **state)
{
    static const struct {
        const struct search_method *method;
        size_t runs;
        double most;
    } cases[] = {{&search_gp, 60, 0.01}, {&search_tpe, 200, 0.02}, {&search_cmaes, 600, 0.001}};
    const struct optim_space space = {.dims = mixed, .count = ARRAY_LEN(mixed)};
    double point[ARRAY_LEN(mixed)];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (uint64_t seed = 0; seed < 3; seed++) {
            struct search search = begin(cases[i].method, &space, seed);
            double least = HUGE_VAL;
            for (size_t c = 0; c < cases[i].runs; c++) {
                ask(&search, c, NULL, 0, point);
                bool fails = point[0] > 0.7 && point[1] > 0.5;
                tell(&search, point, fails ? NAN : -mixed_loss(point));
                least = fails ? least : fmin(least, mixed_loss(point));
            }
            printf("%s, seed %d: %.3g\n", cases[i].method->name, (int)seed, least);
            assert_true(least < cases[i].most);
            search_release(&search);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cmaes_needs_what_it_needs_elsewhere),
        cmocka_unit_test(test_cmaes_bears_workers),
        cmocka_unit_test(test_cmaes_begins_anew),
        cmocka_unit_test(test_margin_keeps_neighbours),
        cmocka_unit_test(test_tpe_is_as_good_as_recorded),
        cmocka_unit_test(test_each_stratum_is_hit_once),
        cmocka_unit_test(test_sobol_has_no_memory),
        cmocka_unit_test(test_sobol_is_more_even_than_draws),
        cmocka_unit_test(test_mixed_spaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
