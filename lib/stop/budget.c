// SPDX-License-Identifier: GPL-3.0-or-later
#include "stop/budget.h"

size_t budget_needs(size_t dims)
{
    return dims + 2;
}

size_t budget_choose(const size_t *counts, size_t budgets, size_t dims)
{
    for (size_t i = budgets; i-- > 0;)
        if (counts[i] >= budget_needs(dims))
            return i;
    return BUDGET_NONE;
}
