// SPDX-License-Identifier: Apache-2.0
#include "rpc/backoff.h"

int64_t backoff_delay_ms(int failures, const struct random_source *random)
{
    int64_t bound = BACKOFF_FIRST_MS;
    for (int i = 1; i < failures && bound < BACKOFF_MOST_MS; i++)
        bound *= 2;
    if (bound > BACKOFF_MOST_MS)
        bound = BACKOFF_MOST_MS;
    return (int64_t)random_below(random, (uint64_t)bound + 1);
}
