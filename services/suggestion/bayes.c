// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/suggestion/bayes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optim/optim.h"
#include "services/suggestion/bayes_space.h"
#include "services/suggestion/bayes_why.h"

#define ELSEWHERE (-1)

struct bayes {
    const struct spec *spec;   /* borrowed */
    struct bayes_space *space; /* owned */
    struct optim *optim;       /* owned */
    uint64_t seed;
    size_t dims;
    double *points;    /* owned; pending, as rows */
    int64_t *ordinals; /* owned; of the pending ones, ELSEWHERE for others' runs */
    size_t pending;
    size_t capacity;
    double *point; /* owned; scratch */
    size_t results;
    double best; /* larger is better; -inf before the first value */
};

enum status bayes_new(const struct spec *spec, uint64_t seed, struct bayes **out, struct err *err)
{
    struct bayes *bayes = calloc(1, sizeof *bayes);
    *out = NULL;
    if (bayes == NULL)
        return err_set(err, STATUS_NO_MEMORY, "bayes: out of memory");
    bayes->spec = spec;
    bayes->seed = seed;
    bayes->best = -HUGE_VAL;
    enum status status = bayes_space_new(spec->space, &bayes->space, err);
    if (status == STATUS_OK) {
        const struct optim_space *dims = bayes_space_dims(bayes->space);
        bayes->dims = dims->count;
        bayes->point = calloc(bayes->dims, sizeof *bayes->point);
        status = bayes->point == NULL ? err_set(err, STATUS_NO_MEMORY, "bayes: out of memory")
                                      : optim_new(dims, seed, &bayes->optim, err);
    }
    if (status == STATUS_OK)
        *out = bayes;
    else
        bayes_free(bayes);
    return status;
}

void bayes_free(struct bayes *bayes)
{
    if (bayes == NULL)
        return;
    optim_free(bayes->optim);
    bayes_space_free(bayes->space);
    free(bayes->points);
    free(bayes->ordinals);
    free(bayes->point);
    free(bayes);
}

/* ---- what is pending ---- */

static enum status add_pending(struct bayes *bayes, const double *point, int64_t ordinal, struct err *err)
{
    if (bayes->pending == bayes->capacity) {
        size_t capacity = bayes->capacity == 0 ? 16 : bayes->capacity * 2;
        double *points = realloc(bayes->points, capacity * bayes->dims * sizeof *points);
        if (points != NULL)
            bayes->points = points;
        int64_t *ordinals = realloc(bayes->ordinals, capacity * sizeof *ordinals);
        if (ordinals != NULL)
            bayes->ordinals = ordinals;
        if (points == NULL || ordinals == NULL)
            return err_set(err, STATUS_NO_MEMORY, "bayes: out of memory");
        bayes->capacity = capacity;
    }
    memcpy(bayes->points + bayes->pending * bayes->dims, point, bayes->dims * sizeof *point);
    bayes->ordinals[bayes->pending++] = ordinal;
    return STATUS_OK;
}

/* Their order stays. */
static void remove_pending(struct bayes *bayes, size_t index)
{
    size_t after = bayes->pending - index - 1;
    memmove(bayes->points + index * bayes->dims, bayes->points + (index + 1) * bayes->dims,
            after * bayes->dims * sizeof *bayes->points);
    memmove(bayes->ordinals + index, bayes->ordinals + index + 1, after * sizeof *bayes->ordinals);
    bayes->pending--;
}

static size_t find_elsewhere(const struct bayes *bayes, const double *point)
{
    for (size_t i = 0; i < bayes->pending; i++)
        if (bayes->ordinals[i] == ELSEWHERE &&
            memcmp(bayes->points + i * bayes->dims, point, bayes->dims * sizeof *point) == 0)
            return i;
    return bayes->pending;
}

void bayes_forget_pending(struct bayes *bayes)
{
    bayes->pending = 0;
}

/* ---- results ---- */

struct outcome {
    const char *state;
    bool ended;
    bool failed;
    bool withdrawn;
};

static const struct outcome outcomes[] = {
    {.state = "finished", .ended = true},
    {.state = "stopped", .ended = true},
    {.state = "failed", .ended = true, .failed = true},
    {.state = "crashed", .ended = true, .failed = true},
    {.state = "killed", .ended = true, .failed = true},
    {.state = "preempted", .ended = true, .withdrawn = true},
    {.state = "pending"},
    {.state = "running"},
    {.state = "preempting"},
};

bool bayes_outcome_of(const char *state, double value, struct bayes_outcome *out)
{
    for (size_t i = 0; state != NULL && i < ARRAY_LEN(outcomes); i++) {
        if (strcmp(outcomes[i].state, state) != 0)
            continue;
        *out = (struct bayes_outcome){.ended = outcomes[i].ended,
                                      .failed = outcomes[i].failed,
                                      .withdrawn = outcomes[i].withdrawn,
                                      .value = value};
        return true;
    }
    return false;
}

