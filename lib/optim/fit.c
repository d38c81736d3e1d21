// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/fit.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>

#include "optim/gp.h"
#include "optim/minimise.h"

#define JITTER 1e-10
#define LOSS_WORST 1e10
#define TOLERANCE 1e-6

struct prior {
    double mean, deviation;
    double lower, upper;
};

static struct prior prior_of(size_t dims, size_t index)
{
    if (index < dims)
        return (struct prior){log(0.5) + 0.5 * log((double)dims), 1, log(0.02), log(200)};
    if (index == THETA_AMPLITUDE(dims))
        return (struct prior){0, 1, log(0.02), log(50)};
    return (struct prior){-6.9, 2.5, log(1e-9), log(2)};
}

static void fill_squares(struct fit *fit)
{
    const struct fit_data *data = fit->data;
    size_t n = data->points.count;
    for (size_t i = 0; i < data->dims; i++) {
        const double *at = data->points.at + i * data->points.stride;
        double *out = fit->squares + i * fit->pairs;
        for (size_t j = 0; j < n; j++)
            for (size_t k = j + 1; k < n; k++)
                *out++ = data->category[i] ? (at[k] != at[j]) : (at[k] - at[j]) * (at[k] - at[j]);
    }
}

enum status fit_prepare(struct fit *fit, const struct fit_data *data, struct arena *arena, struct err *err)
{
    size_t n = data->points.count;
    size_t pairs = n * (n - 1) / 2;
    *fit = (struct fit){.data = data,
                        .pairs = pairs,
                        .squares = arena_alloc(arena, (pairs * data->dims + 1) * sizeof(double)),
                        .kernel = arena_alloc(arena, (pairs + 1) * sizeof(double)),
                        .slopes = arena_alloc(arena, (pairs + 1) * sizeof(double)),
                        .matrix = arena_alloc(arena, n * n * sizeof(double)),
                        .weights = arena_alloc(arena, data->dims * sizeof(double)),
                        .solution = arena_alloc(arena, n * sizeof(double))};
    if (fit->squares == NULL || fit->kernel == NULL || fit->slopes == NULL || fit->matrix == NULL ||
        fit->weights == NULL || fit->solution == NULL)
        return err_set(err, STATUS_NO_MEMORY, "fitting: out of memory");
    fill_squares(fit);
    return STATUS_OK;
}

/* K with its noise, factored and solved; false when it is not positive definite. */
static bool factor(const struct fit *fit, const double *theta)
{
    const struct fit_data *data = fit->data;
    size_t n = data->points.count;
    double amplitude = exp(theta[THETA_AMPLITUDE(data->dims)]);
    double noise = exp(theta[THETA_NOISE(data->dims)]) + GP_NOISE_MIN;
    for (size_t i = 0; i < data->dims; i++)
        fit->weights[i] = exp(-2 * theta[i]);
    if (fit->pairs > 0)
        cblas_dgemv(CblasColMajor, CblasNoTrans, (int)fit->pairs, (int)data->dims, 1, fit->squares,
                    (int)fit->pairs, fit->weights, 1, 0, fit->kernel, 1);
    kernel_apply(amplitude, fit->kernel, fit->pairs, fit->slopes);
    const double *next = fit->kernel;
    for (size_t j = 0; j < n; j++) {
        fit->matrix[j * n + j] = amplitude + noise * data->factors[j] + JITTER;
        for (size_t k = j + 1; k < n; k++)
            fit->matrix[j * n + k] = *next++;
    }
    int order = (int)n;
    int one = 1;
    int info = 0;
    LAPACK_dpotrf("L", &order, fit->matrix, &order, &info);
    if (info != 0)
        return false;
    cblas_dcopy(order, data->values, 1, fit->solution, 1);
    LAPACK_dpotrs("L", &order, &one, fit->matrix, &order, fit->solution, &order, &info);
    return true;
}

