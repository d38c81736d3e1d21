// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/posterior.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <string.h>

#include "optim/draws.h"

#define DIFFERENCE 1e-2    /* of a parameter's logarithm */
#define CURVATURE_MIN 0.16 /* of the widest prior: flat or saddle-like directions are as wide as that */
#define STEPS 4
#define STEP 0.5        /* in units of a round normal distribution */
#define STEP_SPREAD 0.3 /* of it, up and down, against orbits that close */
#define BURN_IN 4
#define APART 2 /* moves between draws */

/* Parameters are theta + basis u. */
struct chain {
    const struct fit *fit;
    const double *theta;
    size_t count;  /* of parameters */
    double *basis; /* by columns */
    double *u, *gradient, loss;
    double *next_u, *next_gradient;
    double *momentum;
    double *at, *slope; /* scratch: parameters and the gradient by them */
    struct draws draws;
};

static enum status chain_init(struct chain *chain, struct arena *arena, struct err *err)
{
    size_t count = chain->count;
    double *numbers = arena_calloc(arena, (count + 7) * count, sizeof *numbers);
    if (numbers == NULL)
        return err_set(err, STATUS_NO_MEMORY, "fitting: out of memory");
    double **const parts[] = {&chain->u,        &chain->gradient, &chain->next_u, &chain->next_gradient,
                              &chain->momentum, &chain->at,       &chain->slope,  &chain->basis};
    for (size_t k = 0; k < ARRAY_LEN(parts); k++)
        *parts[k] = numbers + k * count;
    return STATUS_OK;
}

/* Second derivatives of the loss at theta, the lower half. */
static void differentiate_twice(struct chain *chain)
{
    size_t count = chain->count;
    double *above = chain->slope;
    double *below = chain->next_gradient;
    for (size_t i = 0; i < count; i++) {
        memcpy(chain->at, chain->theta, count * sizeof *chain->at);
        chain->at[i] += DIFFERENCE;
        fit_loss(chain->fit, chain->at, above);
        chain->at[i] -= 2 * DIFFERENCE;
        fit_loss(chain->fit, chain->at, below);
        for (size_t k = 0; k < count; k++) {
            double half = (above[k] - below[k]) / (4 * DIFFERENCE);
            size_t row = i > k ? i : k;
            chain->basis[(i + k - row) * count + row] += i == k ? 2 * half : half;
        }
    }
}

/* The basis in which those are a unit matrix. */
static enum status find_basis(struct chain *chain, struct arena *arena, struct err *err)
{
    int order = (int)chain->count;
    int room = 64 * order;
    int info = 0;
    double *curvatures = chain->at;
    double *work = arena_alloc(arena, (size_t)room * sizeof *work);
    if (work == NULL)
        return err_set(err, STATUS_NO_MEMORY, "fitting: out of memory");
    differentiate_twice(chain);
    LAPACK_dsyev("V", "L", &order, chain->basis, &order, curvatures, work, &room, &info);
    for (size_t k = 0; k < chain->count; k++)
        cblas_dscal(order, 1 / sqrt(fmax(curvatures[k], CURVATURE_MIN)), chain->basis + k * chain->count, 1);
    return STATUS_OK;
}

/* The loss at u and its gradient; infinite out of the bounds, where the gradient is left alone. */
static double loss_at(struct chain *chain, const double *u, double *gradient)
{
    int count = (int)chain->count;
    memcpy(chain->at, chain->theta, chain->count * sizeof *chain->at);
    cblas_dgemv(CblasColMajor, CblasNoTrans, count, count, 1, chain->basis, count, u, 1, 1, chain->at, 1);
    if (!fit_allows(chain->fit->data->dims, chain->at))
        return HUGE_VAL;
    double loss = fit_loss(chain->fit, chain->at, chain->slope);
    cblas_dgemv(CblasColMajor, CblasTrans, count, count, 1, chain->basis, count, chain->slope, 1, 0, gradient,
                1);
    return loss;
}

static double kinetic(const struct chain *chain)
{
    return 0.5 * cblas_ddot((int)chain->count, chain->momentum, 1, chain->momentum, 1);
}

/* Along the dynamics from u into next_u; the loss there. */
static double leap(struct chain *chain, double step)
{
    int count = (int)chain->count;
    double loss = chain->loss;
    memcpy(chain->next_u, chain->u, chain->count * sizeof *chain->u);
    memcpy(chain->next_gradient, chain->gradient, chain->count * sizeof *chain->u);
    for (int k = 0; k < STEPS && isfinite(loss); k++) {
        cblas_daxpy(count, -step / 2, chain->next_gradient, 1, chain->momentum, 1);
        cblas_daxpy(count, step, chain->momentum, 1, chain->next_u, 1);
        loss = loss_at(chain, chain->next_u, chain->next_gradient);
        if (isfinite(loss))
            cblas_daxpy(count, -step / 2, chain->next_gradient, 1, chain->momentum, 1);
    }
    return loss;
}

static void move(struct chain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        chain->momentum[i] = draws_normal(&chain->draws);
    double step = STEP * (1 + STEP_SPREAD * (2 * draws_unit(&chain->draws) - 1));
    double energy = chain->loss + kinetic(chain);
    double loss = leap(chain, step);
    if (!(log(draws_unit(&chain->draws)) < energy - loss - kinetic(chain)))
        return;
    chain->loss = loss;
    memcpy(chain->u, chain->next_u, chain->count * sizeof *chain->u);
    memcpy(chain->gradient, chain->next_gradient, chain->count * sizeof *chain->u);
}

enum status posterior_draw(const struct fit *fit, const double *theta, uint64_t seed, uint64_t ordinal,
                           size_t count, double *out, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct chain chain = {.fit = fit,
                          .theta = theta,
                          .count = THETA_COUNT(fit->data->dims),
                          .draws = {.seed = seed, .ordinal = ordinal, .name = "optim.posterior"}};
    TRY(chain_init(&chain, &arena, err));
    TRY(find_basis(&chain, &arena, err));
    chain.loss = loss_at(&chain, chain.u, chain.gradient);
    for (int k = 0; k < BURN_IN; k++)
        move(&chain);
    int parameters = (int)chain.count;
    for (size_t s = 0; s < count; s++) {
        double *to = out + s * chain.count;
        for (int k = 0; k < APART; k++)
            move(&chain);
        memcpy(to, theta, chain.count * sizeof *to);
        if (isfinite(chain.loss)) /* else there is no basis */
            cblas_dgemv(CblasColMajor, CblasNoTrans, parameters, parameters, 1, chain.basis, parameters,
                        chain.u, 1, 1, to, 1);
    }
    return STATUS_OK;
}
