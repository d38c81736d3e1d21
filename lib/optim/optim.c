// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/optim.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optim/acquisition.h"
#include "optim/design.h"
#include "optim/draws.h"
#include "optim/history.h"
#include "optim/learn.h"
#include "optim/maximise.h"
#include "optim/sobol.h"
#include "optim/subset.h"
#include "optim/transform.h"

#define START_COUNT 2
#define BOUND_UNTIL 8  /* successes for each dimension and one more */
#define BOUND_LEAST 40 /* but never fewer */
#define EXPLORE_SHARE 0.1
#define EXPLORE_SHARE_IDLE 0.5 /* while the model expects next to nothing */
#define IDLE_BELOW (-8.0)      /* log of the expected improvement, in deviations of the values */
#define IDLE_GAIN 1e-4         /* or that in units of the values: of the best one above the median */
#define FOCUS_SHARE 0.7        /* of the suggestions of EXPLORE, where a category offers a level */
#define FOCUS_LEVELS_MAX 32
#define BEST_POINTS 5
#define OUTLIERS_LATE_FROM SUBSET_FIT_MAX

struct optim {
    const struct optim_space *space; /* borrowed */
    uint64_t seed;
    struct history history;
    struct learnt learnt;
};

const char *optim_phase_name(enum optim_phase phase)
{
    static const char *const names[OPTIM_PHASE_COUNT] = {
        [OPTIM_START] = "start",
        [OPTIM_EXPLORE] = "explore",
        [OPTIM_MODEL] = "model",
        [OPTIM_EXHAUSTED] = "exhausted",
    };
    return names[phase];
}

enum status optim_new(const struct optim_space *space, uint64_t seed, struct optim **out, struct err *err)
{
    struct optim *optim = calloc(1, sizeof *optim);
    *out = NULL;
    if (optim == NULL)
        return err_set(err, STATUS_NO_MEMORY, "optimiser: out of memory");
    optim->space = space;
    optim->seed = seed;
    optim->history.space = space;
    openblas_set_num_threads(1);
    enum status status = learnt_init(&optim->learnt, space, err);
    if (status == STATUS_OK)
        *out = optim;
    else
        optim_free(optim);
    return status;
}

void optim_free(struct optim *optim)
{
    if (optim == NULL)
        return;
    history_release(&optim->history);
    learnt_release(&optim->learnt);
    free(optim);
}

enum status optim_tell(struct optim *optim, const double *point, double value, struct err *err)
{
    return history_add(&optim->history, point, !isfinite(value), value, err);
}

/* ---- one suggestion ---- */

struct ask {
    struct optim *optim;
    const struct optim_question *question;
    struct arena *arena;
    struct seen seen;
    double gain;         /* what the model expects of its best point; see transform_gain */
    double *full, *unit; /* scratch */
    bool *active;
};

static enum status begin(struct ask *ask, struct err *err)
{
    const struct history *history = &ask->optim->history;
    const struct optim_question *question = ask->question;
    size_t dims = ask->optim->space->count;
    ask->full = arena_alloc(ask->arena, dims * sizeof(double));
    ask->unit = arena_alloc(ask->arena, dims * sizeof(double));
    ask->active = arena_calloc(ask->arena, dims, sizeof(bool));
    if (ask->full == NULL || ask->unit == NULL || ask->active == NULL)
        return err_set(err, STATUS_NO_MEMORY, "suggesting: out of memory");
    size_t most = history->successes.count + history->failures.count + question->pending_count;
    TRY(seen_init(&ask->seen, dims, most, ask->arena, err));
    for (size_t i = 0; i < history->successes.count; i++)
        seen_add(&ask->seen, history->successes.points + i * dims);
    for (size_t i = 0; i < history->failures.count; i++)
        seen_add(&ask->seen, history->failures.points + i * dims);
    for (size_t i = 0; i < question->pending_count; i++)
        seen_add(&ask->seen, question->pending + i * dims);
    return STATUS_OK;
}

