/*
 * What a surface is made of: which points, and their values without what is far
 * out. Private to surfaces.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_SURFACE_DATA_H
#define BESOM_OPTIM_SURFACE_DATA_H

#include "optim/surface.h"

/* Fills all but category, thetas and explained. As surface_fit. */
enum status surface_take(const struct surface_input *input, struct surface *out, struct arena *arena,
                         struct err *err) MUST_USE;

void sort_numbers(double *numbers, size_t count);
/* Between numbers in order; at least one. */
double sorted_quantile(const double *sorted, size_t count, double share);

#endif
