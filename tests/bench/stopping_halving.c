// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/stopping_halving.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "optim/optim.h"
#include "stop/budget.h"
#include "stop/halving.h"
#include "tests/bench/bench.h"

#define RUNS_MAX ((size_t)EPOCHS_MAX) /* each trains at least once */
#define BUDGETS_MAX 8                 /* rungs, and whole runs */
#define NOBODY SIZE_MAX

enum state { TRAINING, PAUSED, READY, OVER };

struct run {
    struct curve curve;
    double point[DIMS];
    enum state state;
    int epoch;
    size_t band; /* the next one */
    double best;
    bool has_value[BUDGETS_MAX];
};

struct search {
    const struct problem *problem;
    struct halving *halving; /* owned */
    bool by_model;
    int64_t bands[STOP_BANDS_MAX];
    size_t band_count;
    struct run *runs; /* owned; by ordinal */
    size_t run_count;
    size_t first_live; /* all before it are over */
    size_t ready;
    size_t workers[WORKERS]; /* their runs, or NOBODY */
    int64_t spent;
    struct optim *models[BUDGETS_MAX]; /* owned; of each budget */
    size_t counts[BUDGETS_MAX];        /* values that it was told */
    double *pending;                   /* owned; room */
};

static void check(enum status status, const struct err *err)
{
    if (status != STATUS_OK)
        bench_fail("searching", err->text);
}

static void key_of(size_t ordinal, char key[24])
{
    (void)snprintf(key, 24, "%zu", ordinal);
}

/* ---- the model ---- */

static void learn(struct search *search, struct run *run, size_t budget, double loss)
{
    struct err err = ERR_INIT;
    run->has_value[budget] = true;
    if (!search->by_model)
        return;
    check(optim_tell(search->models[budget], run->point, -loss, &err), &err);
    search->counts[budget]++;
}

/* Live runs without a value at the budget. */
static size_t list_pending(struct search *search, size_t budget)
{
    size_t count = 0;
    for (size_t i = search->first_live; i < search->run_count; i++) {
        const struct run *run = &search->runs[i];
        if (run->state == OVER || run->has_value[budget])
            continue;
        memcpy(search->pending + count++ * DIMS, run->point, sizeof run->point);
    }
    return count;
}

static void choose_point(struct search *search, size_t ordinal, double out[DIMS])
{
    struct optim_report report;
    struct err err = ERR_INIT;
    if (!search->by_model) {
        problem_point(search->problem, ordinal, out);
        return;
    }
    size_t budget = budget_choose(search->counts, search->band_count + 1, DIMS);
    budget = budget == BUDGET_NONE ? 0 : budget;
    const struct optim_question question = {
        .ordinal = ordinal, .pending = search->pending, .pending_count = list_pending(search, budget)};
    check(optim_suggest(search->models[budget], &question, out, &report, &err), &err);
}

/* ---- runs ---- */

static void let_go(struct search *search, size_t ordinal, bool promoted)
{
    struct run *run = &search->runs[ordinal];
    if (run->state != PAUSED)
        return;
    run->state = promoted ? READY : OVER;
    search->ready += promoted;
}

static void carry_out_verdicts(struct search *search)
{
    size_t count = 0;
    const struct halving_verdict *verdicts = halving_verdicts(search->halving, &count);
    for (size_t i = 0; i < count; i++)
        let_go(search, (size_t)verdicts[i].ordinal, verdicts[i].promoted);
}

static size_t take_ready(struct search *search)
{
    for (size_t i = search->first_live; i < search->run_count; i++)
        if (search->runs[i].state == READY) {
            search->ready--;
            return i;
        }
    bench_fail("searching", "a run that was promoted is not there");
}

static size_t take_run(struct search *search)
{
    if (search->ready > 0)
        return take_ready(search);
    if (search->run_count == RUNS_MAX)
        bench_fail("searching", "too many runs");
    size_t ordinal = search->run_count;
    struct run *run = &search->runs[ordinal];
    *run = (struct run){.best = HUGE_VAL};
    choose_point(search, ordinal, run->point);
    run->curve = problem_curve(search->problem->kind, run->point);
    search->run_count++;
    return ordinal;
}

