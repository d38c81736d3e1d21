/*
 * Bounded minimisation of smooth functions: NLopt's limited-memory BFGS
 * (D. Liu, J. Nocedal, Math. Programming 45, 1989, in Luksan's code), which
 * draws nothing at random. Gives the best point that was evaluated, whatever
 * made the search end.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_MINIMISE_H
#define BESOM_OPTIM_MINIMISE_H

#include <stddef.h>

#include "base/err.h"

struct minimise {
    /* Value at x, and its gradient. Finite, please. */
    double (*function)(void *context, const double *x, double *gradient);
    void *context;
    size_t count;
    const double *lower;
    const double *upper;
    int evaluations_max;
    double tolerance; /* relative change of the value that ends the search */
};

/* From x, which must be finite, to the best point found. `value` is its value. NO_MEMORY. */
enum status minimise(const struct minimise *problem, double *x, double *value, struct err *err) MUST_USE;

#endif
