// SPDX-License-Identifier: GPL-3.0-or-later
/* What a point is worth: gradients against differences, improvement against sixty digits, the bound, what
 * pending points, other levels and distance do to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdint.h>

#include "optim/acquisition.h"
#include "optim/reach.h"
#include "tests/unit/optim_data.h"
#include "tests/unit/test_optim_reference.h"

#define SETS 3 /* of parameters besides the first, where there are several */

static void make_acquisition(struct acquisition *acquisition, struct data *data, uint64_t seed,
                             struct arena *arena)
{
    struct err err = ERR_INIT;
    size_t failures = seed % 3 == 0 ? data->count / 4 : 0;
    size_t pending = seed % 2 == 0 ? data->count / 5 : 0;
    size_t successes = data->count - failures - pending;
    size_t parameters = THETA_COUNT(data->dims);
    enum acquisition_rule rule = seed < 30 ? ACQUISITION_IMPROVEMENT : ACQUISITION_BOUND;
    double others[SETS * THETA_COUNT(DIMS_MAX)];
    for (size_t i = 0; i < SETS * parameters; i++)
        others[i] = data->theta[i % parameters] + 0.5 * draw(seed, "other", i);
    const struct acquisition_input input = {
        .rule = rule,
        .theta = data->theta,
        .draws = others,
        .draw_count = seed % 5 < 3 ? SETS : 0,
        .evidence = {.dims = data->dims,
                     .category = data->category,
                     .successes = successes,
                     .failures = failures,
                     .pending = pending,
                     .success_rows = data->rows,
                     .failure_rows = data->rows + successes * data->dims,
                     .pending_rows = data->rows + (successes + failures) * data->dims,
                     .values = data->values,
                     .factors = data->factors,
                     .seed = seed}};
    assert_int_equal(acquisition_init(acquisition, &input, arena, &err), STATUS_OK);
}

static void test_acquisition_gradient(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct arena arena = arena_make(0);
        struct err err = ERR_INIT;
        struct data data;
        struct acquisition acquisition;
        double x[DIMS_MAX];
        double gradient[DIMS_MAX];
        double row_value = 0;
        make_data(&data, seed);
        make_acquisition(&acquisition, &data, seed, &arena);
        for (size_t i = 0; i < data.dims; i++)
            x[i] = data.category[i] ? floor(3 * draw(seed, "x", i)) : draw(seed, "x", i);
        double value = acquisition_at(&acquisition, x, gradient);
        assert_int_equal(acquisition_at_rows(&acquisition, x, 1, &row_value, &err), STATUS_OK);
        assert_near(row_value, value, 1e-9 * (1 + fabs(value)));
        for (size_t i = 0; i < data.dims; i++) {
            double step = 1e-5;
            double at = x[i];
            if (data.category[i])
                continue;
            x[i] = at + step;
            double above = acquisition_at(&acquisition, x, NULL);
            x[i] = at - step;
            double below = acquisition_at(&acquisition, x, NULL);
            x[i] = at;
            assert_near(gradient[i], (above - below) / (2 * step), 1e-5 * (1 + fabs(gradient[i])));
        }
        arena_free(&arena);
    }
}

/* An acquisition of the reference process, almost without noise. */
static void make_reference(struct acquisition *acquisition, enum acquisition_rule rule,
                           const struct focus *focus, struct arena *arena)
{
    struct err err = ERR_INIT;
    double theta[THETA_COUNT(GP_DIMS)];
    double factors[GP_POINTS];
    reference_theta(theta);
    theta[THETA_NOISE(GP_DIMS)] = log(EI_NOISE - GP_NOISE_MIN);
    for (size_t j = 0; j < GP_POINTS; j++)
        factors[j] = 1;
    const struct acquisition_input input = {.rule = rule,
                                            .theta = theta,
                                            .evidence = {.dims = GP_DIMS,
                                                         .category = gp_category,
                                                         .successes = GP_POINTS,
                                                         .success_rows = gp_points,
                                                         .values = gp_values,
                                                         .factors = factors,
                                                         .focus = focus}};
    assert_int_equal(acquisition_init(acquisition, &input, arena, &err), STATUS_OK);
}

/* From a numerically exact process, down to improvements of exp(-30000): 1e-300 is exp(-690). */
static void test_improvement_of_sixty_digits(void **state)
{
    (void)state;
    struct arena arena = arena_make(0);
    struct err err = ERR_INIT;
    struct acquisition acquisition;
    struct acquisition bounded;
    double rows[EI_QUERIES];
    make_reference(&acquisition, ACQUISITION_IMPROVEMENT, NULL, &arena);
    make_reference(&bounded, ACQUISITION_BOUND, NULL, &arena);
    assert_int_equal(acquisition_at_rows(&acquisition, ei_queries, EI_QUERIES, rows, &err), STATUS_OK);
    for (size_t q = 0; q < EI_QUERIES; q++) {
        double found = acquisition_at(&acquisition, ei_queries + q * GP_DIMS, NULL);
        assert_near(found, ei_values[q], 1e-8 * fabs(ei_values[q]));
        assert_near(rows[q], ei_values[q], 1e-8 * fabs(ei_values[q]));
        assert_near(acquisition_log_improvement(&bounded, ei_queries + q * GP_DIMS), found, 0);
    }
    arena_free(&arena);
}