/* An unseen point of an even design, by ordinal; the first one is the centre. */
static bool spread_evenly(struct ask *ask, double *out_point, struct sobol *sobol)
{
    const struct design design = {.space = ask->optim->space,
                                  .seed = ask->optim->seed,
                                  .ordinal = ask->question->ordinal,
                                  .seen = &ask->seen,
                                  .centre_first = true,
                                  .full = ask->full,
                                  .unit = ask->unit,
                                  .active = ask->active};
    return design_point(&design, sobol, out_point);
}

static enum optim_phase choose_phase(const struct optim *optim, const struct optim_question *question)
{
    size_t successes = optim->history.successes.count;
    size_t begun = successes + optim->history.failures.count + question->pending_count;
    if (begun < START_COUNT || successes < 2)
        return OPTIM_START;
    return random_draw_unit(optim->seed, question->ordinal, "optim.explore", 0) < EXPLORE_SHARE
               ? OPTIM_EXPLORE
               : OPTIM_MODEL;
}

/* ---- the model ---- */

/* What is predicted from, gathered for one call. */
struct belief {
    const struct focus *focus; /* NULL: none */
    struct transform transform;
    struct subset subset;
    struct acquisition acquisition;
    double *best_points; /* settled, best first */
    size_t best_count;
};

static void copy_rows(double *to, const double *rows, const size_t *indexes, size_t count, size_t dims)
{
    for (size_t j = 0; j < count; j++)
        memcpy(to + j * dims, rows + indexes[j] * dims, dims * sizeof *to);
}

static enum status list_best(const struct history *history, struct belief *belief, struct arena *arena,
                             struct err *err)
{
    size_t dims = history->space->count;
    size_t count = belief->transform.count;
    belief->best_points = arena_alloc(arena, BEST_POINTS * dims * sizeof(double));
    if (belief->best_points == NULL)
        return err_set(err, STATUS_NO_MEMORY, "model: out of memory");
    for (size_t k = count; k-- > 0 && belief->best_count < BEST_POINTS;) {
        size_t index = belief->transform.pairs[k].index;
        const double *point = history->successes.points + index * dims;
        const struct focus *focus = belief->focus;
        bool last = k == 0 && belief->best_count == 0; /* there must be one */
        if (last || focus == NULL || point[focus->dim] == focus->level)
            memcpy(belief->best_points + belief->best_count++ * dims, point, dims * sizeof(double));
    }
    return STATUS_OK;
}

/* The successes of the input. */
static enum status gather(struct optim *optim, struct belief *belief, struct acquisition_input *input,
                          struct arena *arena, struct err *err)
{
    const struct told *told = &optim->history.successes;
    size_t dims = optim->space->count;
    TRY(learnt_update(&optim->learnt, &optim->history, optim->seed, err));
    TRY(subset_for_model(&optim->history, optim->seed, &belief->subset, arena, err));
    size_t n = belief->subset.count;
    double *all = arena_alloc(arena, told->count * sizeof *all);
    double *z = arena_alloc(arena, n * sizeof *z);
    double *rows = arena_alloc(arena, n * dims * sizeof *rows);
    double *factors = arena_alloc(arena, n * sizeof *factors);
    if (all == NULL || z == NULL || rows == NULL || factors == NULL)
        return err_set(err, STATUS_NO_MEMORY, "model: out of memory");
    TRY(transform_apply(&belief->transform, optim->learnt.strength, told->values, told->count, all, arena,
                        err));
    copy_rows(rows, told->coordinates, belief->subset.indexes, n, dims);
    copy_rows(z, all, belief->subset.indexes, n, 1);
    copy_rows(factors, optim->learnt.factors, belief->subset.indexes, n, 1);
    *input = (struct acquisition_input){.theta = optim->learnt.theta,
                                        .draws = optim->learnt.draws,
                                        .draw_count = optim->learnt.draw_count,
                                        .evidence = {.dims = dims,
                                                     .category = optim->learnt.category,
                                                     .successes = n,
                                                     .success_rows = rows,
                                                     .values = z,
                                                     .factors = factors,
                                                     .mark_outliers = told->count > OUTLIERS_LATE_FROM}};
    return list_best(&optim->history, belief, arena, err);
}

