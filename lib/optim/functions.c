// SPDX-License-Identifier: GPL-3.0-or-later
/* Functions drawn from a surface. */
#include <cblas.h>
#include <math.h>
#include <string.h>

#include "optim/draws.h"
#include "optim/surface.h"

#define BLOCK 256 /* rows at a time */
#define FREEDOM 5 /* degrees of freedom of a Matern 5/2's frequencies */

static size_t level_count(const struct optim_dim *dim)
{
    return dim->levels < SURFACE_LEVELS ? (size_t)dim->levels : SURFACE_LEVELS;
}

/* Corner of a category's coordinate; OPTIM_INACTIVE has one of its own. */
static size_t corner_of(double coordinate)
{
    return coordinate < 0 ? 0 : 1 + (size_t)((uint64_t)coordinate % SURFACE_LEVELS);
}

static enum status allocate(struct functions *functions, struct arena *arena, struct err *err)
{
    const struct optim_space *space = functions->space;
    size_t n = functions->gp.points.count, m = SURFACE_FEATURES;
    functions->frequencies = arena_calloc(arena, m * space->count, sizeof(double));
    functions->corners = arena_calloc(arena, space->count, sizeof(double *));
    functions->prior = arena_alloc(arena, 2 * m * functions->count * sizeof(double));
    functions->update = arena_alloc(arena, n * functions->count * sizeof(double));
    functions->kernel = arena_alloc(arena, n * BLOCK * sizeof(double));
    functions->phases = arena_alloc(arena, m * BLOCK * sizeof(double));
    functions->features = arena_alloc(arena, 2 * m * BLOCK * sizeof(double));
    if (functions->frequencies == NULL || functions->corners == NULL || functions->prior == NULL ||
        functions->update == NULL || functions->kernel == NULL || functions->phases == NULL ||
        functions->features == NULL)
        return err_set(err, STATUS_NO_MEMORY, "surface: out of memory");
    for (size_t i = 0; i < space->count; i++) {
        if (space->dims[i].kind != OPTIM_CATEGORY)
            continue;
        functions->corners[i] = arena_alloc(arena, (level_count(&space->dims[i]) + 1) * m * sizeof(double));
        if (functions->corners[i] == NULL)
            return err_set(err, STATUS_NO_MEMORY, "surface: out of memory");
    }
    return STATUS_OK;
}

static void draw_prior(struct functions *functions, struct draws *draws)
{
    const struct optim_space *space = functions->space;
    size_t m = SURFACE_FEATURES;
    for (size_t k = 0; k < m; k++) {
        double squares = 0;
        for (int f = 0; f < FREEDOM; f++) {
            double z = draws_normal(draws);
            squares += z * z;
        }
        double spread = sqrt(FREEDOM / squares);
        for (size_t i = 0; i < space->count; i++) {
            double scale = spread * sqrt(functions->gp.kernel.weights[i]);
            if (functions->corners[i] == NULL)
                functions->frequencies[i * m + k] = scale * draws_normal(draws);
            for (size_t c = 0; functions->corners[i] != NULL && c <= level_count(&space->dims[i]); c++)
                functions->corners[i][c * m + k] = scale * sqrt(0.5) * draws_normal(draws);
        }
    }
    double weight = sqrt(functions->gp.kernel.amplitude / (double)m);
    for (size_t k = 0; k < 2 * m * functions->count; k++)
        functions->prior[k] = weight * draws_normal(draws);
}

/* Sines and cosines of a block, 2 SURFACE_FEATURES a row. */
static void make_features(const struct functions *functions, const double *rows, size_t count)
{
    size_t dims = functions->space->count, m = SURFACE_FEATURES;
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)count, (int)dims, 1,
                functions->frequencies, (int)m, rows, (int)dims, 0, functions->phases, (int)m);
    for (size_t j = 0; j < count; j++) {
        double *phases = functions->phases + j * m;
        double *features = functions->features + j * 2 * m;
        for (size_t i = 0; i < dims; i++)
            if (functions->corners[i] != NULL)
                cblas_daxpy((int)m, 1, functions->corners[i] + corner_of(rows[j * dims + i]) * m, 1, phases,
                            1);
        for (size_t k = 0; k < m; k++) {
            features[k] = sin(phases[k]);
            features[m + k] = cos(phases[k]);
        }
    }
}

/* out (rows x functions, leading dimension `stride`) = prior */
static void prior_at(const struct functions *functions, const double *rows, size_t count, double *out,
                     size_t stride)
{
    int features = 2 * SURFACE_FEATURES;
    make_features(functions, rows, count);
    cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, (int)count, (int)functions->count, features, 1,
                functions->features, features, functions->prior, features, 0, out, (int)stride);
}

/* The update from y - p(X) - e. */
static void solve(struct functions *functions, const struct surface *surface, struct draws *draws)
{
    size_t n = surface->count, dims = surface->space->count;
    for (size_t j = 0; j < n; j += BLOCK)
        prior_at(functions, surface->rows + j * dims, n - j < BLOCK ? n - j : BLOCK, functions->update + j,
                 n);
    for (size_t s = 0; s < functions->count; s++)
        for (size_t j = 0; j < n; j++) {
            double *at = &functions->update[s * n + j];
            *at = surface->values[j] - *at - sqrt(functions->gp.noises[j]) * draws_normal(draws);
        }
    for (size_t s = 0; s < functions->count; s++) {
        gp_solve_columns(&functions->gp, functions->update + s * n, 1);
        gp_back_solve(&functions->gp, functions->update + s * n);
    }
}

enum status functions_draw(const struct surface *surface, size_t theta, size_t count, uint64_t seed,
                           struct functions *out, struct arena *arena, struct err *err)
{
    struct draws draws = {.seed = seed, .ordinal = theta, .name = "surface.functions"};
    size_t dims = surface->space->count;
    *out = (struct functions){.space = surface->space, .count = count};
    TRY(gp_init(&out->gp, dims, surface->category, surface->thetas + theta * THETA_COUNT(dims),
                surface->count, arena, err));
    for (size_t j = 0; j < surface->count; j++)
        gp_put(&out->gp, surface->rows + j * dims, 1);
    gp_factor(&out->gp);
    TRY(allocate(out, arena, err));
    draw_prior(out, &draws);
    solve(out, surface, &draws);
    return STATUS_OK;
}

void functions_at(const struct functions *functions, const double *rows, size_t count, double *out)
{
    size_t n = functions->gp.points.count, dims = functions->space->count;
    for (size_t from = 0; from < count; from += BLOCK) {
        size_t block = count - from < BLOCK ? count - from : BLOCK;
        const double *at = rows + from * dims;
        prior_at(functions, at, block, out + from, count);
        for (size_t j = 0; j < block; j++)
            kernel_column(&functions->gp.kernel, &functions->gp.points, at + j * dims,
                          functions->kernel + j * n, NULL);
        cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, (int)block, (int)functions->count, (int)n, 1,
                    functions->kernel, (int)n, functions->update, (int)n, 1, out + from, (int)count);
    }
}
