// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/cma.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ALPHA_COV 2.0
#define STEP_BEYOND 4.0
#define CONDITION_MAX 1e14
#define TOL_X 1e-12
#define TOL_X_UP 1e4

size_t cma_default_lambda(size_t dims)
{
    return 4 + (size_t)floor(3 * log((double)(dims > 0 ? dims : 1)));
}

size_t cma_weigh(size_t lambda, double *out_weights)
{
    size_t mu = lambda / 2;
    double sum = 0;
    for (size_t i = 0; i < lambda; i++) {
        out_weights[i] = log(((double)lambda + 1) / 2) - log((double)(i + 1));
        sum += i < mu ? out_weights[i] : 0;
    }
    for (size_t i = 0; i < mu; i++)
        out_weights[i] /= sum;
    return mu;
}

/* (sum w)^2 / sum w^2 */
static double effective_count(const double *weights, size_t count)
{
    double sum = 0;
    double squares = 0;
    for (size_t i = 0; i < count; i++) {
        sum += weights[i];
        squares += weights[i] * weights[i];
    }
    return squares > 0 ? sum * sum / squares : 0;
}

static void set_parameters(struct cma *cma)
{
    double n = (double)cma->n;
    cma->mu = cma_weigh(cma->lambda, cma->weights);
    double *negative = cma->weights + cma->mu;
    size_t negatives = cma->lambda - cma->mu;
    cma->mu_eff = effective_count(cma->weights, cma->mu);
    double mu_eff = cma->mu_eff;
    double mu_eff_negative = effective_count(negative, negatives);
    cma->c_sigma = (mu_eff + 2) / (n + mu_eff + 5);
    cma->d_sigma = 1 + 2 * fmax(0, sqrt((mu_eff - 1) / (n + 1)) - 1) + cma->c_sigma;
    cma->c_c = (4 + mu_eff / n) / (n + 4 + 2 * mu_eff / n);
    cma->c_1 = ALPHA_COV / ((n + 1.3) * (n + 1.3) + mu_eff);
    cma->c_mu = fmin(1 - cma->c_1, ALPHA_COV * (0.25 + mu_eff + 1 / mu_eff - 2) /
                                       ((n + 2) * (n + 2) + ALPHA_COV * mu_eff / 2));
    cma->length = sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n));
    double most = fmin(1 + cma->c_1 / cma->c_mu, 1 + 2 * mu_eff_negative / (mu_eff + 2));
    most = fmin(most, (1 - cma->c_1 - cma->c_mu) / (n * cma->c_mu));
    double sum = 0;
    for (size_t i = 0; i < negatives; i++)
        sum -= fmin(negative[i], 0);
    for (size_t i = 0; i < negatives; i++)
        negative[i] = sum > 0 ? fmin(negative[i], 0) * most / sum : 0;
}

static size_t numbers_of(size_t n, size_t lambda)
{
    return lambda + 7 * n + 2 * n * n + lambda * n;
}

static void lay_out(struct cma *cma)
{
    size_t n = cma->n;
    double *next = cma->room;
    double **const parts[] = {&cma->mean,    &cma->a,    &cma->d,       &cma->p_c,
                              &cma->p_sigma, &cma->step, &cma->whitened};
    cma->weights = next;
    next += cma->lambda;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++, next += n)
        *parts[i] = next;
    cma->c = next;
    cma->b = next + n * n;
    cma->steps = next + 2 * n * n;
}

