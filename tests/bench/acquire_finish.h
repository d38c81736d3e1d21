/*
 * The limit that bench_acquire_finish measures against: the claim and the end
 * of a run as the controller sends them, but one run a transaction, straight
 * to the database over connections of this process.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_TESTS_BENCH_ACQUIRE_FINISH_H
#define BESOM_TESTS_BENCH_ACQUIRE_FINISH_H

#include <stdint.h>

struct store;

/* Sweeps of `spec_json` are made with their queues filled, then `connections` threads claim and end runs of
 * them in turn for `ms`. Gives cycles per second. */
double straight_cycles(struct store *store, const char *spec_json, int connections, int sweeps, int64_t ms);

#endif
