// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/candidates.h"

#include <math.h>
#include <string.h>

#include "optim/sobol.h"

#define CENTRES 5
#define CATEGORY_CHANGES 0.2

static const struct {
    double deviation;
    size_t count;
} steps[] = {{0.2, 16}, {0.05, 16}, {0.01, 8}};

enum status candidates_init(struct candidates *candidates, size_t dims, size_t capacity, struct arena *arena,
                            struct err *err)
{
    *candidates = (struct candidates){.items = arena_alloc(arena, capacity * sizeof *candidates->items),
                                      .coordinates = arena_alloc(arena, capacity * dims * sizeof(double)),
                                      .active = arena_calloc(arena, dims, sizeof(bool)),
                                      .capacity = capacity};
    double *numbers = arena_alloc(arena, 2 * capacity * dims * sizeof *numbers);
    if (candidates->items == NULL || candidates->coordinates == NULL || candidates->active == NULL ||
        numbers == NULL)
        return err_set(err, STATUS_NO_MEMORY, "candidates: out of memory");
    for (size_t c = 0; c < capacity; c++)
        candidates->items[c] = (struct candidate){.full = numbers + 2 * c * dims,
                                                  .point = numbers + (2 * c + 1) * dims,
                                                  .coordinates = candidates->coordinates + c * dims};
    return STATUS_OK;
}

void candidates_settle(const struct candidates *candidates, const struct optim_space *space,
                       struct candidate *candidate)
{
    dims_settle(space, candidate->full, candidates->active, candidate->point);
    dims_embed(space, candidate->point, candidate->coordinates);
}

void candidates_copy(struct candidate *to, const struct candidate *from, size_t dims)
{
    memcpy(to->full, from->full, dims * sizeof *to->full);
    memcpy(to->point, from->point, dims * sizeof *to->point);
    memcpy(to->coordinates, from->coordinates, dims * sizeof *to->coordinates);
    to->worth = from->worth;
}

/* One dimension a step away from where it is. */
static double moved(const struct optim_dim *dim, double value, double step)
{
    if (dim->kind == OPTIM_FLOAT)
        return fmin(fmax(value + step, 0), 1);
    double position = fmin(fmax(dims_position(dim, (uint64_t)value) + step, 0), 1);
    return (double)dims_level_near(dim, position);
}

static void step_from(const struct optim_space *space, double deviation, struct draws *draws, double *full)
{
    double chance = fmax(0.3, fmin(1, 3 / (double)space->count));
    for (size_t i = 0; i < space->count; i++) {
        const struct optim_dim *dim = &space->dims[i];
        bool category = dim->kind == OPTIM_CATEGORY;
        if (draws_unit(draws) >= (category ? CATEGORY_CHANGES : chance))
            continue;
        if (category)
            full[i] = (double)draws_below(draws, dim->levels);
        else
            full[i] = moved(dim, full[i], deviation * draws_normal(draws));
    }
}

/* The settled point `from`, its inactive dimensions as they are in `full`. */
static void begin_at(const double *from, size_t dims, double *full)
{
    for (size_t i = 0; i < dims; i++)
        if (from[i] != OPTIM_INACTIVE)
            full[i] = from[i];
}

enum status candidates_draw(const struct maximise_input *input, struct candidates *out, struct arena *arena,
                            struct err *err)
{
    const struct optim_space *space = input->space;
    struct draws draws = {.seed = input->seed, .ordinal = input->ordinal, .name = "optim.candidates"};
    size_t centres = input->best_count < CENTRES ? input->best_count : CENTRES;
    size_t per_centre = 1;
    for (size_t k = 0; k < ARRAY_LEN(steps); k++)
        per_centre += steps[k].count;
    size_t even = input->focus == NULL ? CANDIDATES_SOBOL : CANDIDATES_FOCUS;
    TRY(candidates_init(out, space->count, even + centres * per_centre, arena, err));
    struct sobol *sobol = arena_alloc(arena, sizeof *sobol);
    double *unit = arena_alloc(arena, space->count * sizeof *unit);
    if (sobol == NULL || unit == NULL)
        return err_set(err, STATUS_NO_MEMORY, "candidates: out of memory");
    sobol_init(sobol, random_draw_u64(input->seed, input->ordinal, "optim.sobol", 0));
    for (uint32_t c = 0; c < out->capacity; c++) {
        sobol_point(sobol, c, space->count, unit);
        dims_from_unit(space, unit, out->items[c].full);
    }
    struct candidate *next = out->items + even;
    for (size_t c = 0; c < centres; c++) {
        const double *centre = input->best_points + c * space->count;
        begin_at(centre, space->count, next++->full);
        for (size_t k = 0; k < ARRAY_LEN(steps); k++)
            for (size_t i = 0; i < steps[k].count; i++, next++) {
                begin_at(centre, space->count, next->full);
                step_from(space, steps[k].deviation, &draws, next->full);
            }
    }
    out->count = out->capacity;
    for (size_t c = 0; input->focus != NULL && c < out->count; c++)
        out->items[c].full[input->focus->dim] = input->focus->level;
    for (size_t c = 0; c < out->count; c++)
        candidates_settle(out, space, &out->items[c]);
    return STATUS_OK;
}

enum status candidates_enumerate(const struct maximise_input *input, uint64_t combinations,
                                 struct candidates *out, struct arena *arena, struct err *err)
{
    TRY(candidates_init(out, input->space->count, (size_t)combinations, arena, err));
    for (; out->count < combinations; out->count++) {
        dims_combination(input->space, out->count, out->items[out->count].full);
        candidates_settle(out, input->space, &out->items[out->count]);
    }
    return STATUS_OK;
}
