// SPDX-License-Identifier: GPL-3.0-or-later
/* The Gaussian process: predictions against scikit-learn, growth against factoring, gradients against
 * differences, the OpenBLAS that should be behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/random.h"
#include "optim/acquisition.h"
#include "optim/fit.h"
#include "optim/reach.h"
#include "tests/unit/test_optim_reference.h"

#define DIMS_MAX 12
#define COUNT_MAX 40

static const bool gp_category[] = {false, false, true};

static void assert_near(double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance))
        fail_msg("%.17g is not %.17g within %g", found, expected, tolerance);
}

static void reference_theta(double *theta)
{
    for (size_t i = 0; i < GP_DIMS; i++)
        theta[i] = log(gp_scales[i]);
    theta[THETA_AMPLITUDE(GP_DIMS)] = log(GP_AMPLITUDE);
    theta[THETA_NOISE(GP_DIMS)] = log(GP_NOISE - GP_NOISE_MIN);
}

static void assert_predicts_reference(const struct gp *gp)
{
    for (size_t q = 0; q < GP_QUERIES; q++) {
        double v[GP_POINTS];
        double mean = 0;
        double variance = 0;
        gp_predict(gp, gp_queries + q * GP_DIMS, v, NULL, &mean, &variance);
        assert_near(mean, gp_means[q], 1e-8 * fabs(gp_means[q]));
        assert_near(variance, gp_variances[q], 1e-8 * gp_variances[q]);
    }
}

static void test_predicts_as_scikit_learn(void **state)
{
    (void)state;
    struct arena arena = arena_make(0);
    struct err err = ERR_INIT;
    struct gp gp;
    double theta[THETA_COUNT(GP_DIMS)];
    reference_theta(theta);
    assert_int_equal(gp_init(&gp, GP_DIMS, gp_category, theta, GP_POINTS, &arena, &err), STATUS_OK);
    for (size_t j = 0; j < GP_POINTS; j++)
        gp_put(&gp, gp_points + j * GP_DIMS, 1);
    gp_factor(&gp);
    gp_fit_values(&gp, gp_values);
    assert_predicts_reference(&gp);
    arena_free(&arena);
}

static void test_grows_as_it_factors(void **state)
{
    (void)state;
    struct arena arena = arena_make(0);
    struct err err = ERR_INIT;
    double theta[THETA_COUNT(GP_DIMS)];
    reference_theta(theta);
    for (size_t first = 1; first < GP_POINTS; first += 7) {
        struct gp gp;
        assert_int_equal(gp_init(&gp, GP_DIMS, gp_category, theta, GP_POINTS, &arena, &err), STATUS_OK);
        for (size_t j = 0; j < first; j++)
            gp_put(&gp, gp_points + j * GP_DIMS, 1);
        gp_factor(&gp);
        gp_fit_values(&gp, gp_values);
        for (size_t j = first; j < GP_POINTS; j++) {
            gp_append(&gp, gp_points + j * GP_DIMS, GP_NOISE);
            gp_set_last(&gp, gp_values[j]);
        }
        assert_predicts_reference(&gp);
    }
    arena_free(&arena);
}

/* Leave-one-out by leaving one out. */
static void test_leaves_one_out(void **state)
{
    (void)state;
    struct arena arena = arena_make(0);
    struct err err = ERR_INIT;
    double theta[THETA_COUNT(GP_DIMS)];
    double residuals[GP_POINTS];
    reference_theta(theta);
    for (size_t out = 0; out <= GP_POINTS; out++) {
        struct gp gp;
        double kept[GP_POINTS];
        size_t count = 0;
        assert_int_equal(gp_init(&gp, GP_DIMS, gp_category, theta, GP_POINTS, &arena, &err), STATUS_OK);
        for (size_t j = 0; j < GP_POINTS; j++)
            if (j + 1 != out) {
                gp_put(&gp, gp_points + j * GP_DIMS, 1);
                kept[count++] = gp_values[j];
            }
        gp_factor(&gp);
        gp_fit_values(&gp, kept);
        if (out == 0) {
            assert_int_equal(gp_leave_one_out(&gp, residuals, &arena, &err), STATUS_OK);
            continue;
        }
        double v[GP_POINTS];
        double mean = 0;
        double variance = 0;
        gp_predict(&gp, gp_points + (out - 1) * GP_DIMS, v, NULL, &mean, &variance);
        double expected = (gp_values[out - 1] - mean) / sqrt(variance + GP_NOISE);
        assert_near(residuals[out - 1], expected, 1e-6 * (1 + fabs(expected)));
    }
    arena_free(&arena);
}

/* ---- gradients, over random data ---- */

struct data {
    size_t dims, count;
    bool category[DIMS_MAX];
    double rows[DIMS_MAX * COUNT_MAX];   /* by point */
    double points[DIMS_MAX * COUNT_MAX]; /* by dimension */
    double values[COUNT_MAX];
    double factors[COUNT_MAX];
    double theta[THETA_COUNT(DIMS_MAX)];
};

static double draw(uint64_t seed, const char *name, size_t index)
{
    return random_draw_unit(seed, 0, name, (uint32_t)index);
}

