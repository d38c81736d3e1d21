// SPDX-License-Identifier: GPL-3.0-or-later
#include "meter.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

#define FIRST_US 1000000
#define AGAIN_US 200000

struct meter meter_make(const char *noun)
{
    return (struct meter){.noun = noun,
                          .shows = isatty(STDERR_FILENO) == 1,
                          .next_us = clock_monotonic_us(&clock_system) + FIRST_US};
}

void meter_add(struct meter *meter, int64_t count)
{
    meter->count += count;
    if (!meter->shows || clock_monotonic_us(&clock_system) < meter->next_us)
        return;
    fprintf(stderr, "\r%lld %s ", (long long)meter->count, meter->noun);
    fflush(stderr);
    meter->written = true;
    meter->next_us = clock_monotonic_us(&clock_system) + AGAIN_US;
}

void meter_end(struct meter *meter)
{
    if (meter->written)
        fputs("\r\033[K", stderr);
    meter->written = false;
}
