// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/maximise.h"

#include <math.h>
#include <stdlib.h>

#include "optim/candidates.h"
#include "optim/local_search.h"

#define ENUMERATE_MAX 2048
#define LOCAL_FROM 3 /* successes a dimension: with fewer, a local search ends in the corners of the cube */
#define LARGE_MODEL 256 /* points from which two starts less must do */
#define STARTS_BEST 3
#define STARTS_DRAWN 3
#define STARTS (STARTS_BEST + STARTS_DRAWN + 1)
#define LOG_SHARE_MIN (-30.0)

static bool is_apart(const struct focus *focus, const double *full)
{
    return focus != NULL && full[focus->dim] != focus->level;
}

static enum status value_all(const struct maximise_input *input, struct candidates *candidates,
                             struct arena *arena, struct err *err)
{
    double *worth = arena_alloc(arena, (candidates->count + 1) * sizeof *worth);
    if (worth == NULL)
        return err_set(err, STATUS_NO_MEMORY, "candidates: out of memory");
    TRY(acquisition_at_rows(input->acquisition, candidates->coordinates, candidates->count, worth, err));
    for (size_t c = 0; c < candidates->count; c++)
        candidates->items[c].worth =
            isnan(worth[c]) || is_apart(input->focus, candidates->items[c].full) ? -HUGE_VAL : worth[c];
    return STATUS_OK;
}

/* Most worth first; equal ones as they were made. */
static int compare_candidates(const void *a, const void *b)
{
    const struct candidate *x = *(const struct candidate *const *)a;
    const struct candidate *y = *(const struct candidate *const *)b;
    if (x->worth != y->worth)
        return x->worth > y->worth ? -1 : 1;
    return x < y ? -1 : x > y;
}

static struct candidate **sorted(const struct candidates *candidates, struct arena *arena)
{
    struct candidate **order = arena_alloc(arena, (candidates->count + 1) * sizeof(struct candidate *));
    for (size_t c = 0; order != NULL && c < candidates->count; c++)
        order[c] = &candidates->items[c];
    if (order != NULL)
        qsort(order, candidates->count, sizeof *order, compare_candidates);
    return order;
}

static bool take_first_unseen(const struct maximise_input *input, struct candidate *const *order,
                              size_t count, double *out_point)
{
    for (size_t c = 0; c < count; c++) {
        if (seen_has(input->seen, order[c]->point))
            continue;
        for (size_t i = 0; i < input->space->count; i++)
            out_point[i] = order[c]->point[i];
        return true;
    }
    return false;
}

/* One of the candidates with probability ~ exp(worth). */
static size_t draw_start(struct candidate *const *order, size_t count, struct draws *draws)
{
    double sum = 0;
    for (size_t c = 0; c < count; c++)
        sum += exp(fmax(order[c]->worth - order[0]->worth, LOG_SHARE_MIN));
    double rest = draws_unit(draws) * sum;
    for (size_t c = 0; c < count; c++) {
        rest -= exp(fmax(order[c]->worth - order[0]->worth, LOG_SHARE_MIN));
        if (rest < 0)
            return c;
    }
    return count - 1;
}

/* Copies of the starts, locally improved, into `ends`. */
static enum status search_from_starts(const struct maximise_input *input, struct candidate *const *order,
                                      const struct candidates *candidates, struct candidates *ends,
                                      struct arena *arena, struct err *err)
{
    struct draws draws = {.seed = input->seed, .ordinal = input->ordinal, .name = "optim.starts"};
    size_t dims = input->space->count;
    TRY(candidates_init(ends, dims, STARTS, arena, err));
    bool large = input->acquisition->surrogates[0].gp.points.count > LARGE_MODEL;
    for (size_t k = 0; k < STARTS; k++) {
        if (large && (k == STARTS_BEST - 1 || k == STARTS_BEST))
            continue;
        const struct candidate *from = order[k < candidates->count ? k : 0];
        if (k >= STARTS_BEST)
            from = order[draw_start(order, candidates->count, &draws)];
        if (k == STARTS - 1 && candidates->count > CANDIDATES_SOBOL)
            from = &candidates->items[CANDIDATES_SOBOL];
        candidates_copy(&ends->items[ends->count], from, dims);
        TRY(local_search(input, ends, &ends->items[ends->count], arena, err));
        ends->count++;
    }
    return STATUS_OK;
}

enum status maximise(const struct maximise_input *input, double *out_point, bool *found, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct candidates candidates;
    struct candidates ends;
    uint64_t combinations = dims_combinations(input->space);
    bool whole = combinations <= ENUMERATE_MAX;
    if (whole)
        TRY(candidates_enumerate(input, combinations, &candidates, &arena, err));
    else
        TRY(candidates_draw(input, &candidates, &arena, err));
    TRY(value_all(input, &candidates, &arena, err));
    struct candidate **order = sorted(&candidates, &arena);
    if (order == NULL)
        return err_set(err, STATUS_NO_MEMORY, "candidates: out of memory");
    *found = false;
    bool local = input->acquisition->successes >= LOCAL_FROM * input->space->count;
    if (!whole && input->focus == NULL && local) {
        TRY(search_from_starts(input, order, &candidates, &ends, &arena, err));
        struct candidate **best = sorted(&ends, &arena);
        if (best == NULL)
            return err_set(err, STATUS_NO_MEMORY, "candidates: out of memory");
        *found = take_first_unseen(input, best, ends.count, out_point);
    }
    if (!*found)
        *found = take_first_unseen(input, order, candidates.count, out_point);
    return STATUS_OK;
}
