// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/kernel.h"

#include <math.h>
#include <string.h>

#define SQRT5 2.23606797749978969641

void kernel_distances(const struct kernel *kernel, const struct points *points, const double *x,
                      size_t stride, double *out)
{
    size_t count = points->count;
    memset(out, 0, count * sizeof *out);
    for (size_t i = 0; i < kernel->dims; i++) {
        const double *at = points->at + i * points->stride;
        double weight = kernel->weights[i];
        double here = x[i * stride];
        if (kernel->category[i]) {
            for (size_t j = 0; j < count; j++)
                out[j] += at[j] != here ? weight : 0;
        } else {
            for (size_t j = 0; j < count; j++)
                out[j] += weight * (at[j] - here) * (at[j] - here);
        }
    }
}

void kernel_apply(double amplitude, double *squared, size_t count, double *slopes)
{
    for (size_t j = 0; j < count; j++) {
        double r2 = squared[j];
        double a = SQRT5 * sqrt(r2);
        double decay = amplitude * exp(-a);
        squared[j] = (1 + a + 5.0 / 3 * r2) * decay;
        if (slopes != NULL)
            slopes[j] = 5.0 / 3 * (1 + a) * decay;
    }
}

void kernel_column(const struct kernel *kernel, const struct points *points, const double *x, double *out,
                   double *slopes)
{
    kernel_distances(kernel, points, x, 1, out);
    kernel_apply(kernel->amplitude, out, points->count, slopes);
}
