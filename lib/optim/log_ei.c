// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/log_ei.h"

#include <math.h>

#define HALF_LOG_2PI 0.91893853320467274178
#define SQRT_HALF 0.70710678118654752440
#define DIRECT_FROM (-1.0) /* above: phi + u Phi as written */
#define FRACTION_FROM 3.0  /* -u beyond it: the continued fraction converges fast */
#define TERMS_LEAST 10     /* TERMS_LEAST + TERMS_NEAR / t^2 are enough for 2e-17 */
#define TERMS_NEAR 520.0

static double log_phi(double u)
{
    return -0.5 * u * u - HALF_LOG_2PI;
}

/* c(t) of Mills' ratio 1 / (t + c), c = 1 / (t + 2 / (t + 3 / ...)), by Laplace. */
static double mills_rest(double t)
{
    double tail = t;
    for (int i = TERMS_LEAST + (int)(TERMS_NEAR / (t * t)); i > 1; i--)
        tail = t + i / tail;
    return 1 / tail;
}

/* Mills' ratio Q(t) / phi(t) and 1 - t times it. */
static void mills(double t, double *ratio, double *rest)
{
    if (t < FRACTION_FROM) {
        *ratio = 0.5 * erfc(t * SQRT_HALF) / exp(log_phi(t));
        *rest = 1 - t * *ratio;
        return;
    }
    double c = mills_rest(t);
    *ratio = 1 / (t + c);
    *rest = c * *ratio;
}

double log_ei_h(double u)
{
    double ratio;
    double rest;
    if (u > DIRECT_FROM)
        return log(exp(log_phi(u)) + u * 0.5 * erfc(-u * SQRT_HALF));
    mills(-u, &ratio, &rest);
    return log_phi(u) + log(rest);
}

/* h' = Phi, and h - u h' = phi. */
struct worth log_ei(double mean, double deviation, double best)
{
    double u = (mean - best) / deviation;
    double ratio;
    double rest;
    if (u > DIRECT_FROM) {
        double h = exp(log_phi(u)) + u * 0.5 * erfc(-u * SQRT_HALF);
        return (struct worth){.value = log(deviation) + log(h),
                              .by_mean = 0.5 * erfc(-u * SQRT_HALF) / (h * deviation),
                              .by_deviation = exp(log_phi(u)) / (h * deviation)};
    }
    mills(-u, &ratio, &rest);
    return (struct worth){.value = log(deviation) + log_phi(u) + log(rest),
                          .by_mean = ratio / (rest * deviation),
                          .by_deviation = 1 / (rest * deviation)};
}
