// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/surface_data.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <string.h>

#include "optim/draws.h"
#include "optim/fit.h"

#define FIT_MAX 384 /* points of a fit; fewer where there are many dimensions */
#define FIT_MAX_WIDE 256
#define WIDE_FROM 24
#define EVALUATIONS 80
#define FAR_SCALE 4
#define STEP 1e-3        /* of the differences, in logarithms */
#define CURVATURE_MIN .2 /* a little more than what the widest prior has */
#define FARTHEST 3.0     /* a logarithm's greatest distance from the best */
#define CANDIDATES 48
#define BLOCK 256    /* points predicted at a time */
#define WORK_EACH 34 /* numbers that dsyev wants, a row */

struct fitting {
    const struct surface *surface;
    struct fit_data data;
    struct fit fit;
    size_t count; /* of logarithms */
    double *best;
    double best_loss;
    double *candidates; /* CANDIDATES x count */
};

/* ---- the maximum ---- */

/* A random subset where there are many, in their order. */
static enum status choose(const struct surface *surface, uint64_t seed, size_t **indexes, size_t *count,
                          struct arena *arena, struct err *err)
{
    struct draws draws = {.seed = seed, .name = "surface.subset"};
    size_t most = surface->space->count < WIDE_FROM ? FIT_MAX : FIT_MAX_WIDE;
    size_t left = surface->count < most ? surface->count : most;
    *count = 0;
    *indexes = arena_alloc(arena, (left + 1) * sizeof **indexes);
    if (*indexes == NULL)
        return err_set(err, STATUS_NO_MEMORY, "surface: out of memory");
    for (size_t i = 0; i < surface->count && left > 0; i++) {
        if (draws_below(&draws, surface->count - i) >= left)
            continue;
        (*indexes)[(*count)++] = i;
        left--;
    }
    return STATUS_OK;
}

static enum status gather(struct fitting *fitting, uint64_t seed, struct arena *arena, struct err *err)
{
    const struct surface *surface = fitting->surface;
    size_t dims = surface->space->count, n = 0;
    size_t *indexes = NULL;
    TRY(choose(surface, seed, &indexes, &n, arena, err));
    double *at = arena_alloc(arena, n * dims * sizeof *at);
    double *values = arena_alloc(arena, n * sizeof *values);
    double *factors = arena_alloc(arena, n * sizeof *factors);
    fitting->count = THETA_COUNT(dims);
    fitting->best = arena_alloc(arena, fitting->count * sizeof *fitting->best);
    fitting->candidates = arena_alloc(arena, CANDIDATES * fitting->count * sizeof *fitting->candidates);
    if (at == NULL || values == NULL || factors == NULL || fitting->best == NULL ||
        fitting->candidates == NULL)
        return err_set(err, STATUS_NO_MEMORY, "surface: out of memory");
    for (size_t j = 0; j < n; j++) {
        values[j] = surface->values[indexes[j]];
        factors[j] = 1;
        for (size_t i = 0; i < dims; i++)
            at[i * n + j] = surface->rows[indexes[j] * dims + i];
    }
    fitting->data = (struct fit_data){.dims = dims,
                                      .category = surface->category,
                                      .points = {.at = at, .stride = n, .count = n},
                                      .values = values,
                                      .factors = factors};
    return fit_prepare(&fitting->fit, &fitting->data, arena, err);
}

static enum status find_best(struct fitting *fitting, struct arena *arena, struct err *err)
{
    static const double scales[] = {1, 1.0 / FAR_SCALE, FAR_SCALE};
    double *theta = arena_alloc(arena, fitting->count * sizeof *theta);
    if (theta == NULL)
        return err_set(err, STATUS_NO_MEMORY, "surface: out of memory");
    for (size_t k = 0; k < ARRAY_LEN(scales); k++) {
        double loss = 0;
        fit_start(fitting->data.dims, scales[k], theta);
        TRY(fit_improve(&fitting->fit, EVALUATIONS, theta, &loss, err));
        if (k > 0 && !(loss < fitting->best_loss))
            continue;
        fitting->best_loss = loss;
        memcpy(fitting->best, theta, fitting->count * sizeof *theta);
    }
    return STATUS_OK;
}

/* ---- around it ---- */

