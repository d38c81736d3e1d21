// SPDX-License-Identifier: GPL-3.0-or-later
#include "space/law.h"

#include <float.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <math.h>
#include <stddef.h>

/* Half the spacing of draws: keeps the tails of unbounded laws finite and symmetric. */
#define TAIL 0x1p-54
#define BETA_TOLERANCE 1e-9
#define BISECTION_STEPS 1100 /* halving reaches the smallest subnormal */

void law_prepare(void)
{
    gsl_set_error_handler_off();
}

static double clamp(double x, double low, double high)
{
    return fmin(fmax(x, low), high);
}

static double inside(double u)
{
    return clamp(u, TAIL, 1 - 2 * TAIL);
}

static double to_finite(double x)
{
    return clamp(x, -DBL_MAX, DBL_MAX);
}

static const char *bounds_fault(const double a[2], int *key_index)
{
    *key_index = 0;
    if (!(a[0] < a[1]))
        return "min must be less than max";
    return isfinite(a[1] - a[0]) ? NULL : "max - min is beyond the range of a double";
}

static double uniform_quantile(const double a[2], double u)
{
    return clamp(a[0] + u * (a[1] - a[0]), a[0], a[1]);
}

static double uniform_distribution(const double a[2], double x)
{
    return clamp((x - a[0]) / (a[1] - a[0]), 0, 1);
}

static const char *integer_fault(const double a[2], int *key_index)
{
    *key_index = 0;
    return a[0] < a[1] ? NULL : "min must be less than max";
}

static double log_quantile(const double a[2], double u)
{
    return clamp(exp(log(a[0]) + u * (log(a[1]) - log(a[0]))), a[0], a[1]);
}

static double log_distribution(const double a[2], double x)
{
    if (!(x > 0))
        return 0;
    return clamp((log(x) - log(a[0])) / (log(a[1]) - log(a[0])), 0, 1);
}

static const char *log_fault(const double a[2], int *key_index)
{
    *key_index = 0;
    if (!(a[0] > 0))
        return "min must be greater than 0 on a logarithmic scale";
    return bounds_fault(a, key_index);
}

static double exponent_quantile(const double a[2], double u)
{
    return to_finite(exp(uniform_quantile(a, u)));
}

static double exponent_distribution(const double a[2], double x)
{
    return x > 0 ? uniform_distribution(a, log(x)) : 0;
}

static const char *exponent_fault(const double a[2], int *key_index)
{
    *key_index = 1;
    if (exp(a[1]) > DBL_MAX)
        return "max is an exponent: e to that power is beyond the range of a double";
    return bounds_fault(a, key_index);
}

static double inverse_exponent_quantile(const double a[2], double u)
{
    return to_finite(exp(-uniform_quantile(a, 1 - u)));
}

static double inverse_exponent_distribution(const double a[2], double x)
{
    return x > 0 ? 1 - uniform_distribution(a, -log(x)) : 0;
}

static const char *inverse_exponent_fault(const double a[2], int *key_index)
{
    *key_index = 0;
    if (exp(-a[0]) > DBL_MAX)
        return "min is an exponent: e to the power of -min is beyond the range of a double";
    return bounds_fault(a, key_index);
}

static double normal_quantile(const double a[2], double u)
{
    return to_finite(a[0] + a[1] * gsl_cdf_ugaussian_Pinv(inside(u)));
}

/* A sigma of 0 puts all weight on mu: any u gives it back. */
static double standard_distribution(const double a[2], double x)
{
    return a[1] > 0 ? gsl_cdf_ugaussian_P((x - a[0]) / a[1]) : 0.5;
}

static double normal_distribution(const double a[2], double x)
{
    return standard_distribution(a, x);
}

static const char *normal_fault(const double a[2], int *key_index)
{
    *key_index = 1;
    return a[1] >= 0 ? NULL : "sigma must not be negative";
}

static double log_normal_quantile(const double a[2], double u)
{
    return to_finite(exp(normal_quantile(a, u)));
}

static double log_normal_distribution(const double a[2], double x)
{
    return x > 0 ? standard_distribution(a, log(x)) : 0;
}

static const char *log_normal_fault(const double a[2], int *key_index)
{
    *key_index = 0;
    if (exp(a[0]) > DBL_MAX)
        return "mu is an exponent: e to that power is beyond the range of a double";
    return normal_fault(a, key_index);
}

static double bisect_beta(const double a[2], double u)
{
    double low = 0;
    double high = 1;
    for (int step = 0; step < BISECTION_STEPS; step++) {
        double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high)
            break;
        if (gsl_cdf_beta_P(middle, a[0], a[1]) < u)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* gsl_cdf_beta_Pinv does not converge for every shape, so its answer is checked. */
static double beta_quantile(const double a[2], double u)
{
    if (u <= 0)
        return 0;
    if (u >= 1)
        return 1;
    double x = gsl_cdf_beta_Pinv(u, a[0], a[1]);
    double error = fabs(gsl_cdf_beta_P(x, a[0], a[1]) - u);
    if (x >= 0 && x <= 1 && error <= BETA_TOLERANCE * fmin(u, 1 - u))
        return x;
    return bisect_beta(a, u);
}

static double beta_distribution(const double a[2], double x)
{
    return gsl_cdf_beta_P(clamp(x, 0, 1), a[0], a[1]);
}

static const char *beta_fault(const double a[2], int *key_index)
{
    *key_index = a[0] > 0 ? 1 : 0;
    return a[0] > 0 && a[1] > 0 ? NULL : "a and b must be greater than 0";
}

const struct law law_uniform = {uniform_quantile, uniform_distribution, bounds_fault};
const struct law law_integer = {uniform_quantile, uniform_distribution, integer_fault};
const struct law law_log = {log_quantile, log_distribution, log_fault};
const struct law law_exponent = {exponent_quantile, exponent_distribution, exponent_fault};
const struct law law_inverse_exponent = {inverse_exponent_quantile, inverse_exponent_distribution,
                                         inverse_exponent_fault};
const struct law law_normal = {normal_quantile, normal_distribution, normal_fault};
const struct law law_log_normal = {log_normal_quantile, log_normal_distribution, log_normal_fault};
const struct law law_beta = {beta_quantile, beta_distribution, beta_fault};
