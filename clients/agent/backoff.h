/*
 * Waiting times between tries: doubling with full jitter in the upper half.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_BACKOFF_H
#define BESOM_AGENT_BACKOFF_H

#include <stdint.h>

#include "base/random.h"

#define BACKOFF_FIRST_MS 200
#define BACKOFF_LAST_MS 2000 /* below the 5 s in which work goes on after an outage */

/* Returns the next wait and doubles *step_ms (0 = start again). */
static inline int64_t backoff_next_ms(int64_t *step_ms)
{
    int64_t step = *step_ms > 0 ? *step_ms : BACKOFF_FIRST_MS;
    *step_ms = step * 2 < BACKOFF_LAST_MS ? step * 2 : BACKOFF_LAST_MS;
    return step / 2 + (int64_t)random_below(&random_system, (uint64_t)(step / 2) + 1);
}

#endif
