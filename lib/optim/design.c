// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/design.h"

#include "base/random.h"

#define TRIES 1024                    /* Sobol points tried for one that is not taken */
#define LOOKS_MAX (UINT64_C(1) << 20) /* points looked at for one after that */
#define SCAN_MOST (UINT64_C(1) << 16) /* combinations under conditions that are all looked at */

static bool settle_unseen(const struct design *design, double *out_point)
{
    dims_settle(design->space, design->full, design->active, out_point);
    return design->seen == NULL || !seen_has(design->seen, out_point);
}

/* A combination that is not taken, beginning anywhere. */
static bool scan(const struct design *design, uint64_t count, double *out_point)
{
    uint64_t first = random_draw_u64(design->seed, design->ordinal, "optim.scan", 0) % count;
    for (uint64_t i = 0; i < count && i < LOOKS_MAX; i++) {
        dims_combination(design->space, (first + i) % count, design->full);
        if (settle_unseen(design, out_point))
            return true;
    }
    return false;
}

/* Value k of a dimension; for more of them than there are points taken, one is not among theirs. */
static double value_at(const struct optim_dim *dim, size_t k, size_t count, double offset)
{
    return dim->kind == OPTIM_FLOAT ? ((double)k + offset) / (double)count : (double)k;
}

/* A point that differs from a taken one in one dimension, and in what that brings in, which `full` has. */
static bool step_from(const struct design *design, const double *taken, double offset, uint64_t *looks,
                      double *out_point)
{
    const struct optim_space *space = design->space;
    double *full = design->unit; /* scratch by now */
    for (size_t i = 0; i < space->count; i++)
        full[i] = taken[i] == OPTIM_INACTIVE ? design->full[i] : taken[i];
    for (size_t i = 0; i < space->count; i++) {
        const struct optim_dim *dim = &space->dims[i];
        size_t most = design->seen->distinct + 1;
        size_t count = dim->kind == OPTIM_FLOAT || dim->levels > most ? most : (size_t)dim->levels;
        for (size_t k = 0; k < count && taken[i] != OPTIM_INACTIVE; k++) {
            if (++*looks > LOOKS_MAX)
                return false;
            full[i] = value_at(dim, k, count, offset);
            dims_settle(space, full, design->active, out_point);
            if (!seen_has(design->seen, out_point))
                return true;
        }
        full[i] = taken[i] == OPTIM_INACTIVE ? design->full[i] : taken[i];
    }
    return false;
}

/*
 * For spaces of which combinations are too many, or mostly the same point for conditions. Points from which
 * no such step leads to one that is not taken are all there are: from any point every other one is reached by
 * setting its dimensions one by one, those first that conditions of others name.
 */
static bool walk(const struct design *design, double *out_point)
{
    size_t count = design->seen->distinct;
    uint64_t first = random_draw_u64(design->seed, design->ordinal, "optim.scan", 0) % count;
    uint64_t looks = 0;
    for (size_t j = 0; j < count && looks <= LOOKS_MAX; j++) {
        double offset = random_draw_unit(design->seed, design->ordinal, "optim.walk", (uint32_t)j);
        const double *taken = design->seen->points[(first + j) % count];
        if (step_from(design, taken, offset, &looks, out_point))
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
    uint64_t combinations = dims_combinations(design->space);
    bool few = combinations <= SCAN_MOST || (combinations < UINT64_MAX && design->space->active == NULL);
    return few ? scan(design, combinations, out_point) : walk(design, out_point);
}
