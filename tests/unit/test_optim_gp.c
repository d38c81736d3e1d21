// SPDX-License-Identifier: GPL-3.0-or-later
/* The Gaussian process: predictions against scikit-learn, growth against factoring, the fit's gradient
 * against differences, draws of parameters against quadrature, the OpenBLAS that should be behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "optim/gp.h"
#include "optim/posterior.h"
#include "tests/unit/optim_data.h"
#include "tests/unit/test_optim_reference.h"

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
        const struct fit_data given = fit_data_of(&data);
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

/* ---- draws of parameters ---- */

#define FEW 6        /* results */
#define PARAMETERS 3 /* of one dimension */
#define DRAWS 8000
#define CELLS 40 /* a parameter */

static const double few_at[FEW] = {0.05, 0.2, 0.35, 0.6, 0.7, 0.95};
static const double few_values[FEW] = {-1.4, -0.3, 0.9, 1.2, 0.4, -0.8};
static const double box_lower[PARAMETERS] = {-3.91, -3.91, -20.7};
static const double box_upper[PARAMETERS] = {5.29, 3.91, 0.69};

static void prepare_few(struct fit *fit, struct fit_data *data, struct arena *arena)
{
    static double at[FEW];
    static const double factors[FEW] = {1, 1, 1, 1, 1, 1};
    static const bool category[] = {false};
    struct err err = ERR_INIT;
    memcpy(at, few_at, sizeof at);
    *data = (struct fit_data){.dims = 1,
                              .category = category,
                              .points = {.at = at, .stride = FEW, .count = FEW},
                              .values = few_values,
                              .factors = factors};
    assert_int_equal(fit_prepare(fit, data, arena, &err), STATUS_OK);
}

/* Means and deviations under the posterior by the midpoint rule over the whole box. */
static void integrate(const struct fit *fit, double *means, double *deviations)
{
    double total = 0;
    double sums[PARAMETERS] = {0};
    double squares[PARAMETERS] = {0};
    for (size_t cell = 0; cell < (size_t)CELLS * CELLS * CELLS; cell++) {
        double theta[PARAMETERS];
        double gradient[PARAMETERS];
        size_t rest = cell;
        for (size_t i = 0; i < PARAMETERS; i++, rest /= CELLS)
            theta[i] =
                box_lower[i] + (box_upper[i] - box_lower[i]) * ((double)(rest % CELLS) + 0.5) / (double)CELLS;
        double weight = exp(-fit_loss(fit, theta, gradient));
        total += weight;
        for (size_t i = 0; i < PARAMETERS; i++) {
            sums[i] += weight * theta[i];
            squares[i] += weight * theta[i] * theta[i];
        }
    }
    for (size_t i = 0; i < PARAMETERS; i++) {
        means[i] = sums[i] / total;
        deviations[i] = sqrt(squares[i] / total - means[i] * means[i]);
    }
}

static void test_draws_follow_the_posterior(void **state)
{
    (void)state;
    struct arena arena = arena_make(0);
    struct err err = ERR_INIT;
    struct fit fit;
    struct fit_data data;
    double theta[PARAMETERS];
    double loss = 0;
    double means[PARAMETERS];
    double deviations[PARAMETERS];
    static double draws[DRAWS * PARAMETERS];
    prepare_few(&fit, &data, &arena);
    fit_start(1, 1, theta);
    assert_int_equal(fit_improve(&fit, 60, theta, &loss, &err), STATUS_OK);
    assert_int_equal(posterior_draw(&fit, theta, 7, 0, DRAWS, draws, &err), STATUS_OK);
    integrate(&fit, means, deviations);
    for (size_t i = 0; i < PARAMETERS; i++) {
        double sum = 0;
        double squares = 0;
        for (size_t s = 0; s < DRAWS; s++) {
            sum += draws[s * PARAMETERS + i];
            squares += draws[s * PARAMETERS + i] * draws[s * PARAMETERS + i];
        }
        double mean = sum / DRAWS;
        assert_near(mean, means[i], 0.1 * deviations[i]);
        assert_near(sqrt(squares / DRAWS - mean * mean), deviations[i], 0.1 * deviations[i]);
    }
    arena_free(&arena);
}

/* Draws stay within the bounds and replay, whatever the data. */
static void test_draws_replay(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct arena arena = arena_make(0);
        struct err err = ERR_INIT;
        struct data data;
        struct fit fit;
        double draws[POSTERIOR_DRAWS * THETA_COUNT(DIMS_MAX)];
        double again[POSTERIOR_DRAWS * THETA_COUNT(DIMS_MAX)];
        double loss = 0;
        make_data(&data, seed);
        const struct fit_data given = fit_data_of(&data);
        size_t size = POSTERIOR_DRAWS * THETA_COUNT(data.dims) * sizeof *draws;
        assert_int_equal(fit_prepare(&fit, &given, &arena, &err), STATUS_OK);
        assert_int_equal(fit_improve(&fit, 60, data.theta, &loss, &err), STATUS_OK);
        assert_int_equal(posterior_draw(&fit, data.theta, seed, 3, POSTERIOR_DRAWS, draws, &err), STATUS_OK);
        assert_int_equal(posterior_draw(&fit, data.theta, seed, 3, POSTERIOR_DRAWS, again, &err), STATUS_OK);
        assert_memory_equal(draws, again, size);
        assert_int_equal(posterior_draw(&fit, data.theta, seed, 4, POSTERIOR_DRAWS, again, &err), STATUS_OK);
        assert_memory_not_equal(draws, again, size);
        for (size_t s = 0; s < POSTERIOR_DRAWS; s++)
            assert_true(fit_allows(data.dims, draws + s * THETA_COUNT(data.dims)));
        arena_free(&arena);
    }
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
        cmocka_unit_test(test_draws_follow_the_posterior),
        cmocka_unit_test(test_draws_replay),
        cmocka_unit_test(test_links_openblas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
