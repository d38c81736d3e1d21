/*
 * Method cmaes: CMA-ES (cma.h) with a margin for whole numbers (margin.h) and
 * distributions for categories (choices.h), in the unit cube of the space.
 *
 * Results are taken in the order in which they are told, whoever asked for
 * them and when: every lambda of them make a generation, so workers never wait.
 * Failures are the worst of their generation; one of failures alone says
 * nothing. Of a whole number only its level is known, and nothing of a number
 * that conditions took away: a place within is drawn from the distribution.
 * When a generation stagnates (the tutorial's B.3), the search begins anew
 * elsewhere with twice as many points a generation (A. Auger, N. Hansen: "A
 * restart CMA evolution strategy with increasing population size", CEC 2005).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optim/cell.h"
#include "optim/choices.h"
#include "optim/draws.h"
#include "optim/margin.h"
#include "optim/rank.h"
#include "optim/search.h"
#include "optim/stagnation.h"
#include "optim/unseen.h"

#define START_SIGMA 0.3
#define DRAWS_MAX 64 /* tries for a point inside the cube that is not taken */
#define LAMBDA_MAX 4096

struct cmaes {
    const struct optim_space *space; /* borrowed */
    uint64_t seed;
    struct history history; /* against repeats in discrete spaces; else only counted */
    uint64_t told;
    bool discrete;
    size_t *numeric, *category; /* owned: one array; dimensions of the space */
    size_t numeric_count;
    struct choices choices;
    struct cma *cma; /* owned; NULL without numeric dimensions */
    size_t lambda, restarts, generation;
    struct stagnation stagnation;
    size_t count;    /* points of the generation so far */
    double *values;  /* owned; NaN for a failure */
    double *numbers; /* owned; rows of numeric_count */
    double *levels;  /* owned; rows of choices.count */
    double *ranked;  /* owned; scratch for either */
    double *weights; /* owned */
};

/* ---- a generation's room ---- */

static bool grow(double **array, size_t count)
{
    double *grown = realloc(*array, (count + 1) * sizeof *grown);
    if (grown != NULL)
        *array = grown;
    return grown != NULL;
}

/* A new distribution, at the middle first and anywhere after restarts. */
static enum status begin_search(struct cmaes *cmaes, struct err *err)
{
    struct draws draws = {.seed = cmaes->seed, .ordinal = cmaes->restarts, .name = "optim.cmaes.mean"};
    size_t lambda = cma_default_lambda(cmaes->space->count) << (cmaes->restarts < 16 ? cmaes->restarts : 16);
    cmaes->lambda = lambda > LAMBDA_MAX ? LAMBDA_MAX : lambda;
    size_t widest = cmaes->numeric_count > cmaes->choices.count ? cmaes->numeric_count : cmaes->choices.count;
    if (!grow(&cmaes->values, cmaes->lambda) || !grow(&cmaes->weights, cmaes->lambda) ||
        !grow(&cmaes->numbers, cmaes->lambda * cmaes->numeric_count) ||
        !grow(&cmaes->levels, cmaes->lambda * cmaes->choices.count) ||
        !grow(&cmaes->ranked, cmaes->lambda * widest))
        return err_set(err, STATUS_NO_MEMORY, "cmaes: out of memory");
    (void)cma_weigh(cmaes->lambda, cmaes->weights);
    choices_reset(&cmaes->choices);
    cmaes->generation = 0;
    stagnation_reset(&cmaes->stagnation, cmaes->space->count, cmaes->lambda);
    if (cmaes->numeric_count == 0)
        return STATUS_OK;
    for (size_t j = 0; j < cmaes->numeric_count; j++)
        cmaes->ranked[j] = cmaes->restarts == 0 ? 0.5 : draws_unit(&draws);
    cma_free(cmaes->cma);
    return cma_new(cmaes->numeric_count, cmaes->lambda, START_SIGMA, cmaes->ranked, &cmaes->cma, err);
}

static void cmaes_release(void *state)
{
    struct cmaes *cmaes = state;
    if (cmaes == NULL)
        return;
    history_release(&cmaes->history);
    stagnation_release(&cmaes->stagnation);
    choices_release(&cmaes->choices);
    cma_free(cmaes->cma);
    free(cmaes->numeric);
    free(cmaes->values);
    free(cmaes->numbers);
    free(cmaes->levels);
    free(cmaes->ranked);
    free(cmaes->weights);
    free(cmaes);
}

static enum status make_dimensions(struct cmaes *cmaes, struct err *err)
{
    size_t categories = 0;
    const struct optim_space *space = cmaes->space;
    cmaes->numeric = calloc(2 * space->count, sizeof *cmaes->numeric);
    if (cmaes->numeric == NULL)
        return err_set(err, STATUS_NO_MEMORY, "cmaes: out of memory");
    cmaes->category = cmaes->numeric + space->count;
    for (size_t i = 0; i < space->count; i++) {
        if (space->dims[i].kind == OPTIM_CATEGORY)
            cmaes->category[categories++] = i;
        else
            cmaes->numeric[cmaes->numeric_count++] = i;
        cmaes->discrete = cmaes->discrete && !dims_is_continuous(&space->dims[i]);
    }
    TRY(choices_init(&cmaes->choices, space, cmaes->category, categories, err));
    return begin_search(cmaes, err);
}

