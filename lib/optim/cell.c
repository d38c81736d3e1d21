// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/cell.h"

#include <float.h>
#include <gsl/gsl_cdf.h>
#include <math.h>

void cell_bounds(const struct optim_dim *dim, uint64_t level, double *low, double *high)
{
    double at = dims_position(dim, level);
    *low = level == 0 ? -HUGE_VAL : (dims_position(dim, level - 1) + at) / 2;
    *high = level + 1 == dim->levels ? HUGE_VAL : (at + dims_position(dim, level + 1)) / 2;
}

/* erfc is far quicker than GSL's function and exact enough. */
static double below(double x)
{
    return 0.5 * erfc(-x * M_SQRT1_2);
}

double cell_mass(double low, double high)
{
    /* On the side where both are small. */
    return low > 0 ? below(-low) - below(-high) : below(high) - below(low);
}

double cell_quantile(double low, double high, double u)
{
    bool upper = low > 0;
    double a = upper ? -high : low;
    double b = upper ? -low : high;
    double from = below(a);
    double p = from + (upper ? 1 - u : u) * (below(b) - from);
    /* Beyond some 37 deviations nothing is left: the nearer end stands for the interval. */
    double x = p > DBL_MIN && p < 1 ? gsl_cdf_ugaussian_Pinv(p) : b;
    x = fmin(fmax(x, a), b);
    return upper ? -x : x;
}
