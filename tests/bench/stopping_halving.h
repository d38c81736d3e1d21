/*
 * The search of bench_stopping under rules that pause runs: the brackets of
 * lib/stop, with random configurations or those of a model that learns from
 * the highest budget with enough values, as besom-suggestion does for bohb.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_TESTS_BENCH_STOPPING_HALVING_H
#define BESOM_TESTS_BENCH_STOPPING_HALVING_H

#include "stop/stop.h"
#include "tests/bench/stopping_problem.h"

/* Epochs of all workers until one run is near the best. A run that is promoted goes before a new one. */
int64_t halving_search(const struct problem *problem, const struct stop_config *config, uint64_t *tried);

#endif
