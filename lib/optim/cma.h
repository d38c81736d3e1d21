/*
 * The normal distribution of CMA-ES: drawn from, and moved by ranked points.
 * Pure numbers; nothing of spaces, values or failures.
 *
 * N. Hansen: "The CMA evolution strategy: a tutorial" (2016, arXiv
 * 1604.00772), figure 6 with the default parameters of table 1, negative
 * weights included (active CMA). x = mean + sigma a o y, y = B D z; a is 1 but
 * where a margin says otherwise (margin.h). p_c, p_s = paths; g = generation.
 *
 * Points may come from an older distribution, or from elsewhere: steps longer
 * than sqrt(n) + 4 deviations are cut to that length (N. Hansen: "Injecting
 * external solutions into CMA-ES", 2011, arXiv 1110.4181, with a bound that
 * own draws practically never reach).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_CMA_H
#define BESOM_OPTIM_CMA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct cma {
    size_t n;      /* 1 or more */
    size_t lambda; /* points a generation */
    size_t mu;     /* of them with positive weights */
    double sigma, start_sigma;
    double mu_eff, c_sigma, d_sigma, c_c, c_1, c_mu, length; /* length = E|N(0,I)| */
    size_t generation;
    double *room;    /* owned: all that follows */
    double *weights; /* lambda; recombination, then negative ones */
    double *mean;    /* n */
    double *a;       /* n */
    double *c;       /* n x n, symmetric */
    double *b;       /* n x n; columns are eigenvectors */
    double *d;       /* n; roots of eigenvalues, ascending */
    double *p_c;     /* n */
    double *p_sigma; /* n */
    double *steps;   /* scratch: lambda x n */
    double *step;    /* scratch: n each */
    double *whitened;
};

/* 4 + floor(3 ln dims) */
size_t cma_default_lambda(size_t dims);
/* Recombination weights of the better half, which sum to 1, and those of the others, below 0, not yet scaled;
 * the number of the former. */
size_t cma_weigh(size_t lambda, double *out_weights);

/* NO_MEMORY. */
enum status cma_new(size_t n, size_t lambda, double sigma, const double *mean, struct cma **out,
                    struct err *err) MUST_USE;
/* NULL is fine. */
void cma_free(struct cma *cma);
size_t cma_bytes(const struct cma *cma);

/* x of a standard normal z; n numbers each. */
void cma_place(const struct cma *cma, const double *z, double *out_x);
/* Of one coordinate. */
double cma_deviation(const struct cma *cma, size_t i);

/* The next generation, from lambda rows of n numbers, best first. NO_MEMORY. */
enum status cma_update(struct cma *cma, const double *rows, struct err *err) MUST_USE;

/* Nothing moves any more: NoEffectAxis, NoEffectCoord, ConditionCov, TolXUp and TolX of the tutorial's B.3.
 */
bool cma_has_collapsed(const struct cma *cma);

#endif