static enum status believe(struct ask *ask, struct belief *belief, struct err *err)
{
    struct optim *optim = ask->optim;
    const struct optim_question *question = ask->question;
    const struct told *failures = &optim->history.failures;
    size_t dims = optim->space->count;
    struct acquisition_input input;
    TRY(gather(optim, belief, &input, ask->arena, err));
    struct evidence *evidence = &input.evidence;
    evidence->focus = belief->focus;
    size_t skipped = failures->count > OPTIM_FAILURES_MAX ? failures->count - OPTIM_FAILURES_MAX : 0;
    evidence->failures = failures->count - skipped;
    evidence->failure_rows = failures->coordinates + skipped * dims;
    skipped = question->pending_count > OPTIM_PENDING_MAX ? question->pending_count - OPTIM_PENDING_MAX : 0;
    evidence->pending = question->pending_count - skipped;
    double *pending = arena_alloc(ask->arena, (evidence->pending + 1) * dims * sizeof *pending);
    if (pending == NULL)
        return err_set(err, STATUS_NO_MEMORY, "model: out of memory");
    for (size_t j = 0; j < evidence->pending; j++)
        dims_embed(optim->space, question->pending + (skipped + j) * dims, pending + j * dims);
    evidence->pending_rows = pending;
    size_t until = BOUND_UNTIL * (dims + 1) > BOUND_LEAST ? BOUND_UNTIL * (dims + 1) : BOUND_LEAST;
    bool early = optim->history.successes.count < until && question->pending_count == 0;
    input.rule = early ? ACQUISITION_BOUND : ACQUISITION_IMPROVEMENT;
    evidence->seed = random_draw_u64(optim->seed, question->ordinal, "optim.pending", 0);
    return acquisition_init(&belief->acquisition, &input, ask->arena, err);
}

/* What the model believes of x, in units of the values: mean, deviation, bound and success of `report`. */
static void predict(const struct belief *belief, const double *x, struct optim_report *report)
{
    const struct transform *transform = &belief->transform;
    struct acquisition_belief z = acquisition_believe(&belief->acquisition, x);
    report->mean = transform_invert(transform, z.mean);
    report->bound = transform_invert(transform, z.bound);
    report->deviation = transform_invert(transform, z.mean + z.deviation) / 2 -
                        transform_invert(transform, z.mean - z.deviation) / 2;
    report->success = z.success;
}

static enum status suggest_by_model(struct ask *ask, const struct focus *focus, double *out_point,
                                    bool *found, struct optim_report *report, struct err *err)
{
    struct optim *optim = ask->optim;
    struct belief belief = {.focus = focus};
    TRY(believe(ask, &belief, err));
    const struct maximise_input input = {.space = optim->space,
                                         .acquisition = &belief.acquisition,
                                         .seen = &ask->seen,
                                         .focus = focus,
                                         .best_points = belief.best_points,
                                         .best_count = belief.best_count,
                                         .seed = optim->seed,
                                         .ordinal = ask->question->ordinal};
    TRY(maximise(&input, out_point, found, err));
    if (!*found)
        return STATUS_OK;
    dims_embed(optim->space, out_point, ask->full);
    predict(&belief, ask->full, report);
    report->has_bound = belief.acquisition.rule == ACQUISITION_BOUND;
    report->log_improvement = acquisition_log_improvement(&belief.acquisition, ask->full);
    ask->gain = transform_gain(&belief.transform, exp(report->log_improvement) / report->success);
    report->noise = sqrt(belief.acquisition.surrogates[0].gp.noise);
    report->model_count = belief.subset.count;
    report->length_scales = optim->learnt.theta;
    return STATUS_OK;
}

/* ---- elsewhere ---- */

static bool can_focus(const struct optim_dim *dim)
{
    return dim->kind == OPTIM_CATEGORY && dim->levels > 1 && dim->levels <= FOCUS_LEVELS_MAX;
}

