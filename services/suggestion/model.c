// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/suggestion/model.h"

#include <stdlib.h>
#include <string.h>

#include "db/store/results.h"
#include "services/suggestion/metrics.h"

void model_clear(struct model *model, struct spec_cache *specs)
{
    bayes_free(model->bayes);
    survey_free(model->survey, specs);
    if (model->held != NULL)
        spec_cache_release(specs, model->held);
    *model = (struct model){.bayes = NULL};
}

bool model_is_empty(const struct model *model)
{
    return model->bayes == NULL && model->survey == NULL;
}

size_t model_bytes(const struct model *model)
{
    return (model->bayes != NULL ? bayes_bytes(model->bayes) : 0) +
           (model->survey != NULL ? survey_bytes(model->survey) : 0);
}

/* What one snapshot says. */
struct reading {
    const struct model *model;
    const struct model_question *question;
    const struct spec *spec;
    bool by_rungs;
    int64_t cursor;            /* of results, or of rung values */
    struct rung_budget budget; /* by_rungs only */
    bool rebuild;
    struct store_result *prior, *results;
    size_t prior_count, result_count;
    const char **open;
    size_t open_count;
    int64_t digest;
};

static enum status digest(struct store_tx *tx, const struct reading *reading, int64_t until, int64_t *out,
                          struct err *err)
{
    return (reading->by_rungs ? store_digest_budgets : store_digest_results)(tx, reading->question->sweep_id,
                                                                             until, out, err);
}

static enum status must_rebuild(struct store_tx *tx, struct reading *reading, struct err *err)
{
    const struct model *model = reading->model;
    int64_t known = 0;
    reading->rebuild = model->bayes == NULL || model->cursor > reading->cursor ||
                       (reading->by_rungs && model->budget.band_index != reading->budget.band_index);
    if (reading->rebuild)
        return STATUS_OK;
    TRY(digest(tx, reading, model->cursor, &known, err));
    reading->rebuild = known != model->digest;
    return STATUS_OK;
}

static enum status read_results(struct store_tx *tx, struct reading *reading, struct err *err)
{
    const char *sweep_id = reading->question->sweep_id;
    int64_t after = reading->rebuild ? 0 : reading->model->cursor, ordinal = reading->question->first_ordinal;
    TRY(store_list_results(tx, sweep_id, after, reading->cursor, &reading->results, &reading->result_count,
                           err));
    return store_list_open_params(tx, sweep_id, ordinal, reading->cursor, &reading->open,
                                  &reading->open_count, err);
}

static enum status read_rung_values(struct store_tx *tx, struct reading *reading, struct err *err)
{
    const char *sweep_id = reading->question->sweep_id;
    int64_t after = reading->rebuild ? 0 : reading->model->cursor, ordinal = reading->question->first_ordinal;
    int32_t band_index = reading->budget.band_index;
    TRY(store_list_budget_results(tx, sweep_id, after, reading->cursor, band_index, &reading->results,
                                  &reading->result_count, err));
    return store_list_open_budget_params(tx, sweep_id, ordinal, reading->cursor, band_index, &reading->open,
                                         &reading->open_count, err);
}

static enum status read_history(struct store_tx *tx, void *context, struct err *err)
{
    struct reading *reading = context;
    const struct model_question *question = reading->question;
    if (reading->by_rungs)
        TRY(rung_budget_choose(tx, question->sweep_id, reading->spec, reading->cursor, &reading->budget,
                               err));
    TRY(must_rebuild(tx, reading, err));
    reading->prior_count = 0;
    if (reading->rebuild && (!reading->by_rungs || reading->budget.band_index == STORE_WHOLE_RUNS))
        TRY(store_list_prior_runs(tx, question->sweep_id, &reading->prior, &reading->prior_count, err));
    TRY(digest(tx, reading, reading->cursor, &reading->digest, err));
    return (reading->by_rungs ? read_rung_values : read_results)(tx, reading, err);
}

static enum status observe(struct bayes *bayes, const char *params_json, const struct bayes_outcome *outcome,
                           struct err *err)
{
    json_t *params = json_loads(params_json, 0, NULL);
    if (params == NULL)
        return err_set(err, STATUS_INTERNAL, "stored parameters are no JSON");
    enum status status = bayes_observe(bayes, params, outcome, err);
    json_decref(params);
    return status;
}

static enum status tell(struct bayes *bayes, const struct store_result *results, size_t count,
                        struct err *err)
{
    struct bayes_outcome outcome;
    for (size_t i = 0; i < count; i++)
        if (bayes_outcome_of(results[i].state, results[i].objective, &outcome) && outcome.ended) {
            if (results[i].run_id != NULL) /* of a prior run nobody kept the last value */
                outcome.latest = results[i].latest;
            TRY(observe(bayes, results[i].params_json, &outcome, err));
        }
    return STATUS_OK;
}

