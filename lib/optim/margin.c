// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/margin.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

#include "optim/cell.h"

/* The root of the quantile at 1 - 2p of chi-squared with one degree of freedom. */
static double reach(double p)
{
    return gsl_cdf_ugaussian_Qinv(p);
}

/* The mean at most so far from the only threshold beside it that the other side keeps alpha. */
static void keep_beside(struct cma *cma, size_t i, double threshold, double alpha)
{
    double far = reach(alpha) * cma_deviation(cma, i);
    double from = cma->mean[i] - threshold;
    if (fabs(from) > far)
        cma->mean[i] = threshold + copysign(far, from);
}

/* Probabilities of both sides, at least alpha/2 each, the rest in proportion. */
static void keep_between(struct cma *cma, size_t i, double low, double high, double alpha)
{
    double deviation = cma_deviation(cma, i);
    double p_low = cell_mass(-HUGE_VAL, (low - cma->mean[i]) / deviation);
    double p_high = cell_mass((high - cma->mean[i]) / deviation, HUGE_VAL);
    double p_middle = 1 - p_low - p_high;
    if (p_low >= alpha / 2 && p_high >= alpha / 2)
        return;
    p_low = fmax(p_low, alpha / 2);
    p_high = fmax(p_high, alpha / 2);
    double excess = (1 - p_low - p_high - p_middle) / (p_low + p_high + p_middle - 1.5 * alpha);
    double from_low = reach(p_low + excess * (p_low - alpha / 2));
    double from_high = reach(p_high + excess * (p_high - alpha / 2));
    cma->mean[i] = (low * from_high + high * from_low) / (from_low + from_high);
    cma->a[i] *= (high - low) / (from_low + from_high) / deviation;
}

void margin_keep(struct cma *cma, size_t i, const struct optim_dim *dim, double alpha)
{
    double low = 0;
    double high = 0;
    cell_bounds(dim, dims_level_near(dim, cma->mean[i]), &low, &high);
    if (isinf(low))
        keep_beside(cma, i, high, alpha);
    else if (isinf(high))
        keep_beside(cma, i, low, alpha);
    else
        keep_between(cma, i, low, high, alpha);
}
