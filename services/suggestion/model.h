/*
 * The model of one Bayesian sweep, kept between requests: it is told the
 * results that are new since, or all of them when it does not fit any more
 * (another version of the spec, an older cursor, a result that changed). What
 * it suggests is a function of spec, seed, results up to the cursor, runs
 * without one, and ordinal, however it came about. One thread at a time.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SUGGESTION_MODEL_H
#define BESOM_SERVICES_SUGGESTION_MODEL_H

#include "db/store/store.h"
#include "services/suggestion/bayes.h"
#include "services/suggestion/rung_budget.h"
#include "services/suggestion/spec_cache.h"
#include "services/suggestion/survey.h"

/* Zeroed: empty. Of a job that is aside, a survey and nothing else. */
struct model {
    struct bayes *bayes;            /* owned; NULL = empty */
    const struct cached_spec *held; /* of the cache; what bayes was made from */
    int32_t version;                /* of the spec */
    int64_t cursor;                 /* number of the last result (or rung value) that it was told */
    int64_t digest;                 /* of those up to it */
    struct rung_budget budget;      /* of a spec that learns from rungs: what its values are of */
    struct survey *survey;          /* owned; NULL = none */
};

struct model_source {
    struct store *store;
    struct spec_cache *specs;
};

struct model_question {
    const char *sweep_id;
    int32_t spec_version;
    int64_t first_ordinal;
    int64_t result_cursor, rung_cursor; /* the second counts where the spec learns from rungs */
    int32_t count;                      /* 1..SUGGEST_COUNT_MAX */
};

/* Ordinals of one question count as pending for those after it. After a failure the model is empty. */
enum status model_suggest(struct model *model, const struct model_source *source,
                          const struct model_question *question, struct suggest_batch *out,
                          struct err *err) MUST_USE;

/* Makes it empty: the next question builds it anew. */
void model_clear(struct model *model, struct spec_cache *specs);
bool model_is_empty(const struct model *model);
/* About what it takes. */
size_t model_bytes(const struct model *model);

#endif
