// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/suggestion/bayes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "optim/search.h"
#include "services/suggestion/bayes_impute.h"
#include "services/suggestion/bayes_space.h"
#include "services/suggestion/bayes_why.h"
#include "services/suggestion/enqueue.h"

#define ELSEWHERE (-1)

struct bayes {
    const struct spec *spec;   /* borrowed */
    struct bayes_space *space; /* owned */
    struct search search;
    struct impute impute;
    uint64_t seed;
    int64_t begin_ordinal;
    size_t dims;
    double *points;    /* owned; pending, as rows */
    int64_t *ordinals; /* owned; of the pending ones, ELSEWHERE for others' runs */
    size_t pending;
    size_t capacity;
    double *point; /* owned; scratch */
    size_t results;
    double best; /* larger is better; -inf before the first value */
    size_t passed_over;
    char passed_text[ERR_TEXT_MAX]; /* of the first */
};

static const struct search_method *method_of(const struct spec *spec)
{
    return search_find(spec_optimizer_name(spec->optimizer));
}

static enum status make_parts(struct bayes *bayes, struct err *err)
{
    const struct spec *spec = bayes->spec;
    TRY(bayes_space_new(spec->space, &bayes->space, err));
    const struct optim_space *dims = bayes_space_dims(bayes->space);
    bayes->dims = dims->count;
    bayes->point = calloc(bayes->dims, sizeof *bayes->point);
    if (bayes->point == NULL)
        return err_set(err, STATUS_NO_MEMORY, "bayes: out of memory");
    impute_init(&bayes->impute, spec, bayes->dims);
    return search_init(&bayes->search, method_of(spec), dims, bayes->seed, err);
}

enum status bayes_new(const struct spec *spec, uint64_t seed, int64_t begin_ordinal, struct bayes **out,
                      struct err *err)
{
    struct bayes *bayes = calloc(1, sizeof *bayes);
    *out = NULL;
    if (bayes == NULL)
        return err_set(err, STATUS_NO_MEMORY, "bayes: out of memory");
    bayes->spec = spec;
    bayes->seed = seed;
    bayes->begin_ordinal = begin_ordinal;
    bayes->best = -HUGE_VAL;
    enum status status = make_parts(bayes, err);
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
    search_release(&bayes->search);
    impute_release(&bayes->impute);
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
                                      .value = value,
                                      .latest = value};
        return true;
    }
    return false;
}

/* Another search in place of the one that was told otherwise. */
static enum status tell_anew(struct bayes *bayes, struct err *err)
{
    search_release(&bayes->search);
    TRY(search_init(&bayes->search, method_of(bayes->spec), bayes_space_dims(bayes->space), bayes->seed,
                    err));
    return impute_tell_all(&bayes->impute, &bayes->search, err);
}

static double worth_of(const struct bayes *bayes, double value)
{
    double sign = bayes->spec->metric.goal == SPEC_GOAL_MAXIMIZE ? 1 : -1;
    return isfinite(value) ? sign * value : NAN;
}

