/*
 * A Gaussian process of plain values over a whole space, where one wants to know
 * the function rather than its next point: covariance parameters that the data
 * allow, predictions, and functions drawn from what the process holds possible.
 *
 * Values beyond three times the quartiles' distance are moved there, so that what
 * diverged does not hide the rest.
 *
 * Parameters: Laplace's approximation around the maximum a posteriori of fit.h
 * (C. Rasmussen, C. Williams: "Gaussian Processes for Machine Learning", 2006,
 * section 5.2; the Hessian by differences of the analytic gradient), sharpened by
 * sampling-importance-resampling (D. Rubin, Bayesian Statistics 3, 1988), since
 * the posterior of a noise or a length scale is rarely normal.
 *
 * Functions: J. Wilson and others: "Efficiently sampling functions from Gaussian
 * process posteriors" (ICML 2020), eq. 13: f(x) = p(x) + k(x,X) K^-1 (y - p(X) -
 * e), p a draw of the prior from random Fourier features (a Matern 5/2's
 * frequencies are Student-t with 5 degrees of freedom), e a draw of the noise.
 * A category stands there as a corner of a simplex whose sides are 1, which keeps
 * the kernel's distance; beyond SURFACE_LEVELS categories share corners.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_SURFACE_H
#define BESOM_OPTIM_SURFACE_H

#include <stdint.h>

#include "optim/dims.h"
#include "optim/gp.h"

#define SURFACE_THETAS 8
#define SURFACE_FEATURES 256 /* frequencies; each gives a sine and a cosine */
#define SURFACE_LEVELS 1024

#define SURFACE_POINTS_MAX 2000 /* beyond, a random subset */
#define SURFACE_POINTS_MIN 8    /* and two more than dimensions */

struct surface_input {
    const struct optim_space *space;
    const double *points; /* settled, as rows */
    const double *values; /* finite */
    size_t count;
    uint64_t seed;
};

/* Arrays are the arena's. */
struct surface {
    const struct optim_space *space; /* borrowed */
    uint64_t seed;
    size_t *used; /* ascending indexes of the points in the model */
    size_t count; /* of them */
    size_t bounded;
    double *rows;         /* coordinates */
    double *values;       /* of mean 0 and deviation 1 */
    double middle, scale; /* value = middle + scale * that */
    bool *category;
    double *thetas;   /* SURFACE_THETAS of THETA_COUNT, equally likely */
    double explained; /* 1 - leave-one-out squared error over the values' variance; at most 1 */
};

/* Points that it takes at least. */
size_t surface_least(size_t dims);

/* A function of the input alone. PRECONDITION: too few points, or they all have the same value. */
enum status surface_fit(const struct surface_input *input, struct surface *out, struct arena *arena,
                        struct err *err) MUST_USE;

/* Means and deviations of the function, without noise, at settled points. NO_MEMORY. */
enum status surface_predict(const struct surface *surface, const double *points, size_t count, double *means,
                            double *deviations, struct err *err) MUST_USE;

/* Functions of one of the thetas. */
struct functions {
    struct gp gp;
    const struct optim_space *space;
    size_t count;        /* of functions */
    double *frequencies; /* SURFACE_FEATURES x dims by columns; 0 for categories */
    double **corners;    /* by dimension; NULL unless a category; SURFACE_FEATURES a level, inactive first */
    double *prior;       /* 2 SURFACE_FEATURES x count */
    double *update;      /* points x count: K^-1 (y - p(X) - e) */
    double *kernel, *phases, *features; /* scratch of one block */
};

/* Everything from the arena. NO_MEMORY. */
enum status functions_draw(const struct surface *surface, size_t theta, size_t count, uint64_t seed,
                           struct functions *out, struct arena *arena, struct err *err) MUST_USE;

/* Their values at `count` rows of coordinates: `count` x functions by columns. */
void functions_at(const struct functions *functions, const double *rows, size_t count, double *out);

#endif
