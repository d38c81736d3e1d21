/*
 * Method tpe.
 *
 * J. Bergstra and others: "Algorithms for hyper-parameter optimization"
 * (NeurIPS 2011), section 4: points below the gamma quantile make l(x), the
 * others g(x); the next point is the one of 24 draws from l with the greatest
 * l(x)/g(x). All dimensions at once as in S. Falkner and others: "BOHB" (ICML
 * 2018), pending points among the bad ones ("constant liar"), constants as S.
 * Watanabe: "Tree-structured Parzen estimator" (2023, arXiv 2304.11127) lists
 * for Optuna's: gamma n = min(ceil(n/10), 25), 10 points to begin with, prior
 * weight 1. A kernel is as wide in each dimension as the gap to its farther
 * neighbour there, and at least 1/min(100, n+2) of the range (Bergstra, 4.2).
 *
 * Deviations: the first points are Sobol points, not draws; failures are bad
 * points; a point that lacks a dimension has the prior there; no point of a
 * discrete space is given twice.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/tpe.h"

#include <math.h>
#include <stdlib.h>

#include "optim/rank.h"
#include "optim/search.h"
#include "optim/unseen.h"

#define START 10
#define GOOD_SHARE 0.1
#define GOOD_MOST 25
#define CANDIDATES 24
#define ROUNDS 8 /* of candidates, for one that is not taken */

struct tpe {
    const struct optim_space *space; /* borrowed */
    uint64_t seed;
    struct history history; /* all of them successes, NaN for a failure: their order counts */
};

static enum status tpe_make(const struct optim_space *space, uint64_t seed, void **out, struct err *err)
{
    struct tpe *tpe = calloc(1, sizeof *tpe);
    *out = tpe;
    if (tpe == NULL)
        return err_set(err, STATUS_NO_MEMORY, "tpe: out of memory");
    tpe->space = tpe->history.space = space;
    tpe->seed = seed;
    return STATUS_OK;
}

static void tpe_release(void *state)
{
    struct tpe *tpe = state;
    if (tpe != NULL)
        history_release(&tpe->history);
    free(tpe);
}

static enum status tpe_tell(void *state, const double *point, double value, struct err *err)
{
    struct tpe *tpe = state;
    return history_add(&tpe->history, point, false, isfinite(value) ? value : NAN, err);
}

/* ---- good and bad ---- */

struct split {
    const double **good, **bad; /* oldest first; pending ones are the newest of the bad */
    size_t good_count, bad_count;
};

static size_t count_good(const struct told *told)
{
    size_t successes = 0;
    for (size_t i = 0; i < told->count; i++)
        successes += isnan(told->values[i]) ? 0 : 1;
    size_t wanted = (size_t)ceil(GOOD_SHARE * (double)told->count);
    wanted = wanted > GOOD_MOST ? GOOD_MOST : wanted;
    return wanted < successes ? wanted : successes;
}

static enum status divide(const struct tpe *tpe, const struct optim_question *question, struct split *split,
                          struct arena *arena, struct err *err)
{
    const struct told *told = &tpe->history.successes;
    size_t dims = tpe->space->count;
    size_t good = count_good(told);
    struct ranked *order = arena_alloc(arena, (told->count + 1) * sizeof *order);
    bool *is_good = arena_calloc(arena, told->count + 1, sizeof *is_good);
    *split = (struct split){
        .good = arena_alloc(arena, (good + 1) * sizeof(double *)),
        .bad = arena_alloc(arena, (told->count + question->pending_count + 1) * sizeof(double *))};
    if (order == NULL || is_good == NULL || split->good == NULL || split->bad == NULL)
        return err_set(err, STATUS_NO_MEMORY, "tpe: out of memory");
    for (size_t i = 0; i < told->count; i++)
        order[i] = (struct ranked){.value = told->values[i], .index = i};
    rank_sort(order, told->count);
    for (size_t i = 0; i < good; i++)
        is_good[order[i].index] = true;
    for (size_t i = 0; i < told->count; i++)
        if (is_good[i])
            split->good[split->good_count++] = told->points + i * dims;
        else
            split->bad[split->bad_count++] = told->points + i * dims;
    for (size_t i = 0; i < question->pending_count; i++)
        split->bad[split->bad_count++] = question->pending + i * dims;
    return STATUS_OK;
}

