// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/acquisition.h"

#include <cblas.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optim/learn.h"
#include "optim/reach.h"
#include "optim/sobol.h"

#define RIVALS 16
#define NOISY_FROM 1e-3   /* noise over amplitude from which the best known value is uncertain */
#define LATENT_NOISE 1e-6 /* of the amplitude */
#define BOUND_WIDTH 1.0   /* deviations */
#define BOUND_SCALE 4.0   /* against the chance of success, and among the starts of local search */
#define SUCCESS_PRIOR 0.9
#define SUCCESS_SCALE 0.25

static enum status allocate(struct acquisition *acquisition, const struct acquisition_input *input,
                            struct arena *arena, struct err *err)
{
    size_t latent = input->pending + RIVALS;
    size_t capacity = input->successes + input->failures + latent;
    TRY(gp_init(&acquisition->gp, input->dims, input->category, input->theta, capacity, arena, err));
    acquisition->normals = arena_calloc(arena, latent * ACQUISITION_DRAWS, sizeof(double));
    acquisition->best = arena_calloc(arena, ACQUISITION_DRAWS, sizeof(double));
    acquisition->weights_ok = arena_calloc(arena, input->dims, sizeof(double));
    acquisition->column = arena_calloc(arena, capacity, sizeof(double));
    acquisition->slopes = arena_calloc(arena, capacity, sizeof(double));
    acquisition->combined = arena_calloc(arena, capacity, sizeof(double));
    acquisition->room = arena_calloc(arena, 2 * input->dims, sizeof(double));
    if (acquisition->normals == NULL || acquisition->best == NULL || acquisition->weights_ok == NULL ||
        acquisition->column == NULL || acquisition->slopes == NULL || acquisition->combined == NULL ||
        acquisition->room == NULL)
        return err_set(err, STATUS_NO_MEMORY, "acquisition: out of memory");
    return STATUS_OK;
}

static void factor_successes(struct gp *gp, const struct acquisition_input *input)
{
    gp->points.count = 0;
    for (size_t j = 0; j < input->successes; j++)
        gp_put(gp, input->success_rows + j * input->dims, input->factors[j]);
    gp_factor(gp);
    gp_fit_values(gp, input->values);
}

static enum status add_successes(struct acquisition *acquisition, const struct acquisition_input *input,
                                 double *means, struct arena *arena, struct err *err)
{
    struct gp *gp = &acquisition->gp;
    size_t found = 0;
    factor_successes(gp, input);
    if (input->mark_outliers)
        TRY(learnt_mark_outliers(gp, input->factors, &found, arena, err));
    if (found > 0)
        factor_successes(gp, input);
    gp_means_at_points(gp, input->values, means);
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
        return err_set(err, STATUS_NO_MEMORY, "acquisition: out of memory");
    memcpy(sorted, values, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_numbers);
    *out = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
    return STATUS_OK;
}

static enum status add_failures(struct acquisition *acquisition, const struct acquisition_input *input,
                                struct arena *arena, struct err *err)
{
    double median = 0;
    double variance = 0;
    double *means = arena_alloc(arena, (input->failures + 1) * sizeof *means);
    if (means == NULL)
        return err_set(err, STATUS_NO_MEMORY, "acquisition: out of memory");
    if (input->failures == 0)
        return STATUS_OK;
    TRY(median_of(input->values, input->successes, &median, arena, err));
    for (size_t j = 0; j < input->failures; j++)
        gp_predict(&acquisition->gp, input->failure_rows + j * input->dims, acquisition->column, NULL,
                   &means[j], &variance);
    for (size_t j = 0; j < input->failures; j++) {
        gp_append(&acquisition->gp, input->failure_rows + j * input->dims, acquisition->gp.noise);
        gp_set_last(&acquisition->gp, fmin(means[j], median));
    }
    return STATUS_OK;
}

/* ---- what is drawn ---- */

static void add_latent(struct acquisition *acquisition, const double *x)
{
    struct gp *gp = &acquisition->gp;
    gp_append(gp, x, LATENT_NOISE * gp->kernel.amplitude);
    gp->half[gp->points.count - 1] = 0;
    acquisition->latent++;
}

static bool is_apart(const struct acquisition_input *input, const double *row)
{
    return input->focus != NULL && row[input->focus->dim] != input->focus->level;
}

