// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/importance.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "optim/draws.h"
#include "optim/sobol.h"
#include "optim/surface_data.h"

#define FUNCTIONS 8 /* of each theta */
#define DRAWS (SURFACE_THETAS * FUNCTIONS)
#define BASE_MAX 1024 /* rows of the sampling matrices */
#define BASE_MIN 128
#define WORK_MAX 4e9 /* about as many elementary operations for all evaluations: seconds */
#define VARIANCE_MIN 1e-12

/* ---- the indices ---- */

/* The matrices of one theta and what its functions are there; `rows` of each. */
struct sampling {
    const struct optim_space *space;
    size_t rows, dims;
    double *a, *b, *mixed; /* places in the cube, rows x dims */
    double *at;            /* coordinates of one of them */
    double *fa, *fb, *fm;  /* rows x FUNCTIONS */
    double *full, *point;  /* scratch of one row */
    bool *active;          /* likewise */
    double *total, *first; /* of all draws: dims x DRAWS */
};

static size_t base_rows(size_t dims, size_t n)
{
    double each = (double)n * (double)(dims + 12) + SURFACE_FEATURES * (double)(dims + 40);
    double most = WORK_MAX / SURFACE_THETAS / each / (double)(dims + 2);
    size_t rows = BASE_MAX;
    while (rows > BASE_MIN && (double)rows > most)
        rows /= 2;
    return rows;
}

static enum status allocate(struct sampling *sampling, struct arena *arena, struct err *err)
{
    size_t cells = sampling->rows * sampling->dims, values = sampling->rows * FUNCTIONS;
    double **rooms[] = {&sampling->a, &sampling->b, &sampling->mixed, &sampling->at};
    double **outs[] = {&sampling->fa, &sampling->fb, &sampling->fm};
    bool all = true;
    for (size_t i = 0; i < ARRAY_LEN(rooms); i++)
        all = (*rooms[i] = arena_alloc(arena, cells * sizeof(double))) != NULL && all;
    for (size_t i = 0; i < ARRAY_LEN(outs); i++)
        all = (*outs[i] = arena_alloc(arena, values * sizeof(double))) != NULL && all;
    sampling->full = arena_alloc(arena, 2 * sampling->dims * sizeof(double));
    sampling->point = arena_alloc(arena, sampling->dims * sizeof(double));
    sampling->active = arena_calloc(arena, sampling->dims, sizeof(bool));
    sampling->total = arena_calloc(arena, sampling->dims * DRAWS, sizeof(double));
    sampling->first = arena_calloc(arena, sampling->dims * DRAWS, sizeof(double));
    if (!all || sampling->full == NULL || sampling->point == NULL || sampling->active == NULL ||
        sampling->total == NULL || sampling->first == NULL)
        return err_set(err, STATUS_NO_MEMORY, "importance: out of memory");
    return STATUS_OK;
}

static void draw_matrices(struct sampling *sampling, struct sobol *sobol, uint64_t seed)
{
    size_t dims = sampling->dims;
    sobol_init(sobol, seed);
    for (size_t j = 0; j < sampling->rows; j++) {
        sobol_point(sobol, (uint32_t)j, 2 * dims, sampling->full);
        memcpy(sampling->a + j * dims, sampling->full, dims * sizeof(double));
        memcpy(sampling->b + j * dims, sampling->full + dims, dims * sizeof(double));
    }
}

static void evaluate(struct sampling *sampling, const struct functions *functions, const double *units,
                     double *out)
{
    size_t dims = sampling->dims;
    for (size_t j = 0; j < sampling->rows; j++) {
        dims_from_unit(sampling->space, units + j * dims, sampling->full);
        dims_settle(sampling->space, sampling->full, sampling->active, sampling->point);
        dims_embed(sampling->space, sampling->point, sampling->at + j * dims);
    }
    functions_at(functions, sampling->at, sampling->rows, out);
}

/* Both indices of a dimension, of one function; `fm` is of A with B's column. */
static void take_index(const struct sampling *sampling, size_t function, double *total, double *first)
{
    size_t rows = sampling->rows;
    const double *fa = sampling->fa + function * rows, *fb = sampling->fb + function * rows;
    const double *fm = sampling->fm + function * rows;
    double mean = 0, variance = 0, apart = 0, along = 0;
    for (size_t j = 0; j < rows; j++)
        mean += (fa[j] + fb[j]) / (2 * (double)rows);
    for (size_t j = 0; j < rows; j++) {
        double a = fa[j] - mean, b = fb[j] - mean, m = fm[j] - mean;
        variance += (a * a + b * b) / 2;
        apart += (a - m) * (a - m) / 2;
        along += b * (m - a);
    }
    bool flat = !(variance > VARIANCE_MIN * (double)rows);
    *total = flat ? 0 : apart / variance;
    *first = flat ? 0 : along / variance;
}