enum status cma_new(size_t n, size_t lambda, double sigma, const double *mean, struct cma **out,
                    struct err *err)
{
    struct cma *cma = calloc(1, sizeof *cma);
    *out = cma;
    if (cma != NULL)
        cma->room = calloc(numbers_of(n, lambda), sizeof *cma->room);
    if (cma == NULL || cma->room == NULL) {
        free(cma);
        *out = NULL;
        return err_set(err, STATUS_NO_MEMORY, "cmaes: out of memory");
    }
    cma->n = n;
    cma->lambda = lambda;
    cma->sigma = cma->start_sigma = sigma;
    lay_out(cma);
    set_parameters(cma);
    memcpy(cma->mean, mean, n * sizeof *mean);
    for (size_t i = 0; i < n; i++)
        cma->a[i] = cma->d[i] = cma->c[i * n + i] = cma->b[i * n + i] = 1;
    return STATUS_OK;
}

void cma_free(struct cma *cma)
{
    if (cma == NULL)
        return;
    free(cma->room);
    free(cma);
}

size_t cma_bytes(const struct cma *cma)
{
    return cma != NULL ? sizeof *cma + numbers_of(cma->n, cma->lambda) * sizeof(double) : 0;
}

/* ---- drawing ---- */

void cma_place(const struct cma *cma, const double *z, double *out_x)
{
    for (size_t i = 0; i < cma->n; i++) {
        double y = 0;
        for (size_t k = 0; k < cma->n; k++)
            y += cma->b[k * cma->n + i] * cma->d[k] * z[k];
        out_x[i] = cma->mean[i] + cma->sigma * cma->a[i] * y;
    }
}

double cma_deviation(const struct cma *cma, size_t i)
{
    return cma->sigma * cma->a[i] * sqrt(cma->c[i * cma->n + i]);
}

/* ---- learning ---- */

/* whitened = C^(-1/2) y; its squared length. */
static double whiten(struct cma *cma, const double *y)
{
    size_t n = cma->n;
    double squares = 0;
    memset(cma->whitened, 0, n * sizeof *cma->whitened);
    for (size_t k = 0; k < n; k++) {
        const double *axis = cma->b + k * n;
        double along = 0;
        for (size_t i = 0; i < n; i++)
            along += axis[i] * y[i];
        along /= cma->d[k];
        squares += along * along;
        for (size_t i = 0; i < n; i++)
            cma->whitened[i] += along * axis[i];
    }
    return squares;
}

/* Steps of the ranked points, and the negative weights' factors n / |C^(-1/2) y|^2 in `factors`. */
static void measure_steps(struct cma *cma, const double *rows, double *factors)
{
    size_t n = cma->n;
    double longest = sqrt((double)n) + STEP_BEYOND;
    for (size_t k = 0; k < cma->lambda; k++) {
        double *y = cma->steps + k * n;
        for (size_t i = 0; i < n; i++)
            y[i] = (rows[k * n + i] - cma->mean[i]) / (cma->sigma * cma->a[i]);
        double squares = whiten(cma, y);
        if (squares > longest * longest) {
            double cut = longest / sqrt(squares);
            for (size_t i = 0; i < n; i++)
                y[i] *= cut;
            squares = longest * longest;
        }
        factors[k] = cma->weights[k] >= 0 ? 1 : squares > 0 ? (double)n / squares : 0;
    }
}

/* Mean, paths and step size; whether the path of the covariance goes on. */
static bool move(struct cma *cma)
{
    size_t n = cma->n;
    memset(cma->step, 0, n * sizeof *cma->step);
    for (size_t k = 0; k < cma->mu; k++)
        for (size_t i = 0; i < n; i++)
            cma->step[i] += cma->weights[k] * cma->steps[k * n + i];
    (void)whiten(cma, cma->step);
    double norm = 0;
    double gain = sqrt(cma->c_sigma * (2 - cma->c_sigma) * cma->mu_eff);
    for (size_t i = 0; i < n; i++) {
        cma->mean[i] += cma->sigma * cma->a[i] * cma->step[i];
        cma->p_sigma[i] = (1 - cma->c_sigma) * cma->p_sigma[i] + gain * cma->whitened[i];
        norm += cma->p_sigma[i] * cma->p_sigma[i];
    }
    norm = sqrt(norm);
    cma->generation++;
    double settled = sqrt(1 - pow(1 - cma->c_sigma, 2 * (double)cma->generation));
    bool goes_on = norm / settled < (1.4 + 2 / ((double)n + 1)) * cma->length;
    gain = goes_on ? sqrt(cma->c_c * (2 - cma->c_c) * cma->mu_eff) : 0;
    for (size_t i = 0; i < n; i++)
        cma->p_c[i] = (1 - cma->c_c) * cma->p_c[i] + gain * cma->step[i];
    cma->sigma *= exp(cma->c_sigma / cma->d_sigma * (norm / cma->length - 1));
    return goes_on;
}