/* What a run counts as: its value, larger is better, NaN for a failure. `impute` decides for failed runs: as
 * the best so far, or by the value it reached; anything else leaves the failure to the model. */
static double worth_of(const struct bayes *bayes, const struct bayes_outcome *outcome)
{
    double sign = bayes->spec->metric.goal == SPEC_GOAL_MAXIMIZE ? 1 : -1;
    double value = isfinite(outcome->value) ? sign * outcome->value : NAN;
    if (!outcome->failed)
        return value;
    switch (bayes->spec->metric.impute) {
    case SPEC_IMPUTE_BEST: return isfinite(bayes->best) ? bayes->best : NAN;
    case SPEC_IMPUTE_LATEST: return value;
    default: return NAN;
    }
}

static enum status add_result(struct bayes *bayes, const double *point, const struct bayes_outcome *outcome,
                              struct err *err)
{
    double worth = worth_of(bayes, outcome);
    if (outcome->withdrawn && !isfinite(worth))
        return STATUS_OK;
    TRY(optim_tell(bayes->optim, point, worth, err));
    bayes->results++;
    if (isfinite(worth))
        bayes->best = fmax(bayes->best, worth);
    return STATUS_OK;
}

enum status bayes_tell(struct bayes *bayes, int64_t ordinal, const struct bayes_outcome *outcome,
                       struct err *err)
{
    for (size_t i = 0; i < bayes->pending; i++) {
        if (bayes->ordinals[i] != ordinal)
            continue;
        TRY(add_result(bayes, bayes->points + i * bayes->dims, outcome, err));
        remove_pending(bayes, i);
        return STATUS_OK;
    }
    return err_set(err, STATUS_NOT_FOUND, "run %lld is not pending", (long long)ordinal);
}

enum status bayes_observe(struct bayes *bayes, const json_t *params, const struct bayes_outcome *outcome,
                          struct err *err)
{
    struct err ignored;
    enum status status = bayes_space_to_point(bayes->space, params, bayes->point, &ignored);
    if (status == STATUS_INVALID)
        return STATUS_OK;
    if (status != STATUS_OK)
        return err_set(err, status, "%s", ignored.text);
    size_t known = find_elsewhere(bayes, bayes->point);
    if (!outcome->ended)
        return known < bayes->pending ? STATUS_OK : add_pending(bayes, bayes->point, ELSEWHERE, err);
    TRY(add_result(bayes, bayes->point, outcome, err));
    if (known < bayes->pending)
        remove_pending(bayes, known);
    return STATUS_OK;
}

/* Points and coordinates of results, their values and noise factors, growing by doubling. */
size_t bayes_bytes(const struct bayes *bayes)
{
    size_t row = 2 * bayes->dims * sizeof(double);
    return sizeof *bayes + bayes->capacity * row + (bayes->results + 16) * 2 * (row + 4 * sizeof(double));
}

/* ---- asking ---- */

static enum status fill(struct bayes *bayes, struct suggestion *item, const struct optim_report *report,
                        struct err *err)
{
    const struct bayes_why why = {.space = bayes->space,
                                  .report = report,
                                  .maximize = bayes->spec->metric.goal == SPEC_GOAL_MAXIMIZE,
                                  .seed = bayes->seed,
                                  .ordinal = item->ordinal,
                                  .results = bayes->results,
                                  .pending = bayes->pending,
                                  .best = bayes->best};
    TRY(bayes_space_to_params(bayes->space, bayes->point, &item->params, err));
    TRY(space_config_hash(item->params, item->config_hash, err));
    item->why = bayes_why_json(&why);
    if (item->why == NULL)
        return err_set(err, STATUS_NO_MEMORY, "bayes: out of memory");
    /* As the configuration says it, rounded to what its parameters can be. */
    TRY(bayes_space_to_point(bayes->space, item->params, bayes->point, err));
    return add_pending(bayes, bayes->point, item->ordinal, err);
}

enum status bayes_ask(struct bayes *bayes, struct suggestion *item, bool *exhausted, struct err *err)
{
    struct optim_report report;
    const struct optim_question question = {
        .ordinal = (uint64_t)item->ordinal, .pending = bayes->points, .pending_count = bayes->pending};
    TRY(optim_suggest(bayes->optim, &question, bayes->point, &report, err));
    *exhausted = report.phase == OPTIM_EXHAUSTED;
    return *exhausted ? STATUS_OK : fill(bayes, item, &report, err);
}