static void take_indices(struct sampling *sampling, const struct functions *functions, size_t theta)
{
    size_t dims = sampling->dims;
    evaluate(sampling, functions, sampling->a, sampling->fa);
    evaluate(sampling, functions, sampling->b, sampling->fb);
    for (size_t i = 0; i < dims; i++) {
        memcpy(sampling->mixed, sampling->a, sampling->rows * dims * sizeof(double));
        cblas_dcopy((int)sampling->rows, sampling->b + i, (int)dims, sampling->mixed + i, (int)dims);
        evaluate(sampling, functions, sampling->mixed, sampling->fm);
        for (size_t s = 0; s < FUNCTIONS; s++) {
            size_t at = i * DRAWS + theta * FUNCTIONS + s;
            take_index(sampling, s, &sampling->total[at], &sampling->first[at]);
        }
    }
}

static double share(double x)
{
    return fmin(fmax(x, 0), 1);
}

/* Sorts the draws. */
static struct importance_effect summarise(double *draws)
{
    double sum = 0;
    for (size_t k = 0; k < DRAWS; k++)
        sum += draws[k];
    sort_numbers(draws, DRAWS);
    double outside = (1 - IMPORTANCE_COVERAGE) / 2;
    return (struct importance_effect){.value = share(sum / DRAWS),
                                      .low = share(sorted_quantile(draws, DRAWS, outside)),
                                      .high = share(sorted_quantile(draws, DRAWS, 1 - outside))};
}

static enum status sample(const struct surface *surface, struct sampling *sampling, struct arena *arena,
                          struct err *err)
{
    struct sobol *sobol = arena_alloc(arena, sizeof *sobol);
    if (sobol == NULL)
        return err_set(err, STATUS_NO_MEMORY, "importance: out of memory");
    for (size_t theta = 0; theta < SURFACE_THETAS; theta++) {
        struct arena scratch CLEANUP(arena_free) = arena_make(0);
        struct functions functions;
        draw_matrices(sampling, sobol, random_draw_u64(surface->seed, theta, "importance.matrix", 0));
        TRY(functions_draw(surface, theta, FUNCTIONS, surface->seed, &functions, &scratch, err));
        take_indices(sampling, &functions, theta);
    }
    return STATUS_OK;
}

enum status importance_compute(const struct surface *surface, struct importance *out, struct arena *arena,
                               struct err *err)
{
    struct arena scratch CLEANUP(arena_free) = arena_make(0);
    size_t dims = surface->space->count;
    struct sampling sampling = {
        .space = surface->space, .dims = dims, .rows = base_rows(dims, surface->count)};
    openblas_set_num_threads(1);
    *out = (struct importance){.total = arena_calloc(arena, dims, sizeof *out->total),
                               .first = arena_calloc(arena, dims, sizeof *out->first)};
    if (out->total == NULL || out->first == NULL)
        return err_set(err, STATUS_NO_MEMORY, "importance: out of memory");
    TRY(allocate(&sampling, &scratch, err));
    TRY(sample(surface, &sampling, &scratch, err));
    for (size_t i = 0; i < dims; i++) {
        out->total[i] = summarise(sampling.total + i * DRAWS);
        out->first[i] = summarise(sampling.first + i * DRAWS);
        out->first[i].value = fmin(out->first[i].value, out->total[i].value);
    }
    return STATUS_OK;
}

double importance_correlation(const double *x, const double *y, size_t count)
{
    double mean_x = 0, mean_y = 0, xx = 0, yy = 0, xy = 0, most_x = 0, most_y = 0;
    for (size_t j = 0; j < count; j++) {
        most_x = fmax(most_x, fabs(x[j]));
        most_y = fmax(most_y, fabs(y[j]));
    }
    if (!(most_x > 0 && most_y > 0))
        return NAN;
    for (size_t j = 0; j < count; j++) {
        mean_x += x[j] / most_x / (double)count;
        mean_y += y[j] / most_y / (double)count;
    }
    for (size_t j = 0; j < count; j++) {
        double dx = x[j] / most_x - mean_x, dy = y[j] / most_y - mean_y;
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    double deviations = sqrt(xx) * sqrt(yy);
    double least = 64 * DBL_EPSILON * (double)count;
    return xx > least * least && yy > least * least ? fmin(fmax(xy / deviations, -1), 1) : NAN;
}
