// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/local_search.h"

#include <math.h>
#include <string.h>

#include "optim/minimise.h"

#define ROUNDS 3
#define GAIN_MIN 1e-4
#define EVALUATIONS 40
#define TOLERANCE 1e-6
#define LEVELS_ALL 16 /* ordered levels that are all tried; categories up to CATEGORIES_ALL */
#define CATEGORIES_ALL 64
#define STRIDES 7 /* 1, 2, 4 .. 64 levels up and down */
#define GRID 8
#define ALTERNATIVES_MAX 64

/* ---- continuous dimensions ---- */

struct smooth {
    const struct maximise_input *input;
    const struct candidate *at;
    const size_t *dims; /* the free ones */
    size_t count;
    double *x;        /* coordinates with the free ones set */
    double *gradient; /* of all */
};

static double fall(void *context, const double *free_values, double *gradient)
{
    struct smooth *smooth = context;
    for (size_t k = 0; k < smooth->count; k++)
        smooth->x[smooth->dims[k]] = free_values[k];
    double worth = acquisition_at(smooth->input->acquisition, smooth->x, smooth->gradient);
    for (size_t k = 0; k < smooth->count; k++) {
        double slope = smooth->gradient[smooth->dims[k]];
        gradient[k] = isfinite(worth) && isfinite(slope) ? -slope : 0;
    }
    return isfinite(worth) ? -worth : HUGE_VAL;
}

/* What the smooth search works with: sides of the cube for its free dimensions. */
struct box {
    size_t *dims;
    double *lower, *upper, *at;
};

static bool box_init(struct box *box, size_t dims, struct arena *arena)
{
    box->dims = arena_alloc(arena, dims * sizeof *box->dims);
    box->lower = arena_calloc(arena, dims, sizeof *box->lower);
    box->upper = arena_calloc(arena, dims, sizeof *box->upper);
    box->at = arena_calloc(arena, dims, sizeof *box->at);
    return box->dims != NULL && box->lower != NULL && box->upper != NULL && box->at != NULL;
}

static enum status climb(const struct maximise_input *input, const struct candidates *candidates,
                         struct candidate *at, struct arena *arena, struct err *err)
{
    const struct optim_space *space = input->space;
    struct box box;
    struct smooth smooth = {.input = input, .at = at};
    smooth.x = arena_alloc(arena, space->count * sizeof(double));
    smooth.gradient = arena_alloc(arena, space->count * sizeof(double));
    if (!box_init(&box, space->count, arena) || smooth.x == NULL || smooth.gradient == NULL)
        return err_set(err, STATUS_NO_MEMORY, "searching: out of memory");
    for (size_t i = 0; i < space->count; i++)
        if (space->dims[i].kind == OPTIM_FLOAT && at->point[i] != OPTIM_INACTIVE) {
            box.at[smooth.count] = at->full[i];
            box.upper[smooth.count] = 1;
            box.dims[smooth.count++] = i;
        }
    if (smooth.count == 0)
        return STATUS_OK;
    smooth.dims = box.dims;
    memcpy(smooth.x, at->coordinates, space->count * sizeof *smooth.x);
    const struct minimise problem = {.function = fall,
                                     .context = &smooth,
                                     .count = smooth.count,
                                     .lower = box.lower,
                                     .upper = box.upper,
                                     .evaluations_max = EVALUATIONS,
                                     .tolerance = TOLERANCE};
    double value = 0;
    TRY(minimise(&problem, box.at, &value, err));
    if (!(-value > at->worth))
        return STATUS_OK;
    for (size_t k = 0; k < smooth.count; k++)
        at->full[box.dims[k]] = box.at[k];
    at->worth = -value;
    candidates_settle(candidates, space, at);
    return STATUS_OK;
}

/* ---- discrete dimensions ---- */

static void add_level(const struct optim_dim *dim, double level, double *out, size_t *count)
{
    if (level < 0 || level >= (double)dim->levels || *count == ALTERNATIVES_MAX)
        return;
    for (size_t k = 0; k < *count; k++)
        if (out[k] == level)
            return;
    out[(*count)++] = level;
}

/* Levels worth a try instead of `here`, which is not among them. */
static size_t list_levels(const struct optim_dim *dim, double here, struct draws *draws, double *out)
{
    size_t count = 0;
    uint64_t all = dim->kind == OPTIM_CATEGORY ? CATEGORIES_ALL : LEVELS_ALL;
    add_level(dim, here, out, &count);
    if (dim->levels <= all)
        for (uint64_t level = 0; level < dim->levels; level++)
            add_level(dim, (double)level, out, &count);
    else if (dim->kind == OPTIM_CATEGORY)
        while (count < ALTERNATIVES_MAX)
            out[count++] = (double)draws_below(draws, dim->levels);
    else {
        for (int k = 0; k < STRIDES; k++) {
            add_level(dim, here - (double)(1 << k), out, &count);
            add_level(dim, here + (double)(1 << k), out, &count);
        }
        for (int k = 0; k < GRID; k++)
            add_level(dim, (double)dims_level_near(dim, (double)k / (GRID - 1)), out, &count);
    }
    memmove(out, out + 1, (count - 1) * sizeof *out);
    return count - 1;
}

static enum status try_levels(const struct maximise_input *input, struct candidate *at, size_t dim,
                              struct candidates *others, struct draws *draws, struct err *err)
{
    double levels[ALTERNATIVES_MAX];
    double worth[ALTERNATIVES_MAX];
    size_t best = ALTERNATIVES_MAX;
    others->count = list_levels(&input->space->dims[dim], at->full[dim], draws, levels);
    for (size_t k = 0; k < others->count; k++) {
        candidates_copy(&others->items[k], at, input->space->count);
        others->items[k].full[dim] = levels[k];
        candidates_settle(others, input->space, &others->items[k]);
    }
    if (others->count == 0)
        return STATUS_OK;
    TRY(acquisition_at_rows(input->acquisition, others->coordinates, others->count, worth, err));
    for (size_t k = 0; k < others->count; k++)
        if (worth[k] > at->worth + 1e-9 && (best == ALTERNATIVES_MAX || worth[k] > worth[best]))
            best = k;
    if (best < ALTERNATIVES_MAX) {
        others->items[best].worth = worth[best];
        candidates_copy(at, &others->items[best], input->space->count);
    }
    return STATUS_OK;
}

enum status local_search(const struct maximise_input *input, const struct candidates *candidates,
                         struct candidate *at, struct arena *arena, struct err *err)
{
    struct draws draws = {.seed = input->seed, .ordinal = input->ordinal, .name = "optim.levels"};
    struct candidates others;
    TRY(candidates_init(&others, input->space->count, ALTERNATIVES_MAX, arena, err));
    for (int round = 0; round < ROUNDS; round++) {
        double before = at->worth;
        TRY(climb(input, candidates, at, arena, err));
        for (size_t i = 0; i < input->space->count; i++)
            if (input->space->dims[i].kind != OPTIM_FLOAT && at->point[i] != OPTIM_INACTIVE)
                TRY(try_levels(input, at, i, &others, &draws, err));
        if (!(at->worth - before >= GAIN_MIN))
            break;
    }
    return STATUS_OK;
}
