// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/suggestion/survey.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/store/results.h"
#include "db/store/sweeps.h"
#include "optim/rank.h"
#include "services/suggestion/bayes.h"
#include "services/suggestion/bayes_space.h"

#define SINGLE_RUNS "none" /* method of a project's runs outside any search */

struct survey {
    const struct cached_spec *held; /* of the cache */
    int32_t version;                /* of the spec */
    int64_t cursor, digest;         /* of the results that it was told */
    struct bayes_space *space;      /* owned */
    size_t dims;
    double *points;           /* owned; settled, as rows */
    double *values;           /* owned; in the metric's unit */
    char (*run_ids)[ID_SIZE]; /* owned */
    size_t count, capacity, left_out;
    /* What was made of these results. */
    bool fitted, computed;
    struct arena arena; /* owns the arrays of the rest */
    struct surface surface;
    struct importance importance;
    double *correlations;
    size_t *runs;
};

void survey_free(struct survey *survey, struct spec_cache *specs)
{
    if (survey == NULL)
        return;
    bayes_space_free(survey->space);
    arena_free(&survey->arena);
    free(survey->points);
    free(survey->values);
    free(survey->run_ids);
    if (survey->held != NULL)
        spec_cache_release(specs, survey->held);
    free(survey);
}

size_t survey_bytes(const struct survey *survey)
{
    size_t row = survey->dims * sizeof(double);
    return sizeof *survey + bayes_space_bytes(survey->space) +
           survey->capacity * (row + sizeof(double) + ID_SIZE) + survey->arena.used;
}

struct bayes_space *survey_space(const struct survey *survey)
{
    return survey->space;
}

const struct spec *survey_spec(const struct survey *survey)
{
    return survey->held->spec;
}

size_t survey_count(const struct survey *survey)
{
    return survey->count;
}

const double *survey_point(const struct survey *survey, size_t index)
{
    return survey->points + index * survey->dims;
}

static bool maximises(const struct survey *survey)
{
    return survey->held->spec->metric.goal == SPEC_GOAL_MAXIMIZE;
}

/* ---- results ---- */

static enum status make_room(struct survey *survey, struct err *err)
{
    if (survey->count < survey->capacity)
        return STATUS_OK;
    size_t capacity = survey->capacity == 0 ? 64 : survey->capacity * 2;
    double *points = realloc(survey->points, capacity * survey->dims * sizeof *points);
    if (points != NULL)
        survey->points = points;
    double *values = realloc(survey->values, capacity * sizeof *values);
    if (values != NULL)
        survey->values = values;
    char(*run_ids)[ID_SIZE] = realloc(survey->run_ids, capacity * sizeof *run_ids);
    if (run_ids != NULL)
        survey->run_ids = run_ids;
    if (points == NULL || values == NULL || run_ids == NULL)
        return err_set(err, STATUS_NO_MEMORY, "survey: out of memory");
    survey->capacity = capacity;
    return STATUS_OK;
}

/* *counts: it is a point of the space with a value. */
static enum status to_point(struct survey *survey, const struct store_result *result, double *out,
                            bool *counts, struct err *err)
{
    struct bayes_outcome outcome;
    *counts = bayes_outcome_of(result->state, result->objective, &outcome) && outcome.ended &&
              !outcome.failed && isfinite(outcome.value);
    if (!*counts)
        return STATUS_OK;
    json_t *params = json_loads(result->params_json, 0, NULL);
    if (params == NULL)
        return err_set(err, STATUS_INTERNAL, "stored parameters are no JSON");
    enum status status = bayes_space_adopt(survey->space, params, out, err);
    json_decref(params);
    *counts = status == STATUS_OK;
    return status == STATUS_INVALID ? STATUS_OK : status;
}

static enum status tell(struct survey *survey, const struct store_result *results, size_t count,
                        struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        bool counts = false;
        TRY(make_room(survey, err));
        TRY(to_point(survey, &results[i], survey->points + survey->count * survey->dims, &counts, err));
        survey->left_out += !counts;
        if (!counts)
            continue;
        survey->values[survey->count] = results[i].objective;
        (void)snprintf(survey->run_ids[survey->count++], ID_SIZE, "%s", results[i].run_id);
    }
    return STATUS_OK;
}

/* ---- reading ---- */

struct reading {
    const struct survey *survey; /* NULL: everything is new */
    const char *sweep_id;
    struct store_sweep sweep;
    bool anew;
    struct store_result *results;
    size_t result_count;
    int64_t cursor, digest;
};

static enum status read_sweep(struct store_tx *tx, void *context, struct err *err)
{
    struct reading *reading = context;
    return store_get_sweep(tx, reading->sweep_id, false, &reading->sweep, err);
}