static enum status cmaes_make(const struct optim_space *space, uint64_t seed, void **out, struct err *err)
{
    struct cmaes *cmaes = calloc(1, sizeof *cmaes);
    *out = NULL;
    if (cmaes == NULL)
        return err_set(err, STATUS_NO_MEMORY, "cmaes: out of memory");
    cmaes->space = cmaes->history.space = space;
    cmaes->seed = seed;
    cmaes->discrete = true;
    enum status status = make_dimensions(cmaes, err);
    cmaes->discrete = cmaes->discrete || space->active != NULL;
    if (status == STATUS_OK)
        *out = cmaes;
    else
        cmaes_release(cmaes);
    return status;
}

/* ---- results ---- */

static const struct optim_dim *number_dim(const struct cmaes *cmaes, size_t j)
{
    return &cmaes->space->dims[cmaes->numeric[j]];
}

/* Where the distribution may have drawn coordinate j of what became this value. */
static double place_of(const struct cmaes *cmaes, size_t j, double value, double u)
{
    const struct optim_dim *dim = number_dim(cmaes, j);
    double low = -HUGE_VAL;
    double high = HUGE_VAL;
    if (value != OPTIM_INACTIVE && dim->kind == OPTIM_FLOAT)
        return value;
    if (value != OPTIM_INACTIVE)
        cell_bounds(dim, (uint64_t)value, &low, &high);
    double deviation = cma_deviation(cmaes->cma, j);
    double mean = cmaes->cma->mean[j];
    double z = cell_quantile((low - mean) / deviation, (high - mean) / deviation, u + 0x1p-54);
    return mean + deviation * z;
}

static void put_in_order(const struct cmaes *cmaes, const struct ranked *order, const double *rows,
                         size_t width)
{
    for (size_t i = 0; i < cmaes->lambda; i++)
        memcpy(cmaes->ranked + i * width, rows + order[i].index * width, width * sizeof *rows);
}

static enum status learn(struct cmaes *cmaes, const struct ranked *order, struct err *err)
{
    const struct cma *cma = cmaes->cma;
    double eta = cma != NULL ? cma->c_1 + cma->c_mu : 1 / (double)(cmaes->choices.count + 1);
    put_in_order(cmaes, order, cmaes->levels, cmaes->choices.count);
    choices_update(&cmaes->choices, cmaes->ranked, cmaes->weights, cmaes->lambda / 2, eta);
    if (cma == NULL)
        return STATUS_OK;
    put_in_order(cmaes, order, cmaes->numbers, cmaes->numeric_count);
    TRY(cma_update(cmaes->cma, cmaes->ranked, err));
    double alpha = 1 / (double)(cmaes->lambda * cmaes->space->count);
    for (size_t j = 0; j < cmaes->numeric_count; j++)
        if (number_dim(cmaes, j)->kind == OPTIM_ORDERED && number_dim(cmaes, j)->levels > 1)
            margin_keep(cmaes->cma, j, number_dim(cmaes, j), alpha);
    return STATUS_OK;
}

static enum status end_generation(struct cmaes *cmaes, struct err *err)
{
    struct ranked *order = calloc(cmaes->lambda, sizeof *order);
    if (order == NULL)
        return err_set(err, STATUS_NO_MEMORY, "cmaes: out of memory");
    for (size_t i = 0; i < cmaes->lambda; i++)
        order[i] = (struct ranked){.value = cmaes->values[i], .index = i};
    rank_sort(order, cmaes->lambda);
    for (size_t i = 0; i < cmaes->lambda; i++)
        cmaes->values[i] = order[i].value;
    cmaes->count = 0;
    bool says_nothing = isnan(order[0].value);
    enum status status = says_nothing ? STATUS_OK : learn(cmaes, order, err);
    free(order);
    if (status != STATUS_OK || says_nothing)
        return status;
    cmaes->generation++;
    TRY(stagnation_add(&cmaes->stagnation, cmaes->values, cmaes->lambda, err));
    if (!stagnation_is_over(&cmaes->stagnation) && (cmaes->cma == NULL || !cma_has_collapsed(cmaes->cma)))
        return STATUS_OK;
    cmaes->restarts++;
    return begin_search(cmaes, err);
}

