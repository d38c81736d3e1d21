// SPDX-License-Identifier: GPL-3.0-or-later
/* Sobol indices from few points of functions whose indices are known by formula. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/random.h"
#include "optim/importance.h"
#include "optim/sobol.h"

#define PI 3.14159265358979323846
#define DIMS_MAX 8
#define COUNT_MAX 2500

static const struct optim_dim floats[DIMS_MAX] = {
    {.kind = OPTIM_FLOAT}, {.kind = OPTIM_FLOAT}, {.kind = OPTIM_FLOAT}, {.kind = OPTIM_FLOAT},
    {.kind = OPTIM_FLOAT}, {.kind = OPTIM_FLOAT}, {.kind = OPTIM_FLOAT}, {.kind = OPTIM_FLOAT}};

/* A function with its indices, of `count` random points. */
struct known {
    struct optim_space space;
    double (*function)(const double *x);
    size_t count;
    double noise;
    double total[DIMS_MAX], first[DIMS_MAX];
    double tolerance;
};

struct data {
    double points[COUNT_MAX * DIMS_MAX];
    double values[COUNT_MAX];
};

static void fill(const struct known *known, struct data *data)
{
    size_t dims = known->space.count;
    for (size_t j = 0; j < known->count; j++) {
        double full[DIMS_MAX], unit[DIMS_MAX];
        bool active[DIMS_MAX];
        for (uint32_t i = 0; i < dims; i++)
            unit[i] = random_draw_unit(3, j, "point", i);
        dims_from_unit(&known->space, unit, full);
        dims_settle(&known->space, full, active, data->points + j * dims);
        double even = random_draw_unit(3, j, "noise", 0) - 0.5;
        data->values[j] = known->function(data->points + j * dims) + known->noise * sqrt(12) * even;
    }
}

struct found {
    struct surface surface;
    struct importance importance;
};