/* Second derivatives by central differences, symmetric. */
static void differentiate(const struct fitting *fitting, double *theta, double *gradients, double *hessian)
{
    size_t q = fitting->count;
    for (size_t i = 0; i < q; i++) {
        memcpy(theta, fitting->best, q * sizeof *theta);
        theta[i] = fitting->best[i] + STEP;
        (void)fit_loss(&fitting->fit, theta, gradients);
        theta[i] = fitting->best[i] - STEP;
        (void)fit_loss(&fitting->fit, theta, gradients + q);
        for (size_t j = 0; j < q; j++)
            hessian[i * q + j] = (gradients[j] - gradients[q + j]) / (2 * STEP);
    }
    for (size_t i = 0; i < q; i++)
        for (size_t j = 0; j < i; j++)
            hessian[i * q + j] = hessian[j * q + i] = (hessian[i * q + j] + hessian[j * q + i]) / 2;
}

/* One candidate of the normal approximation; returns the logarithm of its density up to a constant. */
static double place(const struct fitting *fitting, const double *vectors, const double *curvatures,
                    struct draws *draws, double *out)
{
    size_t q = fitting->count;
    double density = 0;
    memcpy(out, fitting->best, q * sizeof *out);
    for (size_t k = 0; k < q; k++) {
        double z = draws_normal(draws);
        double length = z / sqrt(fmax(curvatures[k], CURVATURE_MIN));
        density -= z * z / 2;
        for (size_t i = 0; i < q; i++)
            out[i] += length * vectors[k * q + i];
    }
    for (size_t i = 0; i < q; i++)
        out[i] = fmin(fmax(out[i], fitting->best[i] - FARTHEST), fitting->best[i] + FARTHEST);
    return density;
}

/* Even steps through the cumulated weights. */
static void resample(const struct fitting *fitting, double *weights, double first, double *out)
{
    double most = -HUGE_VAL, sum = 0, passed = 0;
    size_t k = 0;
    for (size_t c = 0; c < CANDIDATES; c++)
        most = fmax(most, weights[c]);
    for (size_t c = 0; c < CANDIDATES; c++)
        sum += weights[c] = exp(weights[c] - most);
    for (size_t c = 0; c < CANDIDATES; c++) {
        passed += weights[c] / sum * SURFACE_THETAS;
        for (; k < SURFACE_THETAS && ((double)k + first < passed || c == CANDIDATES - 1); k++)
            memcpy(out + k * fitting->count, fitting->candidates + c * fitting->count,
                   fitting->count * sizeof *out);
    }
}

static enum status draw_thetas(const struct fitting *fitting, uint64_t seed, double *out, struct arena *arena,
                               struct err *err)
{
    struct draws draws = {.seed = seed, .name = "surface.theta"};
    size_t q = fitting->count;
    double weights[CANDIDATES];
    double *hessian = arena_alloc(arena, q * q * sizeof *hessian);
    double *curvatures = arena_alloc(arena, q * sizeof *curvatures);
    double *room = arena_alloc(arena, 3 * q * sizeof *room);
    double *work = arena_alloc(arena, WORK_EACH * q * sizeof *work);
    if (hessian == NULL || curvatures == NULL || room == NULL || work == NULL)
        return err_set(err, STATUS_NO_MEMORY, "surface: out of memory");
    differentiate(fitting, room, room + q, hessian);
    int order = (int)q, work_size = WORK_EACH * order, info = 0;
    LAPACK_dsyev("V", "L", &order, hessian, &order, curvatures, work, &work_size, &info);
    if (info != 0)
        return err_set(err, STATUS_INTERNAL, "surface: no curvature at the best parameters");
    for (size_t c = 0; c < CANDIDATES; c++) {
        double *candidate = fitting->candidates + c * q;
        double density = place(fitting, hessian, curvatures, &draws, candidate);
        weights[c] = fitting->best_loss - fit_loss(&fitting->fit, candidate, room) - density;
    }
    resample(fitting, weights, draws_unit(&draws), out);
    return STATUS_OK;
}

/* ---- how well it predicts ---- */

static enum status start_process(const struct surface *surface, const double *theta, struct gp *gp,
                                 struct arena *arena, struct err *err)
{
    size_t dims = surface->space->count;
    TRY(gp_init(gp, dims, surface->category, theta, surface->count, arena, err));
    for (size_t j = 0; j < surface->count; j++)
        gp_put(gp, surface->rows + j * dims, 1);
    gp_factor(gp);
    return STATUS_OK;
}