/* The successes with the best means, whose true values noise hides; `means` is spoilt. -inf: none. */
static void add_rivals(struct acquisition *acquisition, const struct acquisition_input *input, double *means)
{
    for (size_t r = 0; r < RIVALS && r < input->successes; r++) {
        size_t best = 0;
        for (size_t j = 1; j < input->successes; j++)
            if (means[j] > means[best])
                best = j;
        if (means[best] == -HUGE_VAL)
            return;
        means[best] = -HUGE_VAL;
        add_latent(acquisition, input->success_rows + best * input->dims);
    }
}

/* Joint draws at the latent points: L half, half = normals; the best of each raises best[s]. */
static enum status draw_latent(struct acquisition *acquisition, uint64_t seed, struct arena *arena,
                               struct err *err)
{
    const struct gp *gp = &acquisition->gp;
    size_t q = acquisition->latent;
    struct sobol *sobol = arena_alloc(arena, sizeof *sobol);
    if (sobol == NULL)
        return err_set(err, STATUS_NO_MEMORY, "acquisition: out of memory");
    sobol_init(sobol, seed);
    for (size_t j = 0; j < q; j++)
        for (size_t s = 0; s < acquisition->draws; s++)
            acquisition->normals[s * q + j] = gsl_cdf_ugaussian_Pinv(sobol_at(sobol, (uint32_t)s, j));
    for (size_t j = 0; j < q; j++) {
        const double *row = gp->factor + acquisition->known + j;
        double common = cblas_ddot((int)acquisition->known, row, (int)gp->capacity, gp->half, 1);
        row += acquisition->known * gp->capacity;
        for (size_t s = 0; s < acquisition->draws; s++) {
            double drawn = cblas_ddot((int)j + 1, row, (int)gp->capacity, acquisition->normals + s * q, 1);
            acquisition->best[s] = fmax(acquisition->best[s], common + drawn);
        }
    }
    return STATUS_OK;
}

static enum status add_drawn(struct acquisition *acquisition, const struct acquisition_input *input,
                             double *means, struct arena *arena, struct err *err)
{
    bool noisy = acquisition->gp.noise > NOISY_FROM * acquisition->gp.kernel.amplitude;
    double best = -HUGE_VAL;
    double least = HUGE_VAL;
    for (size_t j = 0; j < input->successes; j++) {
        least = fmin(least, means[j]);
        if (is_apart(input, input->success_rows + j * input->dims))
            means[j] = -HUGE_VAL;
        best = fmax(best, means[j]);
    }
    if (noisy)
        add_rivals(acquisition, input, means);
    for (size_t j = 0; j < input->pending; j++)
        if (!is_apart(input, input->pending_rows + j * input->dims))
            add_latent(acquisition, input->pending_rows + j * input->dims);
    acquisition->draws = acquisition->latent > 0 ? ACQUISITION_DRAWS : 1;
    if (best == -HUGE_VAL)
        best = least; /* the level was never tried */
    else if (noisy)
        best = -HUGE_VAL; /* the rivals' */
    for (size_t s = 0; s < acquisition->draws; s++)
        acquisition->best[s] = best;
    return acquisition->latent > 0 ? draw_latent(acquisition, input->seed, arena, err) : STATUS_OK;
}

enum status acquisition_init(struct acquisition *acquisition, const struct acquisition_input *input,
                             struct arena *arena, struct err *err)
{
    double widest = log(SUCCESS_SCALE) + 0.5 * log((double)input->dims);
    double *means = arena_alloc(arena, (input->successes + 1) * sizeof *means);
    bool near = input->rule == ACQUISITION_BOUND && input->focus == NULL;
    *acquisition = (struct acquisition){.rule = input->rule,
                                        .reach = near ? reach_for(input->successes, input->dims) : HUGE_VAL,
                                        .known = input->successes + input->failures,
                                        .successes = input->successes,
                                        .failures = input->failures};
    if (means == NULL)
        return err_set(err, STATUS_NO_MEMORY, "acquisition: out of memory");
    TRY(allocate(acquisition, input, arena, err));
    TRY(add_successes(acquisition, input, means, arena, err));
    TRY(add_failures(acquisition, input, arena, err));
    for (size_t i = 0; i < input->dims; i++)
        acquisition->weights_ok[i] = exp(-2 * fmin(input->theta[i], widest));
    return add_drawn(acquisition, input, means, arena, err);
}

