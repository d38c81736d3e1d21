/*
 * Results in the order of their worth. Pure.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_RANK_H
#define BESOM_OPTIM_RANK_H

#include <stddef.h>

struct ranked {
    double value; /* larger is better; NaN: a failure */
    size_t index;
};

/* Best first, failures last; equal ones by index. */
void rank_sort(struct ranked *items, size_t count);

#endif