static enum status add_result(struct bayes *bayes, const double *point, const struct bayes_outcome *outcome,
                              struct err *err)
{
    const struct impute_run run = {.point = point,
                                   .failed = outcome->failed,
                                   .best = worth_of(bayes, outcome->value),
                                   .latest = worth_of(bayes, outcome->latest)};
    if (outcome->withdrawn && isnan(run.best))
        return STATUS_OK;
    struct impute_answer answer;
    TRY(impute_add(&bayes->impute, &run, &answer, err));
    bayes->results++;
    if (answer.is_real)
        bayes->best = fmax(bayes->best, answer.worth);
    if (answer.others_changed)
        return tell_anew(bayes, err);
    return bayes->search.method->tell(bayes->search.state, point, answer.worth, err);
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

/* Runs that have no result yet are none to speak of. */
static enum status pass_over(struct bayes *bayes, const struct bayes_outcome *outcome, const struct err *why)
{
    if (outcome->ended && bayes->passed_over++ == 0)
        (void)snprintf(bayes->passed_text, sizeof bayes->passed_text, "%s", why->text);
    return STATUS_OK;
}

enum status bayes_observe(struct bayes *bayes, const json_t *params, const struct bayes_outcome *outcome,
                          struct err *err)
{
    struct err why = ERR_INIT;
    enum status status = bayes_space_adopt(bayes->space, params, bayes->point, &why);
    if (status == STATUS_INVALID)
        return pass_over(bayes, outcome, &why);
    if (status != STATUS_OK)
        return err_set(err, status, "%s", why.text);
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
    return sizeof *bayes + bayes_space_bytes(bayes->space) + bayes->capacity * row +
           (bayes->results + 16) * 2 * (row + 4 * sizeof(double)) + impute_bytes(&bayes->impute) +
           bayes->search.method->bytes(bayes->search.state);
}

/* ---- asking ---- */

static enum status tell_why(const struct bayes *bayes, const struct search_report *report, bool as_worst,
                            struct suggestion *item, struct err *err)
{
    const struct bayes_why why = {.space = bayes->space,
                                  .optimizer = bayes->search.method->name,
                                  .report = report,
                                  .maximize = bayes->spec->metric.goal == SPEC_GOAL_MAXIMIZE,
                                  .seed = bayes->seed,
                                  .ordinal = item->ordinal,
                                  .results = bayes->results,
                                  .pending = bayes->pending,
                                  .imputed = bayes->impute.imputed,
                                  .imputed_running = as_worst ? bayes->pending : 0,
                                  .passed_over = bayes->passed_over,
                                  .passed_text = bayes->passed_text,
                                  .best = bayes->best};
    item->why = bayes_why_json(&why);
    return item->why != NULL ? STATUS_OK : err_set(err, STATUS_NO_MEMORY, "bayes: out of memory");
}

/* Notes as pending what the item's configuration says, rounded to what its parameters can be. */
static enum status hand_out(struct bayes *bayes, const struct suggestion *item, struct err *err)
{
    TRY(bayes_space_to_point(bayes->space, item->params, bayes->point, err));
    return add_pending(bayes, bayes->point, item->ordinal, err);
}

/* Asks `search`, made here, that was told of pending runs as of the worst ones. */
static enum status suggest_as_if_ended(struct bayes *bayes, struct search *search, uint64_t ordinal,
                                       struct search_report *report, struct err *err)
{
    const struct optim_question question = {.ordinal = ordinal};
    TRY(search_init(search, method_of(bayes->spec), bayes_space_dims(bayes->space), bayes->seed, err));
    TRY(impute_tell_all(&bayes->impute, search, err));
    for (size_t i = 0; i < bayes->pending; i++)
        TRY(search->method->tell(search->state, bayes->points + i * bayes->dims, impute_worst(&bayes->impute),
                                 err));
    return search->method->suggest(search->state, &question, bayes->point, report, err);
}

/* Leaves `aside` to be released, once the report is used up. */
static enum status suggest_point(struct bayes *bayes, struct suggestion *item, struct search *aside,
                                 bool *exhausted, struct err *err)
{
    struct search_report report;
    bool as_worst = bayes->impute.pending_as_worst && bayes->pending > 0;
    const struct optim_question question = {
        .ordinal = (uint64_t)item->ordinal, .pending = bayes->points, .pending_count = bayes->pending};
    if (as_worst)
        TRY(suggest_as_if_ended(bayes, aside, question.ordinal, &report, err));
    else
        TRY(bayes->search.method->suggest(bayes->search.state, &question, bayes->point, &report, err));
    *exhausted = report.exhausted;
    if (*exhausted)
        return STATUS_OK;
    TRY(bayes_space_to_params(bayes->space, bayes->point, &item->params, err));
    TRY(space_config_hash(item->params, item->config_hash, err));
    return tell_why(bayes, &report, as_worst, item, err);
}

enum status bayes_ask(struct bayes *bayes, struct suggestion *item, bool *exhausted, struct err *err)
{
    struct search aside = {.method = NULL};
    int64_t index = item->ordinal - bayes->begin_ordinal;
    *exhausted = false;
    if (index >= 0 && (uint64_t)index < enqueue_count(bayes->spec)) {
        TRY(enqueue_fill(bayes->spec, bayes->seed, (size_t)index, item, err));
        return hand_out(bayes, item, err);
    }
    enum status status = suggest_point(bayes, item, &aside, exhausted, err);
    search_release(&aside);
    if (status != STATUS_OK || *exhausted)
        return status;
    return hand_out(bayes, item, err);
}
