/*
 * Which budget a model of configurations learns from, when runs pause at rungs (Falkner, Klein and Hutter,
 * "BOHB: Robust and Efficient Hyperparameter Optimization at Scale", 2018, section 4.2): the largest with
 * values of enough runs, since small budgets are cheap hints and large ones what counts. Pure.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_STOP_BUDGET_H
#define BESOM_STOP_BUDGET_H

#include <stddef.h>

#define BUDGET_NONE ((size_t)-1)

/* Values that a model of `dims` dimensions needs. */
size_t budget_needs(size_t dims);
/* `counts` has the number of values at each budget, ascending; BUDGET_NONE: none has enough. */
size_t budget_choose(const size_t *counts, size_t budgets, size_t dims);

#endif
