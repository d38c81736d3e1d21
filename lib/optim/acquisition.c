// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/acquisition.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#include "optim/log_ei.h"
#include "optim/reach.h"

#define BOUND_WIDTH 1.0 /* deviations */
#define BOUND_SCALE 4.0 /* against the chance of success, and among the starts of local search */
#define DRAWS_EACH 8    /* of what is not known, where there are several sets of parameters */
#define SUCCESS_PRIOR 0.9
#define SUCCESS_SCALE 0.25

enum status acquisition_init(struct acquisition *acquisition, const struct acquisition_input *input,
                             struct arena *arena, struct err *err)
{
    const struct evidence *evidence = &input->evidence;
    size_t dims = evidence->dims;
    size_t count = 1 + input->draw_count;
    size_t draws = count > 1 ? DRAWS_EACH : SURROGATE_DRAWS_MAX;
    double widest = log(SUCCESS_SCALE) + 0.5 * log((double)dims);
    bool near = input->rule == ACQUISITION_BOUND && evidence->focus == NULL;
    *acquisition =
        (struct acquisition){.rule = input->rule,
                             .surrogates = arena_calloc(arena, count, sizeof *acquisition->surrogates),
                             .count = count,
                             .successes = evidence->successes,
                             .known = evidence->successes + evidence->failures,
                             .reach = near ? reach_for(evidence->successes, dims) : HUGE_VAL,
                             .weights_ok = arena_calloc(arena, dims, sizeof(double)),
                             .gradients = arena_calloc(arena, count * dims, sizeof(double)),
                             .room = arena_calloc(arena, 2 * dims, sizeof(double))};
    if (acquisition->surrogates == NULL || acquisition->weights_ok == NULL ||
        acquisition->gradients == NULL || acquisition->room == NULL)
        return err_set(err, STATUS_NO_MEMORY, "acquisition: out of memory");
    for (size_t i = 0; i < dims; i++)
        acquisition->weights_ok[i] = exp(-2 * fmin(input->theta[i], widest));
    for (size_t k = 0; k < count; k++) {
        const double *theta = k == 0 ? input->theta : input->draws + (k - 1) * THETA_COUNT(dims);
        TRY(surrogate_init(&acquisition->surrogates[k], evidence, theta, draws, arena, err));
    }
    return STATUS_OK;
}

/* ---- the chance of success ---- */

static const struct gp *first_process(const struct acquisition *acquisition)
{
    return &acquisition->surrogates[0].gp;
}