/* A deviation counts as much as the mean, and their sum four times. */
static void test_bound_of_mean_and_deviation(void **state)
{
    (void)state;
    struct arena arena = arena_make(0);
    struct err err = ERR_INIT;
    struct acquisition acquisition;
    double rows[GP_QUERIES];
    make_reference(&acquisition, ACQUISITION_BOUND, NULL, &arena);
    assert_int_equal(acquisition_at_rows(&acquisition, gp_queries, GP_QUERIES, rows, &err), STATUS_OK);
    for (size_t q = 0; q < GP_QUERIES; q++) {
        struct acquisition_belief belief = acquisition_believe(&acquisition, gp_queries + q * GP_DIMS);
        double expected = 4 * (belief.bound - acquisition.surrogates[0].best[0]);
        assert_near(belief.bound, belief.mean + belief.deviation, 1e-12);
        assert_near(acquisition_at(&acquisition, gp_queries + q * GP_DIMS, NULL), expected, 1e-9);
        assert_near(rows[q], expected, 1e-9);
    }
    arena_free(&arena);
}

/* Bounds and improvements of several sets of parameters are averaged, beliefs mixed. */
static void test_average_over_parameters(void **state)
{
    (void)state;
    struct arena arena = arena_make(0);
    struct data data;
    struct acquisition all;
    make_data(&data, 31);
    make_acquisition(&all, &data, 31, &arena);
    assert_int_equal(all.count, 1 + SETS);
    double bound = 0;
    double improvement = 0;
    double mean = 0;
    double squares = 0;
    struct acquisition_belief belief = acquisition_believe(&all, data.rows);
    for (size_t k = 0; k < all.count; k++) {
        struct acquisition one = all;
        one.surrogates = all.surrogates + k;
        one.count = 1;
        one.rule = ACQUISITION_BOUND;
        bound += acquisition_at(&one, data.rows, NULL) / (1 + SETS);
        improvement += exp(acquisition_log_improvement(&one, data.rows)) / (1 + SETS);
        struct acquisition_belief of_one = acquisition_believe(&one, data.rows);
        mean += of_one.mean / (1 + SETS);
        squares += (of_one.mean * of_one.mean + of_one.deviation * of_one.deviation) / (1 + SETS);
    }
    assert_near(acquisition_at(&all, data.rows, NULL), bound, 1e-12);
    assert_near(acquisition_log_improvement(&all, data.rows), log(improvement), 1e-12);
    assert_near(belief.mean, mean, 1e-12);
    assert_near(belief.deviation, sqrt(squares - mean * mean), 1e-9);
    arena_free(&arena);
}

/* What is best of a category's level counts within it; other levels' results say what they say of the
 * function. */
static void test_focus_on_a_level(void **state)
{
    (void)state;
    struct arena arena = arena_make(0);
    struct acquisition all;
    make_reference(&all, ACQUISITION_IMPROVEMENT, NULL, &arena);
    double most = -HUGE_VAL;
    for (size_t level = 0; level <= 3; level++) { /* nothing is known of the last */
        const struct focus focus = {.dim = GP_DIMS - 1, .level = (double)level};
        struct acquisition one;
        make_reference(&one, ACQUISITION_IMPROVEMENT, &focus, &arena);
        assert_true(one.surrogates[0].best[0] <= all.surrogates[0].best[0]);
        assert_true(isfinite(acquisition_at(&one, gp_queries, NULL)));
        assert_true(acquisition_at(&one, gp_queries, NULL) >= acquisition_at(&all, gp_queries, NULL));
        most = fmax(most, one.surrogates[0].best[0]);
    }
    assert_near(most, all.surrogates[0].best[0], 0);
    arena_free(&arena);
}

/* Within the cubes nothing is lost, outside in proportion to the distance; categories have none. */
static void test_out_of_reach(void **state)
{
    (void)state;
    struct arena arena = arena_make(0);
    struct acquisition acquisition;
    make_reference(&acquisition, ACQUISITION_BOUND, NULL, &arena);
    const struct gp *gp = &acquisition.surrogates[0].gp;
    double x[GP_DIMS] = {gp_points[0], gp_points[1], gp_points[2] + 1};
    double gradient[GP_DIMS] = {0};
    assert_near(reach_loss(&gp->kernel, &gp->points, 1, 0.2, x, gradient), 0, 0);
    x[0] += 0.1;
    x[1] -= 0.5;
    assert_near(reach_loss(&gp->kernel, &gp->points, 1, 0.2, x, gradient), -50 * 0.3, 1e-12);
    assert_near(gradient[0], 0, 0);
    assert_near(gradient[1], 50, 0);
    assert_near(gradient[2], 0, 0);
    assert_near(reach_loss(&gp->kernel, &gp->points, 1, HUGE_VAL, x, gradient), 0, 0);
    assert_near(reach_for(0, 3), 0.2, 1e-15);
    assert_near(reach_for(10, 3), 0.35, 1e-15);
    assert_true(isinf(reach_for(20, 3)));
    arena_free(&arena);
}

/* A pending point is as good as known: its surroundings are worth less than before. */
static void test_pending_points_repel(void **state)
{
    (void)state;
    struct arena arena = arena_make(0);
    struct data data;
    struct acquisition with;
    struct acquisition without;
    make_data(&data, 4);
    make_acquisition(&with, &data, 4, &arena);
    data.count = with.successes;
    make_acquisition(&without, &data, 1, &arena);
    const double *pending = data.rows + with.known * data.dims;
    assert_true(with.surrogates[0].latent > without.surrogates[0].latent);
    assert_true(acquisition_at(&with, pending, NULL) < acquisition_at(&without, pending, NULL));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acquisition_gradient),
        cmocka_unit_test(test_pending_points_repel),
        cmocka_unit_test(test_improvement_of_sixty_digits),
        cmocka_unit_test(test_bound_of_mean_and_deviation),
        cmocka_unit_test(test_average_over_parameters),
        cmocka_unit_test(test_out_of_reach),
        cmocka_unit_test(test_focus_on_a_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
