// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/rank.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a;
    const struct ranked *y = b;
    bool x_failed = isnan(x->value);
    if (x_failed != (bool)isnan(y->value))
        return x_failed ? 1 : -1;
    if (!x_failed && x->value != y->value)
        return x->value > y->value ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

void rank_sort(struct ranked *items, size_t count)
{
    qsort(items, count, sizeof *items, compare_ranked);
}