/* Adds scale * sum of c to *sum, and its gradient. */
static void add_kernel_sum(const struct acquisition *acquisition, size_t from, size_t to, const double *x,
                           double *sum, double *gradient)
{
    const struct kernel *kernel = &first_process(acquisition)->kernel;
    const struct points *points = &first_process(acquisition)->points;
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

/* log p; its gradient is added if not NULL. */
static double log_chance(const struct acquisition *acquisition, const double *x, double *gradient)
{
    size_t dims = first_process(acquisition)->kernel.dims;
    double *by_ok = gradient != NULL ? acquisition->room : NULL;
    double *by_failed = gradient != NULL ? acquisition->room + dims : NULL;
    double ok = 0;
    double failed = 0;
    if (acquisition->known == acquisition->successes)
        return 0;
    if (gradient != NULL)
        memset(acquisition->room, 0, 2 * dims * sizeof *acquisition->room);
    add_kernel_sum(acquisition, 0, acquisition->successes, x, &ok, by_ok);
    add_kernel_sum(acquisition, acquisition->successes, acquisition->known, x, &failed, by_failed);
    for (size_t i = 0; gradient != NULL && i < dims; i++)
        gradient[i] += by_ok[i] / (SUCCESS_PRIOR + ok) - (by_ok[i] + by_failed[i]) / (1 + ok + failed);
    return log((SUCCESS_PRIOR + ok) / (1 + ok + failed));
}

/* ---- improvement, or a bound ---- */

static struct worth bound(double mean, double deviation, double best)
{
    return (struct worth){.value = BOUND_SCALE * (mean + BOUND_WIDTH * deviation - best),
                          .by_mean = BOUND_SCALE,
                          .by_deviation = BOUND_SCALE * BOUND_WIDTH};
}

/* log of the mean of exp(value); values become their shares in it, whose sum is 1. */
static double log_mean_exp(double *values, size_t count)
{
    double most = -HUGE_VAL;
    double sum = 0;
    for (size_t s = 0; s < count; s++)
        most = fmax(most, values[s]);
    for (size_t s = 0; s < count; s++)
        sum += values[s] = exp(values[s] - most);
    for (size_t s = 0; s < count; s++)
        values[s] /= sum;
    return most + log(sum / (double)count);
}

/* log mean_s EI_s, or of exp bound_s, of one surrogate, from v = L^-1 k. by_mean[s] and *by_deviation are the
 * derivatives if by_mean is not NULL. */
static double over_draws(enum acquisition_rule rule, const struct surrogate *surrogate, const double *v,
                         double common, double deviation, double *by_mean, double *by_deviation)
{
    struct worth each[SURROGATE_DRAWS_MAX];
    double shares[SURROGATE_DRAWS_MAX];
    double means[SURROGATE_DRAWS_MAX];
    surrogate_draw_means(surrogate, v, common, means);
    for (size_t s = 0; s < surrogate->draws; s++) {
        each[s] = rule == ACQUISITION_BOUND ? bound(means[s], deviation, surrogate->best[s])
                                            : log_ei(means[s], deviation, surrogate->best[s]);
        shares[s] = each[s].value;
    }
    double value = log_mean_exp(shares, surrogate->draws);
    if (by_mean != NULL) {
        *by_deviation = 0;
        for (size_t s = 0; s < surrogate->draws; s++) {
            by_mean[s] = shares[s] * each[s].by_mean;
            *by_deviation += shares[s] * each[s].by_deviation;
        }
    }
    return value;
}

static double of_surrogate(enum acquisition_rule rule, const struct surrogate *surrogate, const double *x,
                           double *gradient)
{
    double by_mean[SURROGATE_DRAWS_MAX];
    double by_deviation = 0;
    double variance = 0;
    double common = 0;
    gp_predict(&surrogate->gp, x, surrogate->column, surrogate->slopes, &common, &variance);
    double deviation = sqrt(variance);
    double value = over_draws(rule, surrogate, surrogate->column, common, deviation,
                              gradient != NULL ? by_mean : NULL, &by_deviation);
    if (gradient != NULL)
        surrogate_differentiate(surrogate, x, deviation, by_mean, by_deviation, gradient);
    return value;
}

/* Of all surrogates from each one's value; values become their shares in the gradient. */
static double over_parameters(enum acquisition_rule rule, double *values, size_t count)
{
    double sum = 0;
    if (rule == ACQUISITION_IMPROVEMENT)
        return log_mean_exp(values, count);
    for (size_t k = 0; k < count; k++) {
        sum += values[k];
        values[k] = 1 / (double)count;
    }
    return sum / (double)count;
}

static double worth_by(const struct acquisition *acquisition, enum acquisition_rule rule, const double *x,
                       double *gradient)
{
    double values[ACQUISITION_PARAMETERS];
    size_t dims = first_process(acquisition)->kernel.dims;
    for (size_t k = 0; k < acquisition->count; k++)
        values[k] = of_surrogate(rule, &acquisition->surrogates[k], x,
                                 gradient != NULL ? acquisition->gradients + k * dims : NULL);
    double value = over_parameters(rule, values, acquisition->count);
    if (gradient != NULL)
        cblas_dgemv(CblasColMajor, CblasNoTrans, (int)dims, (int)acquisition->count, 1,
                    acquisition->gradients, (int)dims, values, 1, 0, gradient, 1);
    return value + log_chance(acquisition, x, gradient);
}

static double loss_beyond(const struct acquisition *acquisition, const double *x, double *gradient)
{
    const struct gp *gp = first_process(acquisition);
    return reach_loss(&gp->kernel, &gp->points, acquisition->successes, acquisition->reach, x, gradient);
}

double acquisition_at(const struct acquisition *acquisition, const double *x, double *gradient)
{
    double value = worth_by(acquisition, acquisition->rule, x, gradient);
    return value + loss_beyond(acquisition, x, gradient);
}

double acquisition_log_improvement(const struct acquisition *acquisition, const double *x)
{
    return worth_by(acquisition, ACQUISITION_IMPROVEMENT, x, NULL);
}

/* One surrogate's values at rows, into every `stride`th of out. */
static enum status rows_of_surrogate(enum acquisition_rule rule, const struct surrogate *surrogate,
                                     const double *rows, size_t count, double *out, size_t stride,
                                     struct err *err)
{
    const struct gp *gp = &surrogate->gp;
    size_t n = gp->points.count;
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    double *v = arena_alloc(&arena, n * (count + 1) * sizeof *v);
    if (v == NULL)
        return err_set(err, STATUS_NO_MEMORY, "acquisition: out of memory");
    for (size_t c = 0; c < count; c++)
        kernel_column(&gp->kernel, &gp->points, rows + c * gp->kernel.dims, v + c * n, NULL);
    gp_solve_columns(gp, v, count);
    for (size_t c = 0; c < count; c++) {
        const double *column = v + c * n;
        double mean = cblas_ddot((int)n, column, 1, gp->half, 1);
        double variance = gp->kernel.amplitude - cblas_ddot((int)n, column, 1, column, 1);
        double deviation = sqrt(fmax(variance, GP_VARIANCE_MIN));
        out[c * stride] = over_draws(rule, surrogate, column, mean, deviation, NULL, NULL);
    }
    return STATUS_OK;
}

enum status acquisition_at_rows(const struct acquisition *acquisition, const double *rows, size_t count,
                                double *out, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    size_t dims = first_process(acquisition)->kernel.dims;
    size_t sets = acquisition->count;
    double *values = arena_alloc(&arena, sets * (count + 1) * sizeof *values);
    if (values == NULL)
        return err_set(err, STATUS_NO_MEMORY, "acquisition: out of memory");
    for (size_t k = 0; k < sets; k++)
        TRY(rows_of_surrogate(acquisition->rule, &acquisition->surrogates[k], rows, count, values + k, sets,
                              err));
    for (size_t c = 0; c < count; c++)
        out[c] = over_parameters(acquisition->rule, values + c * sets, sets) +
                 log_chance(acquisition, rows + c * dims, NULL) +
                 loss_beyond(acquisition, rows + c * dims, NULL);
    return STATUS_OK;
}

struct acquisition_belief acquisition_believe(const struct acquisition *acquisition, const double *x)
{
    struct acquisition_belief belief = {.success = exp(log_chance(acquisition, x, NULL))};
    double means[ACQUISITION_PARAMETERS];
    double variance = 0;
    double share = 1 / (double)acquisition->count;
    for (size_t k = 0; k < acquisition->count; k++) {
        double one = 0;
        surrogate_predict_known(&acquisition->surrogates[k], x, &means[k], &one);
        variance += share * one;
        belief.mean += share * means[k];
        belief.bound += share * (means[k] + BOUND_WIDTH * sqrt(one));
    }
    for (size_t k = 0; k < acquisition->count; k++)
        variance += share * (means[k] - belief.mean) * (means[k] - belief.mean);
    belief.deviation = sqrt(variance);
    return belief;
}
