// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/surrogate.h"

#include <cblas.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optim/learn.h"
#include "optim/sobol.h"

#define RIVALS 16
#define NOISY_FROM 1e-3   /* noise over amplitude from which the best known value is uncertain */
#define LATENT_NOISE 1e-6 /* of the amplitude */

static enum status allocate(struct surrogate *surrogate, const struct evidence *evidence, const double *theta,
                            size_t draws, struct arena *arena, struct err *err)
{
    size_t latent = evidence->pending + RIVALS;
    size_t capacity = evidence->successes + evidence->failures + latent;
    *surrogate = (struct surrogate){.known = evidence->successes + evidence->failures,
                                    .normals = arena_calloc(arena, latent * draws, sizeof(double)),
                                    .best = arena_calloc(arena, draws, sizeof(double)),
                                    .column = arena_calloc(arena, capacity, sizeof(double)),
                                    .slopes = arena_calloc(arena, capacity, sizeof(double)),
                                    .combined = arena_calloc(arena, capacity, sizeof(double))};
    if (surrogate->normals == NULL || surrogate->best == NULL || surrogate->column == NULL ||
        surrogate->slopes == NULL || surrogate->combined == NULL)
        return err_set(err, STATUS_NO_MEMORY, "model: out of memory");
    return gp_init(&surrogate->gp, evidence->dims, evidence->category, theta, capacity, arena, err);
}

static void factor_successes(struct gp *gp, const struct evidence *evidence)
{
    gp->points.count = 0;
    for (size_t j = 0; j < evidence->successes; j++)
        gp_put(gp, evidence->success_rows + j * evidence->dims, evidence->factors[j]);
    gp_factor(gp);
    gp_fit_values(gp, evidence->values);
}

static enum status add_successes(struct surrogate *surrogate, const struct evidence *evidence, double *means,
                                 struct arena *arena, struct err *err)
{
    struct gp *gp = &surrogate->gp;
    size_t found = 0;
    factor_successes(gp, evidence);
    if (evidence->mark_outliers)
        TRY(learnt_mark_outliers(gp, evidence->factors, &found, arena, err));
    if (found > 0)
        factor_successes(gp, evidence);
    gp_means_at_points(gp, evidence->values, means);
    return STATUS_OK;
}

static int compare_numbers(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return *x < *y ? -1 : *x > *y;
}

static enum status median_of(const double *values, size_t count, double *out, struct arena *arena,
                             struct err *err)
{
    double *sorted = arena_alloc(arena, count * sizeof *sorted);
    if (sorted == NULL)
        return err_set(err, STATUS_NO_MEMORY, "model: out of memory");
    memcpy(sorted, values, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_numbers);
    *out = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
    return STATUS_OK;
}

static enum status add_failures(struct surrogate *surrogate, const struct evidence *evidence,
                                struct arena *arena, struct err *err)
{
    double median = 0;
    double variance = 0;
    double *means = arena_alloc(arena, (evidence->failures + 1) * sizeof *means);
    if (means == NULL)
        return err_set(err, STATUS_NO_MEMORY, "model: out of memory");
    if (evidence->failures == 0)
        return STATUS_OK;
    TRY(median_of(evidence->values, evidence->successes, &median, arena, err));
    for (size_t j = 0; j < evidence->failures; j++)
        gp_predict(&surrogate->gp, evidence->failure_rows + j * evidence->dims, surrogate->column, NULL,
                   &means[j], &variance);
    for (size_t j = 0; j < evidence->failures; j++) {
        gp_append(&surrogate->gp, evidence->failure_rows + j * evidence->dims, surrogate->gp.noise);
        gp_set_last(&surrogate->gp, fmin(means[j], median));
    }
    return STATUS_OK;
}

/* ---- what is drawn ---- */

static void add_latent(struct surrogate *surrogate, const double *x)
{
    struct gp *gp = &surrogate->gp;
    gp_append(gp, x, LATENT_NOISE * gp->kernel.amplitude);
    gp->half[gp->points.count - 1] = 0;
    surrogate->latent++;
}

static bool is_apart(const struct evidence *evidence, const double *row)
{
    return evidence->focus != NULL && row[evidence->focus->dim] != evidence->focus->level;
}

/* The successes with the best means, whose true values noise hides; `means` is spoilt. -inf: none. */
static void add_rivals(struct surrogate *surrogate, const struct evidence *evidence, double *means)
{
    for (size_t r = 0; r < RIVALS && r < evidence->successes; r++) {
        size_t best = 0;
        for (size_t j = 1; j < evidence->successes; j++)
            if (means[j] > means[best])
                best = j;
        if (means[best] == -HUGE_VAL)
            return;
        means[best] = -HUGE_VAL;
        add_latent(surrogate, evidence->success_rows + best * evidence->dims);
    }
}