/* ---- the chance of success ---- */

/* Adds scale * sum of c to *sum, and its gradient. */
static void add_kernel_sum(const struct acquisition *acquisition, size_t from, size_t to, const double *x,
                           double *sum, double *gradient)
{
    const struct kernel *kernel = &acquisition->gp.kernel;
    const struct points *points = &acquisition->gp.points;
    for (size_t j = from; j < to; j++) {
        double squared = 0;
        for (size_t i = 0; i < kernel->dims; i++) {
            double d = points->at[i * points->stride + j] - x[i];
            squared += acquisition->weights_ok[i] * (kernel->category[i] ? (d != 0) : d * d);
        }
        double c = exp(-0.5 * squared);
        *sum += c;
        for (size_t i = 0; gradient != NULL && i < kernel->dims; i++)
            if (!kernel->category[i])
                gradient[i] += c * acquisition->weights_ok[i] * (points->at[i * points->stride + j] - x[i]);
    }
}

/* log p; its gradient is added. `room` has 2 * dims numbers when a gradient is wanted. */
static double log_chance(const struct acquisition *acquisition, const double *x, double *gradient,
                         double *room)
{
    size_t dims = acquisition->gp.kernel.dims;
    double ok = 0;
    double failed = 0;
    if (acquisition->failures == 0)
        return 0;
    if (gradient != NULL)
        memset(room, 0, 2 * dims * sizeof *room);
    add_kernel_sum(acquisition, 0, acquisition->successes, x, &ok, room);
    add_kernel_sum(acquisition, acquisition->successes, acquisition->known, x, &failed,
                   gradient != NULL ? room + dims : NULL);
    for (size_t i = 0; gradient != NULL && i < dims; i++)
        gradient[i] += room[i] / (SUCCESS_PRIOR + ok) - (room[i] + room[dims + i]) / (1 + ok + failed);
    return log((SUCCESS_PRIOR + ok) / (1 + ok + failed));
}

/* ---- improvement, or a bound ---- */

static struct worth bound(double mean, double deviation, double best)
{
    return (struct worth){.value = BOUND_SCALE * (mean + BOUND_WIDTH * deviation - best),
                          .by_mean = BOUND_SCALE,
                          .by_deviation = BOUND_SCALE * BOUND_WIDTH};
}

/* log mean_s EI_s, or of exp bound_s, from v = L^-1 k. by_mean[s] and *by_deviation are the derivatives if
 * by_mean is not NULL. */
static double average(const struct acquisition *acquisition, const double *v, double common, double deviation,
                      double *by_mean, double *by_deviation)
{
    struct worth each[ACQUISITION_DRAWS];
    size_t q = acquisition->latent;
    double most = -HUGE_VAL;
    double sum = 0;
    for (size_t s = 0; s < acquisition->draws; s++) {
        double mean = common;
        for (size_t j = 0; j < q; j++)
            mean += v[acquisition->known + j] * acquisition->normals[s * q + j];
        each[s] = acquisition->rule == ACQUISITION_BOUND ? bound(mean, deviation, acquisition->best[s])
                                                         : log_ei(mean, deviation, acquisition->best[s]);
        most = fmax(most, each[s].value);
    }
    for (size_t s = 0; s < acquisition->draws; s++)
        sum += exp(each[s].value - most);
    if (by_mean != NULL) {
        *by_deviation = 0;
        for (size_t s = 0; s < acquisition->draws; s++) {
            double share = exp(each[s].value - most) / sum;
            by_mean[s] = share * each[s].by_mean;
            *by_deviation += share * each[s].by_deviation;
        }
    }
    return most + log(sum / (double)acquisition->draws);
}

/* The mean is v'half and the variance s - v'v, v = L^-1 k(x): both gradients take one solve, of
 * sum_s by_mean_s half_s - by_deviation v / deviation, with L'. */
