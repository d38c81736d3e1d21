// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/gp.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <string.h>

#define JITTER 1e-10

enum status gp_init(struct gp *gp, size_t dims, const bool *category, const double *theta, size_t capacity,
                    struct arena *arena, struct err *err)
{
    *gp = (struct gp){.capacity = capacity,
                      .noise = exp(theta[THETA_NOISE(dims)]) + GP_NOISE_MIN,
                      .weights_l = arena_alloc(arena, dims * sizeof(double)),
                      .noises = arena_alloc(arena, capacity * sizeof(double)),
                      .factor = arena_alloc(arena, capacity * capacity * sizeof(double)),
                      .half = arena_alloc(arena, capacity * sizeof(double)),
                      .scratch = arena_alloc(arena, capacity * sizeof(double))};
    gp->points.at = arena_alloc(arena, dims * capacity * sizeof(double));
    gp->points.stride = capacity;
    if (gp->weights_l == NULL || gp->noises == NULL || gp->factor == NULL || gp->half == NULL ||
        gp->scratch == NULL || gp->points.at == NULL)
        return err_set(err, STATUS_NO_MEMORY, "model: out of memory");
    for (size_t i = 0; i < dims; i++)
        gp->weights_l[i] = exp(-2 * theta[i]);
    gp->kernel = (struct kernel){.dims = dims,
                                 .category = category,
                                 .weights = gp->weights_l,
                                 .amplitude = exp(theta[THETA_AMPLITUDE(dims)])};
    return STATUS_OK;
}

void gp_put(struct gp *gp, const double *x, double factor)
{
    size_t at = gp->points.count++;
    for (size_t i = 0; i < gp->kernel.dims; i++)
        gp->points.at[i * gp->points.stride + at] = x[i];
    gp->noises[at] = gp->noise * factor + JITTER;
}

/* The lower part of K + noise + jitter. */
static void fill(const struct gp *gp, double jitter)
{
    size_t n = gp->points.count;
    for (size_t j = 0; j < n; j++) {
        const struct points below = {.at = gp->points.at + j, .stride = gp->points.stride, .count = n - j};
        double *column = gp->factor + j * gp->capacity + j;
        kernel_distances(&gp->kernel, &below, below.at, below.stride, column);
        kernel_apply(gp->kernel.amplitude, column, n - j, NULL);
        column[0] += gp->noises[j] + jitter;
    }
}

void gp_factor(struct gp *gp)
{
    int n = (int)gp->points.count;
    int stride = (int)gp->capacity;
    double jitter = 0;
    int info = 1;
    while (info != 0 && n > 0) {
        fill(gp, jitter);
        LAPACK_dpotrf("L", &n, gp->factor, &stride, &info);
        jitter = jitter > 0 ? jitter * 10 : 1e-9 * gp->kernel.amplitude;
    }
}

void gp_fit_values(struct gp *gp, const double *values)
{
    int n = (int)gp->points.count;
    memcpy(gp->half, values, gp->points.count * sizeof *values);
    cblas_dtrsv(CblasColMajor, CblasLower, CblasNoTrans, CblasNonUnit, n, gp->factor, (int)gp->capacity,
                gp->half, 1);
}

void gp_append(struct gp *gp, const double *x, double noise)
{
    size_t n = gp->points.count;
    double *v = gp->scratch;
    double rest = gp->kernel.amplitude + noise + JITTER;
    kernel_column(&gp->kernel, &gp->points, x, v, NULL);
    gp_solve_columns(gp, v, 1);
    rest -= cblas_ddot((int)n, v, 1, v, 1);
    gp_put(gp, x, 1);
    gp->noises[n] = noise + JITTER;
    cblas_dcopy((int)n, v, 1, gp->factor + n, (int)gp->capacity);
    gp->factor[n * gp->capacity + n] = sqrt(fmax(rest, noise));
}

void gp_set_last(struct gp *gp, double value)
{
    size_t last = gp->points.count - 1;
    double mean = cblas_ddot((int)last, gp->factor + last, (int)gp->capacity, gp->half, 1);
    gp->half[last] = (value - mean) / gp->factor[last * gp->capacity + last];
}

void gp_predict(const struct gp *gp, const double *x, double *v, double *slopes, double *mean,
                double *variance)
{
    int n = (int)gp->points.count;
    kernel_column(&gp->kernel, &gp->points, x, v, slopes);
    gp_solve_columns(gp, v, 1);
    *mean = cblas_ddot(n, v, 1, gp->half, 1);
    *variance = fmax(gp->kernel.amplitude - cblas_ddot(n, v, 1, v, 1), GP_VARIANCE_MIN);
}

void gp_back_solve(const struct gp *gp, double *b)
{
    cblas_dtrsv(CblasColMajor, CblasLower, CblasTrans, CblasNonUnit, (int)gp->points.count, gp->factor,
                (int)gp->capacity, b, 1);
}

void gp_solve_columns(const struct gp *gp, double *v, size_t columns)
{
    int n = (int)gp->points.count;
    if (columns == 1)
        cblas_dtrsv(CblasColMajor, CblasLower, CblasNoTrans, CblasNonUnit, n, gp->factor, (int)gp->capacity,
                    v, 1);
    else
        cblas_dtrsm(CblasColMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, n, (int)columns, 1,
                    gp->factor, (int)gp->capacity, v, n);
}

enum status gp_leave_one_out(const struct gp *gp, double *out, struct arena *arena, struct err *err)
{
    size_t n = gp->points.count;
    int order = (int)n;
    int info = 0;
    double *inverse = arena_alloc(arena, n * n * sizeof *inverse);
    if (inverse == NULL)
        return err_set(err, STATUS_NO_MEMORY, "model: out of memory");
    for (size_t j = 0; j < n; j++)
        memcpy(inverse + j * n + j, gp->factor + j * gp->capacity + j, (n - j) * sizeof *inverse);
    LAPACK_dpotri("L", &order, inverse, &order, &info);
    memcpy(out, gp->half, n * sizeof *out);
    gp_back_solve(gp, out);
    for (size_t j = 0; j < n; j++)
        out[j] /= sqrt(inverse[j * n + j]);
    return STATUS_OK;
}

/* K a = y - noise a */
void gp_means_at_points(const struct gp *gp, const double *values, double *out)
{
    size_t n = gp->points.count;
    memcpy(out, gp->half, n * sizeof *out);
    gp_back_solve(gp, out);
    for (size_t j = 0; j < n; j++)
        out[j] = values[j] - gp->noises[j] * out[j];
}
