// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/design.h"

#include "base/random.h"

#define TRIES 1024                   /* Sobol points tried for one that is not taken */
#define SCAN_MAX (UINT64_C(1) << 20) /* combinations looked at for one */

static bool settle_unseen(const struct design *design, double *out_point)
{
    dims_settle(design->space, design->full, design->active, out_point);
    return design->seen == NULL || !seen_has(design->seen, out_point);
}

/* A combination that is not taken, beginning anywhere. */
static bool scan(const struct design *design, double *out_point)
{
    uint64_t count = dims_combinations(design->space);
    if (count == UINT64_MAX)
        return false;
    uint64_t first = random_draw_u64(design->seed, design->ordinal, "optim.scan", 0) % count;
    for (uint64_t i = 0; i < count && i < SCAN_MAX; i++) {
        dims_combination(design->space, (first + i) % count, design->full);
        if (settle_unseen(design, out_point))
            return true;
    }
    return false;
}

/* People choose ranges around what they know to work. */
static void move_to_centre(const struct optim_space *space, double *unit)
{
    for (size_t i = 0; i < space->count; i++)
        if (space->dims[i].kind != OPTIM_CATEGORY)
            unit[i] = 0.5;
}

bool design_point(const struct design *design, struct sobol *sobol, double *out_point)
{
    uint32_t ordinal = (uint32_t)design->ordinal;
    sobol_init(sobol, random_draw_u64(design->seed, 0, "optim.even", 0));
    for (uint32_t k = 0; k < TRIES; k++) {
        /* Other tries come from far away, so that they are no other ordinal's first one. */
        sobol_point(sobol, k == 0 ? ordinal : ~(ordinal * TRIES + k), design->space->count, design->unit);
        if (design->centre_first && ordinal == 0 && k == 0)
            move_to_centre(design->space, design->unit);
        dims_from_unit(design->space, design->unit, design->full);
        if (settle_unseen(design, out_point))
            return true;
    }
    return scan(design, out_point);
}