static void differentiate(const struct acquisition *acquisition, const double *x, double deviation,
                          const double *by_mean, double by_deviation, double *gradient)
{
    const struct gp *gp = &acquisition->gp;
    size_t q = acquisition->latent;
    size_t n = gp->points.count;
    double total = 0;
    double *b = acquisition->combined;
    for (size_t s = 0; s < acquisition->draws; s++)
        total += by_mean[s];
    for (size_t j = 0; j < acquisition->known; j++)
        b[j] = total * gp->half[j] - by_deviation / deviation * acquisition->column[j];
    for (size_t j = 0; j < q; j++) {
        double drawn = 0;
        for (size_t s = 0; s < acquisition->draws; s++)
            drawn += by_mean[s] * acquisition->normals[s * q + j];
        b[acquisition->known + j] =
            drawn - by_deviation / deviation * acquisition->column[acquisition->known + j];
    }
    gp_back_solve(gp, b);
    for (size_t j = 0; j < n; j++)
        b[j] *= acquisition->slopes[j];
    for (size_t i = 0; i < gp->kernel.dims; i++) {
        const double *at = gp->points.at + i * gp->points.stride;
        double sum = 0;
        for (size_t j = 0; j < n && !gp->kernel.category[i]; j++)
            sum += b[j] * (at[j] - x[i]);
        gradient[i] = sum * gp->kernel.weights[i];
    }
}

static double loss_beyond(const struct acquisition *acquisition, const double *x, double *gradient)
{
    const struct gp *gp = &acquisition->gp;
    return reach_loss(&gp->kernel, &gp->points, acquisition->successes, acquisition->reach, x, gradient);
}

double acquisition_at(const struct acquisition *acquisition, const double *x, double *gradient)
{
    const struct gp *gp = &acquisition->gp;
    double by_mean[ACQUISITION_DRAWS];
    double by_deviation = 0;
    double variance = 0;
    double common = 0;
    gp_predict(gp, x, acquisition->column, acquisition->slopes, &common, &variance);
    double deviation = sqrt(variance);
    double value = average(acquisition, acquisition->column, common, deviation,
                           gradient != NULL ? by_mean : NULL, &by_deviation);
    if (gradient != NULL)
        differentiate(acquisition, x, deviation, by_mean, by_deviation, gradient);
    value += log_chance(acquisition, x, gradient, gradient != NULL ? acquisition->room : NULL);
    return value + loss_beyond(acquisition, x, gradient);
}

double acquisition_log_improvement(const struct acquisition *acquisition, const double *x)
{
    struct acquisition improvement = *acquisition;
    improvement.rule = ACQUISITION_IMPROVEMENT;
    improvement.reach = HUGE_VAL;
    return acquisition_at(&improvement, x, NULL);
}

enum status acquisition_at_rows(const struct acquisition *acquisition, const double *rows, size_t count,
                                double *out, struct err *err)
{
    const struct gp *gp = &acquisition->gp;
    size_t n = gp->points.count;
    size_t dims = gp->kernel.dims;
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    double *v = arena_alloc(&arena, n * (count + 1) * sizeof *v);
    if (v == NULL)
        return err_set(err, STATUS_NO_MEMORY, "acquisition: out of memory");
    for (size_t c = 0; c < count; c++)
        kernel_column(&gp->kernel, &gp->points, rows + c * dims, v + c * n, NULL);
    gp_solve_columns(gp, v, count);
    for (size_t c = 0; c < count; c++) {
        const double *column = v + c * n;
        double mean = cblas_ddot((int)n, column, 1, gp->half, 1);
        double variance = gp->kernel.amplitude - cblas_ddot((int)n, column, 1, column, 1);
        out[c] = average(acquisition, column, mean, sqrt(fmax(variance, GP_VARIANCE_MIN)), NULL, NULL) +
                 log_chance(acquisition, rows + c * dims, NULL, NULL) +
                 loss_beyond(acquisition, rows + c * dims, NULL);
    }
    return STATUS_OK;
}

void acquisition_belief(const struct acquisition *acquisition, const double *x, double *mean,
                        double *deviation, double *chance)
{
    /* Latent points stand in the factor as if they were measured: what they may give is no knowledge. */
    struct gp told = acquisition->gp;
    told.points.count = acquisition->known;
    double variance = 0;
    gp_predict(&told, x, acquisition->column, NULL, mean, &variance);
    *deviation = sqrt(variance);
    *chance = exp(log_chance(acquisition, x, NULL, NULL));
}