static enum status read_results(struct store_tx *tx, void *context, struct err *err)
{
    struct reading *reading = context;
    const struct survey *survey = reading->survey;
    int64_t digest = 0;
    reading->anew = survey == NULL;
    if (survey != NULL) {
        TRY(store_digest_results(tx, reading->sweep_id, survey->cursor, &digest, err));
        reading->anew = digest != survey->digest;
    }
    reading->cursor = reading->anew ? 0 : survey->cursor;
    TRY(store_list_results(tx, reading->sweep_id, reading->cursor, INT64_MAX, &reading->results,
                           &reading->result_count, err));
    if (reading->result_count > 0)
        reading->cursor = reading->results[reading->result_count - 1].number;
    return store_digest_results(tx, reading->sweep_id, reading->cursor, &reading->digest, err);
}

static enum status check_spec(const struct spec *spec, struct err *err)
{
    if (space_searched_count(spec->space) == 0)
        return err_set(err, STATUS_PRECONDITION, "the sweep searches no parameter");
    if (spec->metric.name == NULL)
        return err_set(err, STATUS_PRECONDITION, "the sweep's file names no metric");
    return STATUS_OK;
}

/* Takes `held` over, also when it fails. */
static enum status make(const struct cached_spec *held, struct spec_cache *specs, int32_t version,
                        struct survey **out, struct err *err)
{
    struct survey *survey = calloc(1, sizeof *survey);
    if (survey == NULL) {
        spec_cache_release(specs, held);
        return err_set(err, STATUS_NO_MEMORY, "survey: out of memory");
    }
    survey->held = held;
    survey->version = version;
    survey->arena = arena_make(0);
    enum status status = check_spec(held->spec, err);
    if (status == STATUS_OK)
        status = bayes_space_new(held->spec->space, &survey->space, err);
    if (status == STATUS_OK)
        survey->dims = bayes_space_dims(survey->space)->count;
    *out = status == STATUS_OK ? survey : NULL;
    if (status != STATUS_OK)
        survey_free(survey, specs);
    return status;
}

static enum status make_anew(struct survey **survey, const struct survey_source *source, const char *sweep_id,
                             int32_t version, struct err *err)
{
    const struct cached_spec *held = NULL;
    survey_free(*survey, source->specs);
    *survey = NULL;
    TRY(spec_cache_get(source->specs, sweep_id, version, &held, err));
    return make(held, source->specs, version, survey, err);
}

static enum status update(struct survey **survey, const struct survey_source *source, const char *sweep_id,
                          struct arena *arena, struct err *err)
{
    struct reading reading = {.sweep_id = sweep_id};
    TRY(store_read(source->store, arena, read_sweep, &reading, err));
    int32_t version = reading.sweep.spec_version;
    if (strcmp(reading.sweep.method, SINGLE_RUNS) == 0)
        return err_set(err, STATUS_PRECONDITION, "single runs have no space to learn about");
    reading.survey = *survey != NULL && (*survey)->version == version ? *survey : NULL;
    TRY(store_read(source->store, arena, read_results, &reading, err));
    if (reading.anew || *survey == NULL)
        TRY(make_anew(survey, source, sweep_id, version, err));
    struct survey *told = *survey;
    if (reading.anew || reading.result_count > 0) {
        told->fitted = told->computed = false;
        arena_reset(&told->arena);
    }
    TRY(tell(told, reading.results, reading.result_count, err));
    told->cursor = reading.cursor;
    told->digest = reading.digest;
    return STATUS_OK;
}

enum status survey_update(struct survey **survey, const struct survey_source *source, const char *sweep_id,
                          struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    enum status status = update(survey, source, sweep_id, &arena, err);
    if (status != STATUS_OK) {
        survey_free(*survey, source->specs);
        *survey = NULL;
    }
    return status;
}

/* ---- the model ---- */

static enum status fit(struct survey *survey, struct err *err)
{
    const struct surface_input input = {.space = bayes_space_dims(survey->space),
                                        .points = survey->points,
                                        .values = survey->values,
                                        .count = survey->count,
                                        .seed = survey->held->seed};
    size_t least = surface_least(survey->dims);
    if (survey->fitted)
        return STATUS_OK;
    if (survey->count < least)
        return err_set(err, STATUS_PRECONDITION, "needs at least %zu finished runs with a value, has %zu",
                       least, survey->count);
    arena_reset(&survey->arena); /* of an attempt that failed */
    TRY(surface_fit(&input, &survey->surface, &survey->arena, err));
    survey->fitted = true;
    return STATUS_OK;
}

/* ---- importance ---- */

/* Pearson's correlation of one parameter's values with the metric, over the runs of the model that have it.
 */