static void make_data(struct data *data, uint64_t seed)
{
    data->dims = 1 + (size_t)(draw(seed, "dims", 0) * DIMS_MAX);
    data->count = 2 + (size_t)(draw(seed, "count", 0) * (COUNT_MAX - 2));
    for (size_t i = 0; i < data->dims; i++) {
        data->category[i] = draw(seed, "category", i) < 0.3;
        data->theta[i] = log(0.2) + 2.5 * draw(seed, "scale", i);
    }
    data->theta[THETA_AMPLITUDE(data->dims)] = draw(seed, "amplitude", 0);
    data->theta[THETA_NOISE(data->dims)] = -6 + 5 * draw(seed, "noise", 0);
    for (size_t j = 0; j < data->count; j++) {
        data->values[j] = 4 * draw(seed, "value", j) - 2;
        data->factors[j] = draw(seed, "factor", j) < 0.1 ? 1e3 : 1;
        for (size_t i = 0; i < data->dims; i++) {
            double u = draw(seed, "point", j * data->dims + i);
            double x = data->category[i] ? floor(3 * u) : u;
            data->rows[j * data->dims + i] = data->points[i * data->count + j] = x;
        }
    }
}

static void test_loss_gradient(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct arena arena = arena_make(0);
        struct err err = ERR_INIT;
        struct data data;
        struct fit fit;
        double gradient[THETA_COUNT(DIMS_MAX)];
        double ignored[THETA_COUNT(DIMS_MAX)];
        make_data(&data, seed);
        const struct fit_data given = {
            .dims = data.dims,
            .category = data.category,
            .points = {.at = data.points, .stride = data.count, .count = data.count},
            .values = data.values,
            .factors = data.factors};
        assert_int_equal(fit_prepare(&fit, &given, &arena, &err), STATUS_OK);
        fit_loss(&fit, data.theta, gradient);
        for (size_t i = 0; i < THETA_COUNT(data.dims); i++) {
            double step = 1e-5;
            double at = data.theta[i];
            data.theta[i] = at + step;
            double above = fit_loss(&fit, data.theta, ignored);
            data.theta[i] = at - step;
            double below = fit_loss(&fit, data.theta, ignored);
            data.theta[i] = at;
            assert_near(gradient[i], (above - below) / (2 * step), 1e-5 * (1 + fabs(gradient[i])));
        }
        arena_free(&arena);
    }
}

static void make_acquisition(struct acquisition *acquisition, struct data *data, uint64_t seed,
                             struct arena *arena)
{
    struct err err = ERR_INIT;
    size_t failures = seed % 3 == 0 ? data->count / 4 : 0;
    size_t pending = seed % 2 == 0 ? data->count / 5 : 0;
    size_t successes = data->count - failures - pending;
    enum acquisition_rule rule = seed < 30 ? ACQUISITION_IMPROVEMENT : ACQUISITION_BOUND;
    const struct acquisition_input input = {.rule = rule,
                                            .dims = data->dims,
                                            .category = data->category,
                                            .theta = data->theta,
                                            .successes = successes,
                                            .failures = failures,
                                            .pending = pending,
                                            .success_rows = data->rows,
                                            .failure_rows = data->rows + successes * data->dims,
                                            .pending_rows = data->rows + (successes + failures) * data->dims,
                                            .values = data->values,
                                            .factors = data->factors,
                                            .seed = seed};
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
                                            .dims = GP_DIMS,
                                            .category = gp_category,
                                            .theta = theta,
                                            .successes = GP_POINTS,
                                            .success_rows = gp_points,
                                            .values = gp_values,
                                            .factors = factors,
                                            .focus = focus};
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
        double mean = 0;
        double deviation = 0;
        double chance = 0;
        acquisition_belief(&acquisition, gp_queries + q * GP_DIMS, &mean, &deviation, &chance);
        double expected = 4 * (mean + deviation - acquisition.best[0]);
        assert_near(acquisition_at(&acquisition, gp_queries + q * GP_DIMS, NULL), expected, 1e-9);
        assert_near(rows[q], expected, 1e-9);
    }
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
        assert_true(one.best[0] <= all.best[0]);
        assert_true(isfinite(acquisition_at(&one, gp_queries, NULL)));
        assert_true(acquisition_at(&one, gp_queries, NULL) >= acquisition_at(&all, gp_queries, NULL));
        most = fmax(most, one.best[0]);
    }
    assert_near(most, all.best[0], 0);
    arena_free(&arena);
}

/* Within the cubes nothing is lost, outside in proportion to the distance; categories have none. */
static void test_out_of_reach(void **state)
{
    (void)state;
    struct arena arena = arena_make(0);
    struct acquisition acquisition;
    make_reference(&acquisition, ACQUISITION_BOUND, NULL, &arena);
    const struct gp *gp = &acquisition.gp;
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
    assert_true(with.latent > without.latent);
    assert_true(acquisition_at(&with, pending, NULL) < acquisition_at(&without, pending, NULL));
    arena_free(&arena);
}

/* gslcblas offers the same names and is many times slower: the order of linking decides. */
static void test_links_openblas(void **state)
{
    (void)state;
    void *symbol = dlsym(RTLD_DEFAULT, "cblas_dtrsm");
    Dl_info info;
    assert_non_null(symbol);
    assert_true(dladdr(symbol, &info) != 0);
    assert_non_null(strstr(info.dli_fname, "openblas"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_predicts_as_scikit_learn),
        cmocka_unit_test(test_grows_as_it_factors),
        cmocka_unit_test(test_leaves_one_out),
        cmocka_unit_test(test_loss_gradient),
        cmocka_unit_test(test_acquisition_gradient),
        cmocka_unit_test(test_pending_points_repel),
        cmocka_unit_test(test_improvement_of_sixty_digits),
        cmocka_unit_test(test_bound_of_mean_and_deviation),
        cmocka_unit_test(test_out_of_reach),
        cmocka_unit_test(test_focus_on_a_level),
        cmocka_unit_test(test_links_openblas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