static enum status cmaes_tell(void *state, const double *point, double value, struct err *err)
{
    struct cmaes *cmaes = state;
    struct draws draws = {.seed = cmaes->seed, .ordinal = cmaes->told, .name = "optim.cmaes.within"};
    if (cmaes->discrete)
        TRY(history_add(&cmaes->history, point, false, value, err));
    cmaes->told++;
    double *numbers = cmaes->numbers + cmaes->count * cmaes->numeric_count;
    double *levels = cmaes->levels + cmaes->count * cmaes->choices.count;
    for (size_t j = 0; j < cmaes->numeric_count; j++)
        numbers[j] = place_of(cmaes, j, point[cmaes->numeric[j]], draws_unit(&draws));
    for (size_t k = 0; k < cmaes->choices.count; k++)
        levels[k] = point[cmaes->category[k]];
    cmaes->values[cmaes->count++] = isfinite(value) ? value : NAN;
    return cmaes->count == cmaes->lambda ? end_generation(cmaes, err) : STATUS_OK;
}

/* ---- one suggestion ---- */

/* Back into [0,1], as from mirrors. */
static double reflect(double x)
{
    double folded = fmod(fabs(x), 2);
    return folded > 1 ? 2 - folded : folded;
}

/* Whether all continuous numbers were inside the cube. */
static bool draw_full(const struct cmaes *cmaes, struct draws *draws, double *z, double *x, double *full)
{
    bool inside = true;
    for (size_t j = 0; j < cmaes->numeric_count; j++)
        z[j] = draws_normal(draws);
    if (cmaes->cma != NULL)
        cma_place(cmaes->cma, z, x);
    for (size_t j = 0; j < cmaes->numeric_count; j++) {
        const struct optim_dim *dim = number_dim(cmaes, j);
        bool continuous = dim->kind == OPTIM_FLOAT;
        inside = inside && (!continuous || (x[j] >= 0 && x[j] <= 1));
        full[cmaes->numeric[j]] = continuous ? reflect(x[j]) : (double)dims_level_near(dim, x[j]);
    }
    for (size_t k = 0; k < cmaes->choices.count; k++)
        full[cmaes->category[k]] = choices_draw(&cmaes->choices, k, draws_unit(draws));
    return inside;
}

static enum status draw_point(const struct cmaes *cmaes, struct unseen *unseen, double *point, bool *found,
                              struct arena *arena, struct err *err)
{
    struct draws draws = {.seed = cmaes->seed, .ordinal = unseen->question->ordinal, .name = "optim.cmaes"};
    double *z = arena_alloc(arena, (cmaes->numeric_count + 1) * sizeof *z);
    double *x = arena_alloc(arena, (cmaes->numeric_count + 1) * sizeof *x);
    double *other = arena_alloc(arena, cmaes->space->count * sizeof *other);
    if (z == NULL || x == NULL || other == NULL)
        return err_set(err, STATUS_NO_MEMORY, "cmaes: out of memory");
    for (size_t k = 0; k < DRAWS_MAX; k++) {
        bool inside = draw_full(cmaes, &draws, z, x, unseen->full);
        unseen_settle(unseen, unseen->full, other);
        if (unseen_has(unseen, other))
            continue;
        memcpy(point, other, cmaes->space->count * sizeof *point); /* reflected, if no other comes */
        *found = true;
        if (inside)
            break;
    }
    return STATUS_OK;
}

static void tell_facts(const struct cmaes *cmaes, struct search_report *report)
{
    report->phase = "generation";
    search_add_fact(report, "generation", (double)cmaes->generation);
    search_add_fact(report, "population", (double)cmaes->lambda);
    search_add_fact(report, "results_of_it", (double)cmaes->count);
    search_add_fact(report, "restarts", (double)cmaes->restarts);
    if (cmaes->cma != NULL)
        search_add_fact(report, "sigma", cmaes->cma->sigma);
}

static enum status cmaes_suggest(void *state, const struct optim_question *question, double *out_point,
                                 struct search_report *report, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct cmaes *cmaes = state;
    struct unseen unseen;
    bool found = false;
    *report = (struct search_report){.phase = "explore"};
    TRY(unseen_init(&unseen, cmaes->space, cmaes->seed, &cmaes->history.successes, question, &arena, err));
    double *point = arena_alloc(&arena, cmaes->space->count * sizeof *point);
    if (point == NULL)
        return err_set(err, STATUS_NO_MEMORY, "cmaes: out of memory");
    TRY(draw_point(cmaes, &unseen, point, &found, &arena, err));
    if (found)
        tell_facts(cmaes, report);
    else
        TRY(unseen_spread(&unseen, point, &found, &arena, err));
    report->exhausted = !found;
    if (found)
        memcpy(out_point, point, cmaes->space->count * sizeof *point);
    return STATUS_OK;
}

static size_t cmaes_bytes(const void *state)
{
    const struct cmaes *cmaes = state;
    return cma_bytes(cmaes->cma) + cmaes->choices.levels * sizeof(double) +
           cmaes->lambda * (cmaes->space->count + 4) * 2 * sizeof(double) +
           stagnation_bytes(&cmaes->stagnation);
}

const struct search_method search_cmaes = {
    .name = "cmaes",
    .make = cmaes_make,
    .release = cmaes_release,
    .tell = cmaes_tell,
    .suggest = cmaes_suggest,
    .bytes = cmaes_bytes,
};
