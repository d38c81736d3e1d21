// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/seen.h"

#include <math.h>

#define ROUNDING 1e9

enum status seen_init(struct seen *seen, size_t dims, size_t most, struct arena *arena, struct err *err)
{
    size_t size = 16;
    while (size < 2 * most)
        size *= 2;
    *seen = (struct seen){.slots = arena_calloc(arena, size, sizeof *seen->slots),
                          .mask = size - 1,
                          .dims = dims,
                          .points = arena_calloc(arena, most + 1, sizeof(*seen->points))};
    return seen->slots != NULL && seen->points != NULL
               ? STATUS_OK
               : err_set(err, STATUS_NO_MEMORY, "points: out of memory");
}

static uint64_t hash_point(const struct seen *seen, const double *point)
{
    uint64_t hash = UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < seen->dims; i++) {
        /* Indexes reach 2^40, so the product stays within 2^70: two words. */
        double scaled = nearbyint(point[i] * ROUNDING);
        double high = floor(scaled * 0x1p-32);
        uint64_t word = (uint64_t)(int64_t)high * UINT64_C(0xff51afd7ed558ccd) ^
                        (uint64_t)(int64_t)(scaled - high * 0x1p32);
        hash = (hash ^ word) * UINT64_C(0xc4ceb9fe1a85ec53);
        hash ^= hash >> 29;
    }
    return hash == 0 ? 1 : hash;
}

static size_t find(const struct seen *seen, uint64_t hash)
{
    size_t at = (size_t)hash & seen->mask;
    while (seen->slots[at] != 0 && seen->slots[at] != hash)
        at = (at + 1) & seen->mask;
    return at;
}

void seen_add(struct seen *seen, const double *point)
{
    uint64_t hash = hash_point(seen, point);
    size_t at = find(seen, hash);
    if (seen->slots[at] == 0)
        seen->points[seen->distinct++] = point;
    seen->slots[at] = hash;
}

bool seen_has(const struct seen *seen, const double *point)
{
    return seen->slots[find(seen, hash_point(seen, point))] != 0;
}