/* ---- one suggestion ---- */

static enum status draw_best(const struct tpe *tpe, struct unseen *unseen, const struct split *split,
                             double *out_point, double *ratio, struct arena *arena, struct err *err)
{
    struct parzen good;
    struct parzen bad;
    struct draws draws = {.seed = tpe->seed, .ordinal = unseen->question->ordinal, .name = "optim.tpe"};
    size_t dims = tpe->space->count;
    double *point = arena_alloc(arena, dims * sizeof *point);
    if (point == NULL)
        return err_set(err, STATUS_NO_MEMORY, "tpe: out of memory");
    TRY(parzen_init(&good, tpe->space, split->good, split->good_count, arena, err));
    TRY(parzen_init(&bad, tpe->space, split->bad, split->bad_count, arena, err));
    *ratio = -HUGE_VAL;
    for (size_t round = 0; round < ROUNDS && *ratio == -HUGE_VAL; round++)
        for (size_t c = 0; c < CANDIDATES; c++) {
            parzen_draw(&good, &draws, unseen->full);
            unseen_settle(unseen, unseen->full, point);
            if (unseen_has(unseen, point))
                continue;
            double worth = parzen_log_density(&good, point) - parzen_log_density(&bad, point);
            if (!(worth > *ratio))
                continue;
            *ratio = worth;
            for (size_t i = 0; i < dims; i++)
                out_point[i] = point[i];
        }
    return STATUS_OK;
}

static enum status suggest_by_densities(const struct tpe *tpe, struct unseen *unseen, double *out_point,
                                        struct search_report *report, struct arena *arena, struct err *err)
{
    struct split split;
    double ratio = -HUGE_VAL;
    TRY(divide(tpe, unseen->question, &split, arena, err));
    TRY(draw_best(tpe, unseen, &split, out_point, &ratio, arena, err));
    if (ratio == -HUGE_VAL)
        return STATUS_OK;
    report->phase = "model";
    search_add_fact(report, "good", (double)split.good_count);
    search_add_fact(report, "bad", (double)split.bad_count);
    search_add_fact(report, "candidates", CANDIDATES);
    search_add_fact(report, "log_ratio", ratio);
    return STATUS_OK;
}

static enum status tpe_suggest(void *state, const struct optim_question *question, double *out_point,
                               struct search_report *report, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct tpe *tpe = state;
    const struct told *told = &tpe->history.successes;
    struct unseen unseen;
    bool start = told->count < START || count_good(told) == 0;
    bool found = false;
    *report = (struct search_report){.phase = start ? "start" : "explore"};
    TRY(unseen_init(&unseen, tpe->space, tpe->seed, told, question, &arena, err));
    double *point = arena_alloc(&arena, tpe->space->count * sizeof *point);
    if (point == NULL)
        return err_set(err, STATUS_NO_MEMORY, "tpe: out of memory");
    if (!start)
        TRY(suggest_by_densities(tpe, &unseen, point, report, &arena, err));
    found = report->fact_count > 0;
    if (!found)
        TRY(unseen_spread(&unseen, point, &found, &arena, err));
    report->exhausted = !found;
    for (size_t i = 0; found && i < tpe->space->count; i++)
        out_point[i] = point[i];
    return STATUS_OK;
}

static size_t tpe_bytes(const void *state)
{
    (void)state;
    return 0;
}

const struct search_method search_tpe = {
    .name = "tpe",
    .make = tpe_make,
    .release = tpe_release,
    .tell = tpe_tell,
    .suggest = tpe_suggest,
    .bytes = tpe_bytes,
};
