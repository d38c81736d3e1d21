/*
 * Method sobol: the points of a scrambled Sobol sequence by their ordinals,
 * whatever results say. 2^k of them that begin at a multiple of 2^k hit each of
 * 2^k equal intervals of each dimension once.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>

#include "optim/search.h"
#include "optim/unseen.h"

struct even {
    const struct optim_space *space; /* borrowed */
    uint64_t seed;
    struct history history; /* against repeats in discrete spaces */
};

static enum status even_make(const struct optim_space *space, uint64_t seed, void **out, struct err *err)
{
    struct even *even = calloc(1, sizeof *even);
    *out = even;
    if (even == NULL)
        return err_set(err, STATUS_NO_MEMORY, "sobol: out of memory");
    even->space = even->history.space = space;
    even->seed = seed;
    return STATUS_OK;
}

static void even_release(void *state)
{
    struct even *even = state;
    if (even != NULL)
        history_release(&even->history);
    free(even);
}

static enum status even_tell(void *state, const double *point, double value, struct err *err)
{
    struct even *even = state;
    return history_add(&even->history, point, false, value, err);
}

static enum status even_suggest(void *state, const struct optim_question *question, double *out_point,
                                struct search_report *report, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct even *even = state;
    struct unseen unseen;
    bool found = false;
    *report = (struct search_report){.phase = "even"};
    search_add_fact(report, "index", (double)question->ordinal);
    TRY(unseen_init(&unseen, even->space, even->seed, &even->history.successes, question, &arena, err));
    double *point = arena_alloc(&arena, even->space->count * sizeof *point);
    if (point == NULL)
        return err_set(err, STATUS_NO_MEMORY, "sobol: out of memory");
    TRY(unseen_spread(&unseen, point, &found, &arena, err));
    report->exhausted = !found;
    for (size_t i = 0; found && i < even->space->count; i++)
        out_point[i] = point[i];
    return STATUS_OK;
}

static size_t even_bytes(const void *state)
{
    (void)state;
    return 0;
}

const struct search_method search_sobol = {
    .name = "sobol",
    .make = even_make,
    .release = even_release,
    .tell = even_tell,
    .suggest = even_suggest,
    .bytes = even_bytes,
};