/* Brings the model to the question's cursor, and to what is pending there. */
static enum status learn(struct model *model, const struct reading *reading, struct err *err)
{
    static const struct bayes_outcome pending = {.ended = false};
    bayes_forget_pending(model->bayes);
    TRY(tell(model->bayes, reading->prior, reading->prior_count, err));
    TRY(tell(model->bayes, reading->results, reading->result_count, err));
    if (reading->rebuild || reading->result_count > 0)
        metric_add(&suggestion_metrics[SUGGESTION_LEARNED], 0, 1);
    if (reading->rebuild)
        metric_add(&suggestion_metrics[SUGGESTION_REBUILT], 0, 1);
    model->cursor = reading->cursor;
    model->digest = reading->digest;
    model->budget = reading->budget;
    for (size_t i = 0; i < reading->open_count; i++)
        TRY(observe(model->bayes, reading->open[i], &pending, err));
    return STATUS_OK;
}

/* Where it learns from rungs, the reason says from which. */
static enum status tell_budget(const struct model *model, const struct suggestion *item, struct err *err)
{
    const struct spec *spec = model->held->spec;
    if (!spec_learns_rungs(spec))
        return STATUS_OK;
    json_t *budget = rung_budget_json(&model->budget, spec);
    if (budget == NULL || json_object_set_new(item->why, "budget", budget) != 0)
        return err_set(err, STATUS_NO_MEMORY, "suggesting: out of memory");
    return STATUS_OK;
}

static enum status ask(struct model *model, const struct model_question *question, struct suggest_batch *out,
                       struct err *err)
{
    out->items = calloc((size_t)question->count, sizeof *out->items);
    if (out->items == NULL)
        return err_set(err, STATUS_NO_MEMORY, "suggesting: out of memory");
    while (out->count < (size_t)question->count && !out->exhausted) {
        struct suggestion *item = &out->items[out->count];
        item->ordinal = question->first_ordinal + (int64_t)out->count;
        out->count++;
        TRY(bayes_ask(model->bayes, item, &out->exhausted, err));
        if (out->exhausted)
            out->count--;
        else
            TRY(tell_budget(model, item, err));
    }
    return STATUS_OK;
}

/* Empties the model when it is of another version of the spec. */
static enum status hold_spec(struct model *model, const struct model_source *source,
                             const struct model_question *question, const struct cached_spec **out,
                             struct err *err)
{
    TRY(spec_cache_get(source->specs, question->sweep_id, question->spec_version, out, err));
    if (model->bayes != NULL && model->version != question->spec_version)
        model_clear(model, source->specs);
    return STATUS_OK;
}

static enum status prepare(struct model *model, const struct model_source *source,
                           const struct model_question *question, struct err *err)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct reading reading = {.model = model, .question = question};
    const struct cached_spec *held = NULL;
    TRY(hold_spec(model, source, question, &held, err));
    reading.spec = held->spec;
    reading.by_rungs = spec_learns_rungs(held->spec);
    reading.cursor = reading.by_rungs ? question->rung_cursor : question->result_cursor;
    enum status status =
        question->first_ordinal >= held->begin_ordinal
            ? store_read(source->store, &arena, read_history, &reading, err)
            : err_set(err, STATUS_INVALID, "first_ordinal is before the first of the spec's version");
    if (status == STATUS_OK && reading.rebuild) {
        model_clear(model, source->specs);
        status = bayes_new(held->spec, held->seed, held->begin_ordinal, &model->bayes, err);
    }
    if (status == STATUS_OK && model->held == NULL) {
        model->held = held;
        model->version = question->spec_version;
        held = NULL;
    }
    if (held != NULL)
        spec_cache_release(source->specs, held);
    return status == STATUS_OK ? learn(model, &reading, err) : status;
}

enum status model_suggest(struct model *model, const struct model_source *source,
                          const struct model_question *question, struct suggest_batch *out, struct err *err)
{
    *out = (struct suggest_batch){0};
    if (question->count < 1 || question->count > SUGGEST_COUNT_MAX || question->result_cursor < 0 ||
        question->rung_cursor < 0)
        return err_set(err, STATUS_INVALID, "count must be 1 to %d and cursors at least 0",
                       SUGGEST_COUNT_MAX);
    if (question->first_ordinal > INT64_MAX - question->count)
        return err_set(err, STATUS_INVALID, "first_ordinal is beyond the last one");
    enum status status = prepare(model, source, question, err);
    if (status == STATUS_OK)
        status = ask(model, question, out, err);
    if (status != STATUS_OK) {
        suggest_batch_free(out);
        model_clear(model, source->specs);
    }
    return status;
}