static void reshape(struct cma *cma, const double *factors, bool goes_on)
{
    size_t n = cma->n;
    double sum = 0;
    for (size_t k = 0; k < cma->lambda; k++)
        sum += cma->weights[k];
    double lost = goes_on ? 0 : cma->c_c * (2 - cma->c_c);
    double keep = 1 + cma->c_1 * lost - cma->c_1 - cma->c_mu * sum;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            double rank_mu = 0;
            for (size_t k = 0; k < cma->lambda; k++)
                rank_mu += cma->weights[k] * factors[k] * cma->steps[k * n + i] * cma->steps[k * n + j];
            double value =
                keep * cma->c[i * n + j] + cma->c_1 * cma->p_c[i] * cma->p_c[j] + cma->c_mu * rank_mu;
            cma->c[i * n + j] = cma->c[j * n + i] = value;
        }
}

static enum status decompose(struct cma *cma, struct err *err)
{
    lapack_int n = (lapack_int)cma->n;
    lapack_int room = (lapack_int)(cma->lambda * cma->n); /* lambda is 4 or more: above 3 n */
    lapack_int info = 0;
    memcpy(cma->b, cma->c, cma->n * cma->n * sizeof *cma->b);
    LAPACK_dsyev("V", "L", &n, cma->b, &n, cma->d, cma->steps, &room, &info);
    if (info != 0)
        return err_set(err, STATUS_INTERNAL, "cmaes: the covariance has no eigenvalues");
    for (size_t k = 0; k < cma->n; k++)
        cma->d[k] = sqrt(fmax(cma->d[k], 1e-300));
    return STATUS_OK;
}

enum status cma_update(struct cma *cma, const double *rows, struct err *err)
{
    double *factors = calloc(cma->lambda, sizeof *factors);
    if (factors == NULL)
        return err_set(err, STATUS_NO_MEMORY, "cmaes: out of memory");
    measure_steps(cma, rows, factors);
    bool goes_on = move(cma);
    reshape(cma, factors, goes_on);
    free(factors);
    return decompose(cma, err);
}

/* ---- when to begin anew ---- */

static bool has_no_effect(const struct cma *cma)
{
    size_t n = cma->n;
    size_t axis = cma->generation % n;
    bool along_axis = true;
    for (size_t i = 0; i < n; i++) {
        double step = 0.1 * cma->sigma * cma->a[i] * cma->d[axis] * cma->b[axis * n + i];
        along_axis = along_axis && cma->mean[i] == cma->mean[i] + step;
        if (cma->mean[i] == cma->mean[i] + 0.2 * cma_deviation(cma, i))
            return true;
    }
    return along_axis;
}

bool cma_has_collapsed(const struct cma *cma)
{
    double least = cma->d[0];
    double most = cma->d[cma->n - 1];
    bool still = true;
    for (size_t i = 0; i < cma->n; i++)
        still = still && cma_deviation(cma, i) < TOL_X * cma->start_sigma &&
                cma->sigma * fabs(cma->p_c[i]) < TOL_X * cma->start_sigma;
    return still || !isfinite(cma->sigma) || most * most > CONDITION_MAX * least * least ||
           cma->sigma * most > TOL_X_UP * cma->start_sigma || has_no_effect(cma);
}
