// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/subset.h"

#include <stdlib.h>
#include <string.h>

#include "optim/draws.h"

#define FIT_BEST_EACH 2   /* one in two: the best */
#define FIT_LATEST_EACH 8 /* one in eight: the latest */
#define MODEL_BEST 256
#define MODEL_RANDOM 64
#define MODEL_CENTRES 3

struct scored {
    double score; /* least first */
    size_t index;
};

static int compare_scored(const void *a, const void *b)
{
    const struct scored *x = a;
    const struct scored *y = b;
    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

struct choice {
    bool *chosen; /* by index */
    size_t count;
    struct scored *order; /* scratch */
};

static enum status choice_init(struct choice *choice, size_t count, struct arena *arena, struct err *err)
{
    *choice = (struct choice){.chosen = arena_calloc(arena, count + 1, sizeof *choice->chosen),
                              .order = arena_calloc(arena, count + 1, sizeof *choice->order)};
    return choice->chosen != NULL && choice->order != NULL
               ? STATUS_OK
               : err_set(err, STATUS_NO_MEMORY, "subset: out of memory");
}

static void choose(struct choice *choice, size_t index)
{
    choice->count += !choice->chosen[index];
    choice->chosen[index] = true;
}

static void choose_random(struct choice *choice, size_t count, size_t wanted, uint64_t seed)
{
    struct draws draws = {.seed = seed, .ordinal = count, .name = "optim.subset"};
    while (choice->count < wanted)
        choose(choice, draws_below(&draws, count));
}

static void sort_by_value(struct choice *choice, const struct told *told, size_t count)
{
    for (size_t i = 0; i < count; i++)
        choice->order[i] = (struct scored){.score = -told->values[i], .index = i};
    qsort(choice->order, count, sizeof *choice->order, compare_scored);
}

static enum status collect(const struct choice *choice, size_t count, struct subset *out, struct arena *arena,
                           struct err *err)
{
    out->indexes = arena_alloc(arena, (choice->count + 1) * sizeof *out->indexes);
    out->count = 0;
    if (out->indexes == NULL)
        return err_set(err, STATUS_NO_MEMORY, "subset: out of memory");
    for (size_t i = 0; i < count; i++)
        if (choice->chosen[i])
            out->indexes[out->count++] = i;
    return STATUS_OK;
}

enum status subset_for_fit(const struct history *history, size_t count, size_t most, uint64_t seed,
                           struct subset *out, struct arena *arena, struct err *err)
{
    struct choice choice;
    TRY(choice_init(&choice, count, arena, err));
    if (count <= most) {
        for (size_t i = 0; i < count; i++)
            choose(&choice, i);
        return collect(&choice, count, out, arena, err);
    }
    sort_by_value(&choice, &history->successes, count);
    for (size_t i = 0; i < most / FIT_BEST_EACH; i++)
        choose(&choice, choice.order[i].index);
    for (size_t i = count - most / FIT_LATEST_EACH; i < count; i++)
        choose(&choice, i);
    choose_random(&choice, count, most, seed);
    return collect(&choice, count, out, arena, err);
}

/* Squared distance to the nearest of the centres. */
static double distance_to(const struct history *history, size_t index, const size_t *centres)
{
    size_t dims = history->space->count;
    const double *at = history->successes.coordinates + index * dims;
    double least = 0;
    for (size_t c = 0; c < MODEL_CENTRES; c++) {
        const double *centre = history->successes.coordinates + centres[c] * dims;
        double sum = 0;
        for (size_t i = 0; i < dims; i++) {
            double d =
                history->space->dims[i].kind == OPTIM_CATEGORY ? (at[i] != centre[i]) : at[i] - centre[i];
            sum += d * d;
        }
        least = c == 0 || sum < least ? sum : least;
    }
    return least;
}

enum status subset_for_model(const struct history *history, uint64_t seed, struct subset *out,
                             struct arena *arena, struct err *err)
{
    struct choice choice;
    size_t count = history->successes.count;
    size_t centres[MODEL_CENTRES];
    TRY(choice_init(&choice, count, arena, err));
    if (count <= SUBSET_MODEL_MAX) {
        for (size_t i = 0; i < count; i++)
            choose(&choice, i);
        return collect(&choice, count, out, arena, err);
    }
    sort_by_value(&choice, &history->successes, count);
    for (size_t i = 0; i < MODEL_BEST; i++)
        choose(&choice, choice.order[i].index);
    for (size_t c = 0; c < MODEL_CENTRES; c++)
        centres[c] = choice.order[c].index;
    for (size_t i = 0; i < count; i++)
        choice.order[i] = (struct scored){.score = distance_to(history, i, centres), .index = i};
    qsort(choice.order, count, sizeof *choice.order, compare_scored);
    for (size_t i = 0; i < count && choice.count < SUBSET_MODEL_MAX - MODEL_RANDOM; i++)
        choose(&choice, choice.order[i].index);
    choose_random(&choice, count, SUBSET_MODEL_MAX, seed);
    return collect(&choice, count, out, arena, err);
}
