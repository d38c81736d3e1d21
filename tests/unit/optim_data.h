/*
 * Data for tests of processes: at random, or as the reference has them.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_TEST_OPTIM_DATA_H
#define BESOM_TEST_OPTIM_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "optim/fit.h"

#define DIMS_MAX 12
#define COUNT_MAX 40

struct data {
    size_t dims, count;
    bool category[DIMS_MAX];
    double rows[DIMS_MAX * COUNT_MAX];   /* by point */
    double points[DIMS_MAX * COUNT_MAX]; /* by dimension */
    double values[COUNT_MAX];
    double factors[COUNT_MAX];
    double theta[THETA_COUNT(DIMS_MAX)];
};

/* In [0, 1), by seed, name and index. */
double draw(uint64_t seed, const char *name, size_t index);

/* One to DIMS_MAX dimensions, two to COUNT_MAX points. */
void make_data(struct data *data, uint64_t seed);

/* The data borrowed, for a fit. */
struct fit_data fit_data_of(struct data *data);

/* Of test_optim_reference.h: which dimensions are categories, and the parameters. */
extern const bool gp_category[];
void reference_theta(double *theta);

void assert_near(double found, double expected, double tolerance);

#endif