static struct found compute(const struct known *known, const struct data *data, struct arena *arena)
{
    const struct surface_input input = {.space = &known->space,
                                        .points = data->points,
                                        .values = data->values,
                                        .count = known->count,
                                        .seed = 5};
    struct found found;
    struct err err = ERR_INIT;
    if (surface_fit(&input, &found.surface, arena, &err) != STATUS_OK ||
        importance_compute(&found.surface, &found.importance, arena, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return found;
}

static void assert_effect(const struct known *known, size_t dim, const char *what,
                          struct importance_effect found, double expected)
{
    if (!(fabs(found.value - expected) <= known->tolerance))
        fail_msg("%s of dimension %zu: %.4f (%.4f to %.4f) is not %.4f within %g", what, dim, found.value,
                 found.low, found.high, expected, known->tolerance);
    assert_true(found.low >= 0 && found.low <= found.high && found.high <= 1);
}

static void check(const struct known *known)
{
    static struct data data;
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    fill(known, &data);
    struct found found = compute(known, &data, &arena);
    for (size_t i = 0; i < known->space.count; i++) {
        assert_effect(known, i, "total", found.importance.total[i], known->total[i]);
        assert_effect(known, i, "first order", found.importance.first[i], known->first[i]);
    }
    assert_int_equal(found.surface.count, known->count);
    assert_true(found.surface.explained <= 1);
}

/* T. Ishigami, T. Homma (1990); a = 7, b = 0.1. */
static double ishigami(const double *x)
{
    double a = sin(PI * (2 * x[0] - 1)), b = sin(PI * (2 * x[1] - 1)), c = PI * (2 * x[2] - 1);
    return a + 7 * b * b + 0.1 * pow(c, 4) * a;
}

static void test_ishigami(void **state)
{
    (void)state;
    double b = 0.1, p4 = pow(PI, 4), p8 = p4 * p4;
    double v1 = 0.5 * pow(1 + b * p4 / 5, 2), v2 = 49.0 / 8, v13 = b * b * p8 * 8 / 225, v = v1 + v2 + v13;
    check(&(struct known){.space = {.dims = floats, .count = 3},
                          .function = ishigami,
                          .count = 250,
                          .total = {(v1 + v13) / v, v2 / v, v13 / v},
                          .first = {v1 / v, v2 / v, 0},
                          .tolerance = 0.04});
}

/* I. Sobol's g: V_i = 1 / (3 (1 + a_i)^2), V = prod(1 + V_i) - 1. */
static const double g_weights[] = {0, 1, 4.5, 9, 99, 99};

static double g_function(const double *x)
{
    double product = 1;
    for (size_t i = 0; i < 6; i++)
        product *= (fabs(4 * x[i] - 2) + g_weights[i]) / (1 + g_weights[i]);
    return product;
}

static void test_sobol_g(void **state)
{
    (void)state;
    struct known known = {
        .space = {.dims = floats, .count = 6}, .function = g_function, .count = 300, .tolerance = 0.03};
    double v = 1;
    for (size_t i = 0; i < 6; i++)
        v *= 1 + 1 / (3 * pow(1 + g_weights[i], 2));
    for (size_t i = 0; i < 6; i++) {
        double alone = 1 / (3 * pow(1 + g_weights[i], 2));
        known.first[i] = alone / (v - 1);
        known.total[i] = alone * (v / (1 + alone)) / (v - 1);
    }
    check(&known);
}

static double additive(const double *x)
{
    return 1e-3 * (4 * x[0] + 3 * x[1] + 2 * x[2] + x[3]) + 5;
}

static void test_additive(void **state)
{
    (void)state;
    check(&(struct known){.space = {.dims = floats, .count = 5},
                          .function = additive,
                          .count = 40,
                          .total = {16.0 / 30, 9.0 / 30, 4.0 / 30, 1.0 / 30, 0},
                          .first = {16.0 / 30, 9.0 / 30, 4.0 / 30, 1.0 / 30, 0},
                          .tolerance = 0.01});
}

static void test_noise(void **state)
{
    (void)state;
    check(&(struct known){.space = {.dims = floats, .count = 5},
                          .function = additive,
                          .count = 150,
                          .noise = 1e-3,
                          .total = {16.0 / 30, 9.0 / 30, 4.0 / 30, 1.0 / 30, 0},
                          .first = {16.0 / 30, 9.0 / 30, 4.0 / 30, 1.0 / 30, 0},
                          .tolerance = 0.1});
}

/* Slopes 4, 0 and -4 by category: E(f|c) = 2, 1, 1. */
static double mixed(const double *x)
{
    static const double offsets[] = {0, 1, 3}, slopes[] = {4, 0, -4};
    return offsets[(int)x[0]] + slopes[(int)x[0]] * (x[1] + 0.5) / 64;
}

static void test_categories(void **state)
{
    (void)state;
    static const struct optim_dim dims[] = {{.kind = OPTIM_CATEGORY, .levels = 3},
                                            {.kind = OPTIM_ORDERED, .levels = 64},
                                            {.kind = OPTIM_CATEGORY, .levels = 2}};
    check(&(struct known){.space = {.dims = dims, .count = 3},
                          .function = mixed,
                          .count = 80,
                          .total = {1, 0.8, 0},
                          .first = {0.2, 0, 0},
                          .tolerance = 0.03});
}

/* x[1] is there for one of two categories of x[0]. */
static void child_of_first(void *context, const double *point, bool *out_active)
{
    (void)context;
    out_active[0] = true;
    out_active[1] = point[0] == 1;
}

static double conditional(const double *x)
{
    return x[0] == 1 ? x[1] : 0;
}

static void test_conditions(void **state)
{
    (void)state;
    static const struct optim_dim dims[] = {{.kind = OPTIM_CATEGORY, .levels = 2}, {.kind = OPTIM_FLOAT}};
    check(&(struct known){.space = {.dims = dims, .count = 2, .active = child_of_first},
                          .function = conditional,
                          .count = 60,
                          .total = {0.8, 0.4},
                          .first = {0.6, 0.2},
                          .tolerance = 0.02});
}

/* The truth lies in about as many intervals as it should, over many small samples with noise. */
static void test_intervals_hold_the_truth(void **state)
{
    (void)state;
    static struct data data;
    static const double truth[] = {16.0 / 30, 9.0 / 30, 4.0 / 30, 1.0 / 30};
    size_t held = 0, tries = 0;
    for (uint64_t sample = 0; sample < 8; sample++) {
        struct arena arena CLEANUP(arena_free) = arena_make(0);
        struct known known = {
            .space = {.dims = floats, .count = 4}, .function = additive, .count = 30, .noise = 3e-4};
        fill(&known, &data);
        for (size_t j = 0; j < known.count; j++) {
            for (uint32_t i = 0; i < 4; i++)
                data.points[j * 4 + i] = random_draw_unit(sample, j, "other", i);
            double even = random_draw_unit(sample, j, "even", 0) - 0.5;
            data.values[j] = additive(data.points + j * 4) + known.noise * sqrt(12) * even;
        }
        struct found found = compute(&known, &data, &arena);
        for (size_t i = 0; i < 4; i++, tries++)
            held += found.importance.total[i].low <= truth[i] && truth[i] <= found.importance.total[i].high;
    }
    assert_true((double)held >= 0.75 * (double)tries);
}

static void test_same_data_same_answer(void **state)
{
    (void)state;
    static struct data data;
    struct known known = {.space = {.dims = floats, .count = 3}, .function = ishigami, .count = 60};
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    fill(&known, &data);
    struct found one = compute(&known, &data, &arena);
    struct found two = compute(&known, &data, &arena);
    assert_memory_equal(one.importance.total, two.importance.total, 3 * sizeof *one.importance.total);
    assert_memory_equal(one.importance.first, two.importance.first, 3 * sizeof *one.importance.first);
    assert_true(one.surface.explained == two.surface.explained);
}

static void test_refuses_what_tells_nothing(void **state)
{
    (void)state;
    static struct data data;
    struct known known = {.space = {.dims = floats, .count = 7}, .function = additive, .count = 8};
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct err err = ERR_INIT;
    struct surface found;
    fill(&known, &data);
    struct surface_input input = {
        .space = &known.space, .points = data.points, .values = data.values, .count = 8};
    assert_int_equal(surface_fit(&input, &found, &arena, &err), STATUS_PRECONDITION);
    assert_string_equal(err.text, "needs at least 9 results with a value, has 8");
    known.count = input.count = 20;
    fill(&known, &data);
    for (size_t j = 0; j < 20; j++)
        data.values[j] = 0.1;
    assert_int_equal(surface_fit(&input, &found, &arena, &err), STATUS_PRECONDITION);
}

/* One run that diverged does not hide what the others say; nor do numbers near the ends of doubles. */
static void test_bounds_what_is_far_out(void **state)
{
    (void)state;
    static struct data data;
    struct known known = {.space = {.dims = floats, .count = 4}, .function = additive, .count = 60};
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    fill(&known, &data);
    data.values[7] = 1e300;
    struct found found = compute(&known, &data, &arena);
    assert_int_equal(found.surface.bounded, 1);
    assert_true(found.importance.total[0].value > found.importance.total[1].value &&
                found.importance.total[1].value > found.importance.total[2].value);
    for (size_t j = 0; j < known.count; j++)
        data.values[j] = (j % 2 == 0 ? 1 : -1) * 1.7e308;
    found = compute(&known, &data, &arena);
    for (size_t i = 0; i < 4; i++)
        assert_true(found.importance.total[i].value >= 0 && found.importance.total[i].value <= 1);
}

/* A power of two changes nothing, down to where doubles lose their digits. */
static void test_tiny_values_tell_the_same(void **state)
{
    (void)state;
    static struct data data;
    struct known known = {.space = {.dims = floats, .count = 4}, .function = additive, .count = 60};
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    fill(&known, &data);
    for (size_t j = 0; j < known.count; j++)
        data.values[j] = 1e3 * (data.values[j] - 5);
    struct found usual = compute(&known, &data, &arena);
    for (size_t j = 0; j < known.count; j++)
        data.values[j] = ldexp(data.values[j], -1020);
    struct found tiny = compute(&known, &data, &arena);
    for (size_t i = 0; i < 4; i++)
        assert_true(fabs(tiny.importance.total[i].value - usual.importance.total[i].value) < 1e-3);
    for (size_t j = 0; j < known.count; j++)
        data.values[j] = ldexp(data.values[j], -50); /* whole multiples of the least double */
    tiny = compute(&known, &data, &arena);
    assert_true(tiny.importance.total[0].value > tiny.importance.total[3].value);
}

static void test_many_points(void **state)
{
    (void)state;
    static struct data data;
    struct known known = {.space = {.dims = floats, .count = 4}, .function = additive, .count = COUNT_MAX};
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    fill(&known, &data);
    struct found found = compute(&known, &data, &arena);
    assert_int_equal(found.surface.count, SURFACE_POINTS_MAX);
    for (size_t k = 1; k < found.surface.count; k++)
        assert_true(found.surface.used[k - 1] < found.surface.used[k] && found.surface.used[k] < COUNT_MAX);
    assert_true(fabs(found.importance.total[0].value - 16.0 / 30) < 0.02);
}

/* Of a noisy sum: near the truth, about as near as it says, and surer of what it saw than of what it did not.
 */
static void test_predictions(void **state)
{
    (void)state;
    static struct data data;
    struct known known = {
        .space = {.dims = floats, .count = 4}, .function = additive, .count = 60, .noise = 5e-4};
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    double points[50 * 4], means[50], deviations[50], squares = 0;
    struct err err = ERR_INIT;
    fill(&known, &data);
    struct found found = compute(&known, &data, &arena);
    for (uint32_t k = 0; k < 200; k++)
        points[k] = random_draw_unit(9, k, "query", 0);
    assert_int_equal(surface_predict(&found.surface, points, 50, means, deviations, &err), STATUS_OK);
    for (size_t k = 0; k < 50; k++) {
        double missed = means[k] - additive(points + k * 4);
        assert_true(fabs(missed) < 1e-3 && deviations[k] > 2e-5 && deviations[k] < 1e-3);
        squares += missed * missed / (deviations[k] * deviations[k]) / 50;
    }
    assert_true(squares > 0.2 && squares < 3);
}

static void test_correlation(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3, 4}, falling[] = {8, 6, 4, 2}, same[] = {0.1, 0.1, 0.1, 0.1};
    const double other[] = {1, 3, 2, 4}, large[] = {1e308, 1e308, -1e308, -1e308};
    assert_true(fabs(importance_correlation(x, falling, 4) + 1) < 1e-12);
    assert_true(fabs(importance_correlation(x, other, 4) - 0.8) < 1e-12);
    assert_true(isnan(importance_correlation(x, same, 4)) && isnan(importance_correlation(same, x, 4)));
    assert_true(fabs(importance_correlation(x, large, 4) + 0.894427191) < 1e-9);
    assert_true(isnan(importance_correlation(x, other, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ishigami),
        cmocka_unit_test(test_sobol_g),
        cmocka_unit_test(test_additive),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_categories),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_intervals_hold_the_truth),
        cmocka_unit_test(test_same_data_same_answer),
        cmocka_unit_test(test_refuses_what_tells_nothing),
        cmocka_unit_test(test_bounds_what_is_far_out),
        cmocka_unit_test(test_tiny_values_tell_the_same),
        cmocka_unit_test(test_many_points),
        cmocka_unit_test(test_predictions),
        cmocka_unit_test(test_correlation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
