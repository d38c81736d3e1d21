// SPDX-License-Identifier: GPL-3.0-or-later
/* Logarithmic improvement, output transform, Sobol points, bounded minimisation: against reference values and
 * by their properties. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdint.h>

#include "base/random.h"
#include "optim/log_ei.h"
#include "optim/minimise.h"
#include "optim/sobol.h"
#include "optim/transform.h"
#include "tests/unit/test_optim_reference.h"

static void assert_near(double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance))
        fail_msg("%.17g is not %.17g within %g", found, expected, tolerance);
}

static void test_log_h(void **state)
{
    (void)state;
    (void)gp_scales, (void)gp_points, (void)gp_values, (void)gp_queries, (void)gp_means, (void)gp_variances;
    (void)ei_queries, (void)ei_values;
    for (size_t i = 0; i < sizeof ei_u / sizeof ei_u[0]; i++)
        assert_near(log_ei_h(ei_u[i]), ei_log_h[i], 1e-13 * (1 + fabs(ei_log_h[i])));
}

static void test_log_ei_derivatives(void **state)
{
    (void)state;
    for (double u = 6; u > -60; u -= 0.37) {
        double deviation = 0.3;
        double mean = 1.5 + u * deviation;
        double step = 1e-6;
        struct worth at = log_ei(mean, deviation, 1.5);
        double by_mean =
            (log_ei(mean + step, deviation, 1.5).value - log_ei(mean - step, deviation, 1.5).value) /
            (2 * step);
        double by_deviation =
            (log_ei(mean, deviation + step, 1.5).value - log_ei(mean, deviation - step, 1.5).value) /
            (2 * step);
        assert_near(at.by_mean, by_mean, 1e-5 * (1 + fabs(by_mean)));
        assert_near(at.by_deviation, by_deviation, 1e-5 * (1 + fabs(by_deviation)));
        assert_near(at.value, log(deviation) + log_ei_h(u), 1e-9 * (1 + fabs(at.value)));
    }
}

/* ---- transform ---- */

#define VALUES 200

static void make_values(uint64_t seed, double *values)
{
    double scale = pow(10, 300 * (2 * random_draw_unit(seed, 0, "scale", 0) - 1));
    for (uint32_t i = 0; i < VALUES; i++) {
        double u = random_draw_unit(seed, 0, "value", i);
        values[i] = scale * (seed % 3 == 0 ? floor(8 * u) : seed % 3 == 1 ? u - 0.5 : -pow(10, 6 * u));
    }
}

static void test_transform_keeps_order_and_inverts(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct arena arena = arena_make(0);
        struct err err = ERR_INIT;
        struct transform transform;
        double values[VALUES];
        double z[VALUES];
        double sum = 0;
        double squares = 0;
        make_values(seed, values);
        assert_int_equal(transform_apply(&transform, seed % 2 == 0 ? TRANSFORM_STRENGTH : 256, values, VALUES,
                                         z, &arena, &err),
                         STATUS_OK);
        for (size_t i = 0; i < VALUES; i++) {
            size_t other = (i * 7 + 3) % VALUES;
            assert_true(isfinite(z[i]));
            assert_int_equal(values[i] < values[other], z[i] < z[other]);
            assert_near(transform_invert(&transform, z[i]) / transform.scale, values[i] / transform.scale,
                        1e-9 * (fabs(transform.pairs[0].value) + fabs(transform.pairs[VALUES - 1].value)));
            sum += z[i];
            squares += z[i] * z[i];
        }
        assert_near(sum / VALUES, 0, 1e-10);
        assert_near(squares / VALUES, 1, 1e-10);
        arena_free(&arena);
    }
}