/* Joint draws at the latent points: L half, half = normals; the best of each raises best[s]. */
static enum status draw_latent(struct surrogate *surrogate, uint64_t seed, struct arena *arena,
                               struct err *err)
{
    const struct gp *gp = &surrogate->gp;
    size_t q = surrogate->latent;
    struct sobol *sobol = arena_alloc(arena, sizeof *sobol);
    if (sobol == NULL)
        return err_set(err, STATUS_NO_MEMORY, "model: out of memory");
    sobol_init(sobol, seed);
    for (size_t j = 0; j < q; j++)
        for (size_t s = 0; s < surrogate->draws; s++)
            surrogate->normals[s * q + j] = gsl_cdf_ugaussian_Pinv(sobol_at(sobol, (uint32_t)s, j));
    for (size_t j = 0; j < q; j++) {
        const double *row = gp->factor + surrogate->known + j;
        double common = cblas_ddot((int)surrogate->known, row, (int)gp->capacity, gp->half, 1);
        row += surrogate->known * gp->capacity;
        for (size_t s = 0; s < surrogate->draws; s++) {
            double drawn = cblas_ddot((int)j + 1, row, (int)gp->capacity, surrogate->normals + s * q, 1);
            surrogate->best[s] = fmax(surrogate->best[s], common + drawn);
        }
    }
    return STATUS_OK;
}

static enum status add_drawn(struct surrogate *surrogate, const struct evidence *evidence, size_t draws,
                             double *means, struct arena *arena, struct err *err)
{
    bool noisy = surrogate->gp.noise > NOISY_FROM * surrogate->gp.kernel.amplitude;
    double best = -HUGE_VAL;
    double least = HUGE_VAL;
    for (size_t j = 0; j < evidence->successes; j++) {
        least = fmin(least, means[j]);
        if (is_apart(evidence, evidence->success_rows + j * evidence->dims))
            means[j] = -HUGE_VAL;
        best = fmax(best, means[j]);
    }
    if (noisy)
        add_rivals(surrogate, evidence, means);
    for (size_t j = 0; j < evidence->pending; j++)
        if (!is_apart(evidence, evidence->pending_rows + j * evidence->dims))
            add_latent(surrogate, evidence->pending_rows + j * evidence->dims);
    surrogate->draws = surrogate->latent > 0 ? draws : 1;
    if (best == -HUGE_VAL)
        best = least; /* the level was never tried */
    else if (noisy)
        best = -HUGE_VAL; /* the rivals' */
    for (size_t s = 0; s < surrogate->draws; s++)
        surrogate->best[s] = best;
    return surrogate->latent > 0 ? draw_latent(surrogate, evidence->seed, arena, err) : STATUS_OK;
}

enum status surrogate_init(struct surrogate *surrogate, const struct evidence *evidence, const double *theta,
                           size_t draws, struct arena *arena, struct err *err)
{
    double *means = arena_alloc(arena, (evidence->successes + 1) * sizeof *means);
    if (means == NULL)
        return err_set(err, STATUS_NO_MEMORY, "model: out of memory");
    TRY(allocate(surrogate, evidence, theta, draws, arena, err));
    TRY(add_successes(surrogate, evidence, means, arena, err));
    TRY(add_failures(surrogate, evidence, arena, err));
    return add_drawn(surrogate, evidence, draws, means, arena, err);
}

/* ---- what it says ---- */

void surrogate_draw_means(const struct surrogate *surrogate, const double *v, double common, double *out)
{
    size_t q = surrogate->latent;
    for (size_t s = 0; s < surrogate->draws; s++) {
        out[s] = common;
        for (size_t j = 0; j < q; j++)
            out[s] += v[surrogate->known + j] * surrogate->normals[s * q + j];
    }
}

/* The mean is v'half and the variance s - v'v, v = L^-1 k(x): both gradients take one solve, of
 * sum_s by_mean_s half_s - by_deviation v / deviation, with L'. */
void surrogate_differentiate(const struct surrogate *surrogate, const double *x, double deviation,
                             const double *by_mean, double by_deviation, double *gradient)
{
    const struct gp *gp = &surrogate->gp;
    size_t q = surrogate->latent;
    size_t n = gp->points.count;
    double total = 0;
    double *b = surrogate->combined;
    for (size_t s = 0; s < surrogate->draws; s++)
        total += by_mean[s];
    for (size_t j = 0; j < surrogate->known; j++)
        b[j] = total * gp->half[j] - by_deviation / deviation * surrogate->column[j];
    for (size_t j = 0; j < q; j++) {
        double drawn = 0;
        for (size_t s = 0; s < surrogate->draws; s++)
            drawn += by_mean[s] * surrogate->normals[s * q + j];
        b[surrogate->known + j] = drawn - by_deviation / deviation * surrogate->column[surrogate->known + j];
    }
    gp_back_solve(gp, b);
    for (size_t j = 0; j < n; j++)
        b[j] *= surrogate->slopes[j];
    for (size_t i = 0; i < gp->kernel.dims; i++) {
        const double *at = gp->points.at + i * gp->points.stride;
        double sum = 0;
        for (size_t j = 0; j < n && !gp->kernel.category[i]; j++)
            sum += b[j] * (at[j] - x[i]);
        gradient[i] = sum * gp->kernel.weights[i];
    }
}

void surrogate_predict_known(const struct surrogate *surrogate, const double *x, double *mean,
                             double *variance)
{
    struct gp told = surrogate->gp;
    told.points.count = surrogate->known;
    gp_predict(&told, x, surrogate->column, NULL, mean, variance);
}
