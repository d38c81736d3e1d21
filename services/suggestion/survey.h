/*
 * What the results of a sweep say about its whole space, whatever method made
 * them: for importance, predictions and the run that the model holds best. Kept
 * between questions and told what is new; another version of the spec, or a
 * result that changed, makes it anew. Apart from the model that suggests, so a
 * question here changes no suggestion. One thread at a time.
 *
 * Runs that finished or were stopped with a value count. Runs without one, failed
 * ones, and such as are no point of the present space are left out, as are runs
 * of other sweeps.
 *
 * Its model is not the one that suggests, which stretches values near the best
 * and flattens the others: lib/optim/surface.h has values as they are.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SUGGESTION_SURVEY_H
#define BESOM_SERVICES_SUGGESTION_SURVEY_H

#include "base/id.h"
#include "db/store/store.h"
#include "optim/importance.h"
#include "services/suggestion/spec_cache.h"

struct survey;

struct survey_source {
    struct store *store;
    struct spec_cache *specs;
};

/* Brings *survey to all results there are; NULL makes one. NOT_FOUND; PRECONDITION: a sweep that has no
 * metric, or searches nothing. After a failure *survey is NULL. */
enum status survey_update(struct survey **survey, const struct survey_source *source, const char *sweep_id,
                          struct err *err) MUST_USE;
/* NULL is fine. */
void survey_free(struct survey *survey, struct spec_cache *specs);
/* About what it takes. */
size_t survey_bytes(const struct survey *survey);

struct survey_importance {
    const struct surface *surface; /* owned by the survey until its next update, as the others */
    const struct importance *importance;
    const double *correlations; /* by dimension; NaN = none */
    const size_t *runs;         /* by dimension: those in the model that have the parameter */
    size_t count, left_out;     /* runs with a value, and without */
};
/* PRECONDITION: too few results, or they are all the same. Computed once for the same results. */
enum status survey_importance(struct survey *survey, struct survey_importance *out, struct err *err) MUST_USE;

struct survey_run {
    const char *run_id; /* owned by the survey until its next update */
    double observed, mean, deviation;
};
/* Of the runs with the SURVEY_CANDIDATES best values, the one whose predicted value is best, and the best
 * observed one. PRECONDITION: too few results. */
#define SURVEY_CANDIDATES 256
enum status survey_recommend(struct survey *survey, struct survey_run *recommended, struct survey_run *best,
                             size_t *recommended_index, struct err *err) MUST_USE;

/* For predictions: means and deviations of settled points in the metric's unit. PRECONDITION: too few
 * results. */
enum status survey_predict(struct survey *survey, const double *points, size_t count, double *means,
                           double *deviations, struct err *err) MUST_USE;

struct bayes_space *survey_space(const struct survey *survey);
const struct spec *survey_spec(const struct survey *survey);
/* Runs with a value; the settled point of one. */
size_t survey_count(const struct survey *survey);
const double *survey_point(const struct survey *survey, size_t index);

#endif