/* A gain is what the inverse says of it. */
static void test_transform_gain(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct arena arena = arena_make(0);
        struct err err = ERR_INIT;
        struct transform transform;
        double values[VALUES];
        double z[VALUES];
        make_values(seed, values);
        assert_int_equal(transform_apply(&transform, seed % 2 == 0 ? TRANSFORM_STRENGTH : 256, values, VALUES,
                                         z, &arena, &err),
                         STATUS_OK);
        double best = transform.pairs[VALUES - 1].value;
        double spread = best - transform.pairs[(VALUES - 1) / 2].value;
        for (double gain = 1e-3; gain < 2; gain *= 10) {
            double above = transform_invert(&transform, z[transform.pairs[VALUES - 1].index] + gain);
            double expected = (above / transform.scale - best) / spread;
            if (isfinite(above * 2))
                assert_near(transform_gain(&transform, gain), expected, 1e-9 * (1 + expected));
        }
        arena_free(&arena);
    }
    double z[3];
    struct arena arena = arena_make(0);
    struct err err = ERR_INIT;
    struct transform transform;
    assert_int_equal(transform_apply(&transform, TRANSFORM_STRENGTH, (double[]){2, 2, 2}, 3, z, &arena, &err),
                     STATUS_OK);
    assert_true(isinf(transform_gain(&transform, 0.1)));
    arena_free(&arena);
}

static void test_transform_of_few_and_equal_values(void **state)
{
    (void)state;
    static const double cases[][3] = {{2, 2, 2}, {1, 2, 3}, {0, 0, 1}, {-1e308, 0, 1e308}, {5e-324, 0, 0}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++)
        for (size_t count = 0; count <= 3; count++) {
            struct arena arena = arena_make(0);
            struct err err = ERR_INIT;
            struct transform transform;
            double z[3];
            assert_int_equal(
                transform_apply(&transform, TRANSFORM_STRENGTH, cases[c], count, z, &arena, &err), STATUS_OK);
            for (size_t i = 0; i < count; i++)
                assert_true(isfinite(z[i]) && isfinite(transform_invert(&transform, z[i])));
            arena_free(&arena);
        }
}

/* ---- Sobol points ---- */

/* The first 2^k points have one in each of 2^k equal cells of every dimension, and, in the first two, one in
 * each rectangle of the same area. */
static void test_sobol_is_a_net(void **state)
{
    (void)state;
    static struct sobol sobol;
    for (uint64_t seed = 0; seed < 3; seed++) {
        sobol_init(&sobol, seed);
        for (size_t d = 0; d < 100; d++) {
            bool cell[256] = {false};
            for (uint32_t i = 0; i < 256; i++) {
                double u = sobol_at(&sobol, i, d);
                assert_true(u > 0 && u < 1);
                assert_false(cell[(size_t)(u * 256)]);
                cell[(size_t)(u * 256)] = true;
            }
        }
        for (unsigned split = 0; split <= 8; split++) {
            bool cell[256] = {false};
            for (uint32_t i = 0; i < 256; i++) {
                size_t x = (size_t)(sobol_at(&sobol, i, 0) * (1u << split));
                size_t y = (size_t)(sobol_at(&sobol, i, 1) * (256u >> split));
                assert_false(cell[x * (256u >> split) + y]);
                cell[x * (256u >> split) + y] = true;
            }
        }
    }
}

/* ---- minimisation ---- */

static double rosenbrock(void *context, const double *x, double *gradient)
{
    (void)context;
    double a = 1 - x[0];
    double b = x[1] - x[0] * x[0];
    gradient[0] = -2 * a - 400 * x[0] * b;
    gradient[1] = 200 * b;
    return a * a + 100 * b * b;
}

static void test_minimise_within_bounds(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    const double lower[] = {-2, -2};
    const double free_upper[] = {2, 2};
    const double tight_upper[] = {0.5, 2};
    struct minimise problem = {.function = rosenbrock,
                               .count = 2,
                               .lower = lower,
                               .upper = free_upper,
                               .evaluations_max = 300,
                               .tolerance = 1e-14};
    double x[] = {-1.2, 1};
    double value = 0;
    assert_int_equal(minimise(&problem, x, &value, &err), STATUS_OK);
    assert_near(x[0], 1, 1e-4);
    assert_near(x[1], 1, 1e-4);
    problem.upper = tight_upper;
    double y[] = {-1.2, 1};
    assert_int_equal(minimise(&problem, y, &value, &err), STATUS_OK);
    assert_near(y[0], 0.5, 1e-6);
    assert_near(y[1], 0.25, 1e-4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_h),
        cmocka_unit_test(test_log_ei_derivatives),
        cmocka_unit_test(test_transform_keeps_order_and_inverts),
        cmocka_unit_test(test_transform_gain),
        cmocka_unit_test(test_transform_of_few_and_equal_values),
        cmocka_unit_test(test_sobol_is_a_net),
        cmocka_unit_test(test_minimise_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