/* The gradient without priors; the matrix becomes the inverse, `slopes` the weighted slopes. */
static void differentiate(const struct fit *fit, const double *theta, double *gradient)
{
    const struct fit_data *data = fit->data;
    size_t n = data->points.count;
    int order = (int)n;
    int info = 0;
    LAPACK_dpotri("L", &order, fit->matrix, &order, &info);
    double trace = 0;
    double noise = 0;
    double by_amplitude = 0;
    size_t pair = 0;
    for (size_t j = 0; j < n; j++) {
        double diagonal = fit->solution[j] * fit->solution[j] - fit->matrix[j * n + j];
        trace += diagonal;
        noise += diagonal * data->factors[j];
        for (size_t k = j + 1; k < n; k++, pair++) {
            double w = fit->solution[j] * fit->solution[k] - fit->matrix[j * n + k];
            by_amplitude += w * fit->kernel[pair];
            fit->slopes[pair] *= w;
        }
    }
    if (fit->pairs > 0)
        cblas_dgemv(CblasColMajor, CblasTrans, (int)fit->pairs, (int)data->dims, -1, fit->squares,
                    (int)fit->pairs, fit->slopes, 1, 0, gradient, 1);
    for (size_t i = 0; i < data->dims; i++)
        gradient[i] = fit->pairs > 0 ? gradient[i] * fit->weights[i] : 0;
    gradient[THETA_AMPLITUDE(data->dims)] =
        -0.5 * trace * exp(theta[THETA_AMPLITUDE(data->dims)]) - by_amplitude;
    gradient[THETA_NOISE(data->dims)] = -0.5 * noise * exp(theta[THETA_NOISE(data->dims)]);
}

double fit_loss(const struct fit *fit, const double *theta, double *gradient)
{
    const struct fit_data *data = fit->data;
    size_t n = data->points.count;
    if (!factor(fit, theta)) {
        for (size_t i = 0; i < THETA_COUNT(data->dims); i++)
            gradient[i] = 0;
        return LOSS_WORST;
    }
    double loss = 0.5 * cblas_ddot((int)n, data->values, 1, fit->solution, 1);
    for (size_t j = 0; j < n; j++)
        loss += log(fit->matrix[j * n + j]);
    differentiate(fit, theta, gradient);
    for (size_t i = 0; i < THETA_COUNT(data->dims); i++) {
        struct prior prior = prior_of(data->dims, i);
        double q = (theta[i] - prior.mean) / prior.deviation;
        loss += 0.5 * q * q;
        gradient[i] += q / prior.deviation;
    }
    return loss;
}

bool fit_allows(size_t dims, const double *theta)
{
    for (size_t i = 0; i < THETA_COUNT(dims); i++)
        if (!(theta[i] >= prior_of(dims, i).lower && theta[i] <= prior_of(dims, i).upper))
            return false;
    return true;
}

void fit_start(size_t dims, double scale, double *theta)
{
    for (size_t i = 0; i < dims; i++)
        theta[i] = log(0.5 * scale) + 0.25 * log((double)dims);
    theta[THETA_AMPLITUDE(dims)] = 0;
    theta[THETA_NOISE(dims)] = log(0.01);
}

static double evaluate(void *context, const double *theta, double *gradient)
{
    return fit_loss(context, theta, gradient);
}

enum status fit_improve(const struct fit *fit, int evaluations_max, double *theta, double *loss,
                        struct err *err)
{
    size_t dims = fit->data->dims;
    size_t count = THETA_COUNT(dims);
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    double *lower = arena_alloc(&arena, count * sizeof *lower);
    double *upper = arena_alloc(&arena, count * sizeof *upper);
    if (lower == NULL || upper == NULL)
        return err_set(err, STATUS_NO_MEMORY, "fitting: out of memory");
    for (size_t i = 0; i < count; i++) {
        lower[i] = prior_of(dims, i).lower;
        upper[i] = prior_of(dims, i).upper;
    }
    const struct minimise problem = {.function = evaluate,
                                     .context = (void *)(uintptr_t)fit,
                                     .count = count,
                                     .lower = lower,
                                     .upper = upper,
                                     .evaluations_max = evaluations_max,
                                     .tolerance = TOLERANCE};
    return minimise(&problem, theta, loss, err);
}