static enum status measure(struct surface *surface, const double *theta, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct gp gp;
    size_t n = surface->count;
    double errors = 0, squares = 0;
    TRY(start_process(surface, theta, &gp, &arena, err));
    gp_fit_values(&gp, surface->values);
    double *weights = arena_alloc(&arena, n * sizeof *weights);
    double *residuals = arena_alloc(&arena, n * sizeof *residuals);
    if (weights == NULL || residuals == NULL)
        return err_set(err, STATUS_NO_MEMORY, "surface: out of memory");
    TRY(gp_leave_one_out(&gp, residuals, &arena, err));
    memcpy(weights, gp.half, n * sizeof *weights);
    gp_back_solve(&gp, weights);
    /* residual = a / sqrt(c) and a / c is what is missed, c the inverse's diagonal */
    for (size_t j = 0; j < n; j++) {
        double missed = weights[j] != 0 ? residuals[j] * residuals[j] / weights[j] : 0;
        errors += missed * missed;
        squares += surface->values[j] * surface->values[j];
    }
    surface->explained = squares > 0 ? 1 - errors / squares : 0;
    return STATUS_OK;
}

enum status surface_fit(const struct surface_input *input, struct surface *out, struct arena *arena,
                        struct err *err)
{
    struct arena scratch CLEANUP(arena_free) = arena_make(0);
    struct fitting fitting = {.surface = out};
    size_t dims = input->space->count;
    openblas_set_num_threads(1);
    TRY(surface_take(input, out, arena, err));
    out->category = arena_calloc(arena, dims, sizeof *out->category);
    out->thetas = arena_alloc(arena, SURFACE_THETAS * THETA_COUNT(dims) * sizeof *out->thetas);
    if (out->category == NULL || out->thetas == NULL)
        return err_set(err, STATUS_NO_MEMORY, "surface: out of memory");
    for (size_t i = 0; i < dims; i++)
        out->category[i] = input->space->dims[i].kind == OPTIM_CATEGORY;
    TRY(gather(&fitting, input->seed, &scratch, err));
    TRY(find_best(&fitting, &scratch, err));
    TRY(draw_thetas(&fitting, input->seed, out->thetas, &scratch, err));
    return measure(out, fitting.best, err);
}

/* ---- predictions ---- */

/* Adds means, their squares and variances by one theta; `columns` is room for a block. */
static void add_beliefs(const struct gp *gp, const double *rows, size_t count, double *columns, double *means,
                        double *squares)
{
    size_t n = gp->points.count, dims = gp->kernel.dims;
    for (size_t from = 0; from < count; from += BLOCK) {
        size_t block = count - from < BLOCK ? count - from : BLOCK;
        for (size_t c = 0; c < block; c++)
            kernel_column(&gp->kernel, &gp->points, rows + (from + c) * dims, columns + c * n, NULL);
        gp_solve_columns(gp, columns, block);
        for (size_t c = 0; c < block; c++) {
            const double *v = columns + c * n;
            double mean = cblas_ddot((int)n, v, 1, gp->half, 1);
            double variance = fmax(gp->kernel.amplitude - cblas_ddot((int)n, v, 1, v, 1), GP_VARIANCE_MIN);
            means[from + c] += mean / SURFACE_THETAS;
            squares[from + c] += (mean * mean + variance) / SURFACE_THETAS;
        }
    }
}

enum status surface_predict(const struct surface *surface, const double *points, size_t count, double *means,
                            double *deviations, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    size_t dims = surface->space->count;
    double *rows = arena_alloc(&arena, (count + 1) * dims * sizeof *rows);
    double *columns = arena_alloc(&arena, surface->count * BLOCK * sizeof *columns);
    if (rows == NULL || columns == NULL)
        return err_set(err, STATUS_NO_MEMORY, "surface: out of memory");
    for (size_t c = 0; c < count; c++) {
        dims_embed(surface->space, points + c * dims, rows + c * dims);
        means[c] = deviations[c] = 0;
    }
    for (size_t theta = 0; theta < SURFACE_THETAS; theta++) {
        struct arena scratch CLEANUP(arena_free) = arena_make(0);
        struct gp gp;
        TRY(start_process(surface, surface->thetas + theta * THETA_COUNT(dims), &gp, &scratch, err));
        gp_fit_values(&gp, surface->values);
        add_beliefs(&gp, rows, count, columns, means, deviations);
    }
    for (size_t c = 0; c < count; c++) {
        deviations[c] = surface->scale * sqrt(fmax(deviations[c] - means[c] * means[c], 0));
        means[c] = surface->middle + surface->scale * means[c];
    }
    return STATUS_OK;
}
