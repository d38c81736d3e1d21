/*
 * A Gaussian process with zero mean and fixed parameters: its Cholesky factor,
 * which grows by a row a point, and what it predicts.
 *
 * Rasmussen, Williams (2006), algorithm 2.1: L = factor, K = L L', w = L^-1 y
 * (`half`), K^-1 y = L^-T w; mean (L^-1 k)'w, variance s - |L^-1 k|^2. Leave-one-out by eq. 5.12. Matrices
 * are stored by columns.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_GP_H
#define BESOM_OPTIM_GP_H

#include "base/arena.h"
#include "base/err.h"
#include "optim/kernel.h"

#define GP_NOISE_MIN 1e-6
#define GP_VARIANCE_MIN 1e-12

struct gp {
    struct kernel kernel;
    struct points points;
    size_t capacity;
    double noise;      /* variance, floor included */
    double *weights_l; /* kernel.weights, owned by the arena */
    double *noises;    /* of each point */
    double *factor;    /* capacity x capacity, lower */
    double *half;      /* L^-1 y */
    double *scratch;   /* capacity */
};

/* An empty process; everything from the arena. `category` is borrowed. NO_MEMORY. */
enum status gp_init(struct gp *gp, size_t dims, const bool *category, const double *theta, size_t capacity,
                    struct arena *arena, struct err *err) MUST_USE;

/* Adds a point whose row of the factor is made by gp_factor; `factor` times the noise. */
void gp_put(struct gp *gp, const double *x, double factor);
/* Factors all points that were put. Adds to the diagonal what it takes to be positive definite. */
void gp_factor(struct gp *gp);
/* half from the values of all points. */
void gp_fit_values(struct gp *gp, const double *values);

/* Adds a point with this noise variance to the factor, O(n^2). The caller sets its half: gp_set_last or a
 * standard normal draw. */
void gp_append(struct gp *gp, const double *x, double noise);
void gp_set_last(struct gp *gp, double value);

/* v = L^-1 k(x) (room for points.count), the mean, and the variance of f (> 0). `slopes` as kernel_column, or
 * NULL. */
void gp_predict(const struct gp *gp, const double *x, double *v, double *slopes, double *mean,
                double *variance);
/* b = L^-T b */
void gp_back_solve(const struct gp *gp, double *b);
/* V = L^-1 V for `columns` columns of leading dimension points.count. */
void gp_solve_columns(const struct gp *gp, double *v, size_t columns);

/* Leave-one-out residuals over their deviations, and means at the points. Scratch from the arena. */
enum status gp_leave_one_out(const struct gp *gp, double *out, struct arena *arena, struct err *err) MUST_USE;
void gp_means_at_points(const struct gp *gp, const double *values, double *out);

#endif
