/*
 * Waiting times between tries: exponential with full jitter. Pure but for the
 * random source.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_RPC_BACKOFF_H
#define BESOM_RPC_BACKOFF_H

#include <stdint.h>

#include "base/random.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MOST_MS 2000

/* Milliseconds to wait after `failures` (>= 1) tries: uniform in [0, min(2000, 100 * 2^(failures - 1))]. */
int64_t backoff_delay_ms(int failures, const struct random_source *random);

#endif