static void end_run(struct search *search, size_t ordinal)
{
    struct run *run = &search->runs[ordinal];
    struct err err = ERR_INIT;
    char key[24];
    key_of(ordinal, key);
    run->state = OVER;
    learn(search, run, search->band_count, run->best);
    check(halving_end(search->halving, (int64_t)ordinal, key, run->best, &err), &err);
    carry_out_verdicts(search);
}

/* At a band: the run goes on, pauses, or is out. */
static void judge(struct search *search, size_t ordinal, double logged)
{
    static const enum state states[] = {[HALVING_NO_RUNG] = TRAINING,
                                        [HALVING_WAITS] = PAUSED,
                                        [HALVING_PROMOTED] = TRAINING,
                                        [HALVING_OUT] = OVER};
    struct run *run = &search->runs[ordinal];
    struct halving_decision decision;
    struct err err = ERR_INIT;
    char key[24];
    key_of(ordinal, key);
    size_t band = run->band++;
    learn(search, run, band, logged);
    check(halving_observe(search->halving, (int64_t)ordinal, key, band, logged, &decision, &err), &err);
    carry_out_verdicts(search);
    run->state = states[decision.answer];
}

/* One epoch; true when it brought the loss within reach of the best. */
static bool train(struct search *search, size_t *worker)
{
    const struct problem *problem = search->problem;
    if (*worker == NOBODY)
        *worker = take_run(search);
    struct run *run = &search->runs[*worker];
    run->state = TRAINING;
    double loss = curve_loss(&run->curve, ++run->epoch);
    double logged = problem_logged(problem, *worker, run->epoch, loss);
    search->spent++;
    run->best = fmin(run->best, logged);
    if (run->epoch == EPOCHS)
        end_run(search, *worker);
    else if (run->band < search->band_count && search->bands[run->band] == run->epoch)
        judge(search, *worker, logged);
    if (run->state != TRAINING)
        *worker = NOBODY;
    while (search->first_live < search->run_count && search->runs[search->first_live].state == OVER)
        search->first_live++;
    return loss <= NEAR * problem->best;
}

/* ---- the whole ---- */

static void search_init(struct search *search, const struct stop_config *config)
{
    static const struct optim_dim dims[DIMS] = {
        {.kind = OPTIM_FLOAT}, {.kind = OPTIM_FLOAT}, {.kind = OPTIM_FLOAT}, {.kind = OPTIM_FLOAT}};
    static const struct optim_space space = {.dims = dims, .count = DIMS};
    struct err err = ERR_INIT;
    check(halving_new(config, false, &search->halving, &err), &err);
    check(stop_bands(config, search->bands, &search->band_count, &err), &err);
    search->by_model = config->type == STOP_BOHB;
    search->runs = calloc(RUNS_MAX, sizeof *search->runs);
    search->pending = calloc(RUNS_MAX * DIMS, sizeof *search->pending);
    if (search->runs == NULL || search->pending == NULL || search->band_count >= BUDGETS_MAX)
        bench_fail("searching", "no room");
    for (size_t i = 0; i < WORKERS; i++)
        search->workers[i] = NOBODY;
    for (size_t i = 0; i <= search->band_count && search->by_model; i++)
        check(optim_new(&space, search->problem->seed, &search->models[i], &err), &err);
}

int64_t halving_search(const struct problem *problem, const struct stop_config *config, uint64_t *tried)
{
    struct search search = {.problem = problem};
    bool reached = false;
    search_init(&search, config);
    while (!reached && search.spent < EPOCHS_MAX)
        for (size_t i = 0; i < WORKERS && !reached; i++)
            reached = train(&search, &search.workers[i]);
    for (size_t i = 0; i < BUDGETS_MAX; i++)
        optim_free(search.models[i]);
    halving_free(search.halving);
    free(search.runs);
    free(search.pending);
    *tried = search.run_count;
    return search.spent;
}