/* A level that the best point does not have, of one of its categories; false: there is none. */
static bool choose_focus(const struct ask *ask, struct focus *out)
{
    const struct optim_space *space = ask->optim->space;
    const struct told *told = &ask->optim->history.successes;
    struct draws draws = {.seed = ask->optim->seed, .ordinal = ask->question->ordinal, .name = "optim.focus"};
    size_t best = 0;
    size_t count = 0;
    for (size_t j = 1; j < told->count; j++)
        if (told->values[j] > told->values[best])
            best = j;
    if (draws_unit(&draws) >= FOCUS_SHARE)
        return false;
    for (size_t i = 0; i < space->count; i++) {
        double here = told->points[best * space->count + i];
        if (!can_focus(&space->dims[i]) || here == OPTIM_INACTIVE || draws_below(&draws, ++count) > 0)
            continue;
        double level = (double)draws_below(&draws, space->dims[i].levels - 1);
        *out = (struct focus){.dim = i, .level = level < here ? level : level + 1};
    }
    return count > 0;
}

/* A point that the best of the model would keep one from: what is most worth within a level of a category, or
 * one of an even design. */
static enum status look_elsewhere(struct ask *ask, struct optim_report *report, double *out_point,
                                  bool *found, struct err *err)
{
    struct focus focus = {.dim = 0};
    struct optim_report ignored;
    *found = false;
    struct sobol *sobol = arena_alloc(ask->arena, sizeof *sobol);
    if (sobol == NULL)
        return err_set(err, STATUS_NO_MEMORY, "suggesting: out of memory");
    if (report->phase != OPTIM_START && choose_focus(ask, &focus)) {
        TRY(suggest_by_model(ask, &focus, out_point, found, &ignored, err));
        report->has_focus = *found;
        report->focus_dim = focus.dim;
    }
    if (!*found)
        *found = spread_evenly(ask, out_point, sobol);
    return STATUS_OK;
}

enum status optim_suggest(struct optim *optim, const struct optim_question *question, double *out_point,
                          struct optim_report *report, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct ask ask = {.optim = optim, .question = question, .arena = &arena};
    bool found = false;
    bool other = false;
    *report = (struct optim_report){.phase = choose_phase(optim, question)};
    double *point = arena_alloc(&arena, optim->space->count * sizeof *point);
    double *elsewhere = arena_alloc(&arena, optim->space->count * sizeof *elsewhere);
    if (point == NULL || elsewhere == NULL)
        return err_set(err, STATUS_NO_MEMORY, "suggesting: out of memory");
    TRY(begin(&ask, err));
    if (report->phase == OPTIM_MODEL)
        TRY(suggest_by_model(&ask, NULL, point, &found, report, err));
    bool little = report->log_improvement - log(report->success) < IDLE_BELOW || ask.gain < IDLE_GAIN;
    bool idle = found && little &&
                random_draw_unit(optim->seed, question->ordinal, "optim.idle", 0) < EXPLORE_SHARE_IDLE;
    if (!found || idle)
        TRY(look_elsewhere(&ask, report, elsewhere, &other, err));
    if (other && report->phase == OPTIM_MODEL)
        report->phase = OPTIM_EXPLORE;
    else if (!other && !found)
        report->phase = OPTIM_EXHAUSTED;
    if (report->phase != OPTIM_EXHAUSTED)
        memcpy(out_point, other ? elsewhere : point, optim->space->count * sizeof *point);
    return STATUS_OK;
}

enum status optim_predict(struct optim *optim, const double *points, size_t count, double *means,
                          double *deviations, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct belief belief = {.best_count = 0};
    struct optim_report report;
    struct acquisition_input input;
    size_t dims = optim->space->count;
    if (optim->history.successes.count < 2)
        return err_set(err, STATUS_PRECONDITION, "predicting: there are no two results yet");
    double *x = arena_alloc(&arena, dims * sizeof *x);
    if (x == NULL)
        return err_set(err, STATUS_NO_MEMORY, "predicting: out of memory");
    TRY(gather(optim, &belief, &input, &arena, err));
    TRY(acquisition_init(&belief.acquisition, &input, &arena, err));
    for (size_t c = 0; c < count; c++) {
        dims_embed(optim->space, points + c * dims, x);
        predict(&belief, x, &report);
        means[c] = report.mean;
        deviations[c] = report.deviation;
    }
    return STATUS_OK;
}
