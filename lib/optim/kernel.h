/*
 * The covariance: one Matern 5/2 with a length scale a dimension (C. Rasmussen,
 * C. Williams: "Gaussian Processes for Machine Learning", 2006, eq. 4.17),
 *   k = s (1 + sqrt5 r + 5/3 r^2) exp(-sqrt5 r),  r^2 = sum_i d_i^2 / l_i^2,
 * s the amplitude, l_i the length scales, d_i the difference of coordinates, or
 * 1 for two different categories. Pure.
 *
 * Parameters travel as logarithms, theta: l_1..l_D, s, noise variance.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_KERNEL_H
#define BESOM_OPTIM_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

#define THETA_AMPLITUDE(dims) (dims)
#define THETA_NOISE(dims) ((dims) + 1)
#define THETA_COUNT(dims) ((dims) + 2)

/* Points by dimension: coordinate i of point j is at[i * stride + j]. */
struct points {
    double *at;
    size_t stride;
    size_t count;
};

struct kernel {
    size_t dims;
    const bool *category;  /* borrowed */
    const double *weights; /* borrowed; 1 / l_i^2 */
    double amplitude;
};

/* out[j] = r^2 between x and each point; coordinate i of x is x[i * stride]. */
void kernel_distances(const struct kernel *kernel, const struct points *points, const double *x,
                      size_t stride, double *out);

/* From squared distances to covariances in place; slopes[j] = -2 dk/d(r^2), NULL if not wanted. */
void kernel_apply(double amplitude, double *squared, size_t count, double *slopes);

/* Covariances of x with each point. */
void kernel_column(const struct kernel *kernel, const struct points *points, const double *x, double *out,
                   double *slopes);

#endif