static void correlate(struct survey *survey, size_t dim, json_t *const *configs, double *x, double *y)
{
    const struct space *space = survey->held->spec->space;
    size_t parameter = bayes_space_parameter(survey->space, dim), count = 0;
    bool numbers = true;
    for (size_t k = 0; k < survey->surface.count; k++) {
        const json_t *value = space_config_get(space, parameter, configs[k]);
        if (value == NULL)
            continue;
        numbers = numbers && json_is_number(value);
        x[count] = json_number_value(value);
        y[count++] = survey->values[survey->surface.used[k]];
    }
    survey->runs[dim] = count;
    survey->correlations[dim] = numbers ? importance_correlation(x, y, count) : NAN;
}

static enum status correlate_all(struct survey *survey, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    size_t n = survey->surface.count;
    json_t **configs = arena_calloc(&arena, n + 1, sizeof(json_t *));
    double *x = arena_alloc(&arena, (n + 1) * sizeof *x);
    double *y = arena_alloc(&arena, (n + 1) * sizeof *y);
    if (configs == NULL || x == NULL || y == NULL)
        return err_set(err, STATUS_NO_MEMORY, "survey: out of memory");
    enum status status = STATUS_OK;
    for (size_t k = 0; k < n && status == STATUS_OK; k++)
        status = bayes_space_to_params(survey->space, survey_point(survey, survey->surface.used[k]),
                                       &configs[k], err);
    for (size_t i = 0; i < survey->dims && status == STATUS_OK; i++)
        correlate(survey, i, configs, x, y);
    for (size_t k = 0; k < n; k++)
        json_decref(configs[k]);
    return status;
}

static enum status compute(struct survey *survey, struct err *err)
{
    survey->correlations = arena_calloc(&survey->arena, survey->dims, sizeof *survey->correlations);
    survey->runs = arena_calloc(&survey->arena, survey->dims, sizeof *survey->runs);
    if (survey->correlations == NULL || survey->runs == NULL)
        return err_set(err, STATUS_NO_MEMORY, "survey: out of memory");
    TRY(importance_compute(&survey->surface, &survey->importance, &survey->arena, err));
    TRY(correlate_all(survey, err));
    survey->computed = true;
    return STATUS_OK;
}

enum status survey_importance(struct survey *survey, struct survey_importance *out, struct err *err)
{
    TRY(fit(survey, err));
    if (!survey->computed)
        TRY(compute(survey, err));
    *out = (struct survey_importance){.surface = &survey->surface,
                                      .importance = &survey->importance,
                                      .correlations = survey->correlations,
                                      .runs = survey->runs,
                                      .count = survey->count,
                                      .left_out = survey->left_out};
    return STATUS_OK;
}

/* ---- predictions ---- */

enum status survey_predict(struct survey *survey, const double *points, size_t count, double *means,
                           double *deviations, struct err *err)
{
    TRY(fit(survey, err));
    return surface_predict(&survey->surface, points, count, means, deviations, err);
}

/* Best values first. */
static struct ranked *rank(const struct survey *survey, struct arena *arena)
{
    double sign = maximises(survey) ? 1 : -1;
    struct ranked *order = arena_alloc(arena, (survey->count + 1) * sizeof *order);
    for (size_t i = 0; i < survey->count && order != NULL; i++)
        order[i] = (struct ranked){.value = sign * survey->values[i], .index = i};
    if (order != NULL)
        rank_sort(order, survey->count);
    return order;
}

static struct survey_run run_of(const struct survey *survey, size_t index, double mean, double deviation)
{
    return (struct survey_run){.run_id = survey->run_ids[index],
                               .observed = survey->values[index],
                               .mean = mean,
                               .deviation = deviation};
}

enum status survey_recommend(struct survey *survey, struct survey_run *recommended, struct survey_run *best,
                             size_t *recommended_index, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    size_t count = survey->count < SURVEY_CANDIDATES ? survey->count : SURVEY_CANDIDATES;
    double sign = maximises(survey) ? 1 : -1;
    const struct ranked *order = rank(survey, &arena);
    double *points = arena_alloc(&arena, (count + 1) * survey->dims * sizeof *points);
    double *means = arena_alloc(&arena, (count + 1) * sizeof *means);
    double *deviations = arena_alloc(&arena, (count + 1) * sizeof *deviations);
    if (order == NULL || points == NULL || means == NULL || deviations == NULL)
        return err_set(err, STATUS_NO_MEMORY, "survey: out of memory");
    for (size_t k = 0; k < count; k++)
        memcpy(points + k * survey->dims, survey_point(survey, order[k].index),
               survey->dims * sizeof *points);
    TRY(survey_predict(survey, points, count, means, deviations, err));
    size_t chosen = 0;
    for (size_t k = 1; k < count; k++)
        if (sign * means[k] > sign * means[chosen])
            chosen = k;
    *recommended_index = order[chosen].index;
    *recommended = run_of(survey, order[chosen].index, means[chosen], deviations[chosen]);
    *best = run_of(survey, order[0].index, means[0], deviations[0]);
    return STATUS_OK;
}
