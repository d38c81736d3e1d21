// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/suggestion/looks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "besom/v1/suggestion_service.pb-c.h"
#include "db/store/runs.h"
#include "services/suggestion/bayes_space.h"
#include "services/suggestion/handler.h"
#include "services/suggestion/slice.h"

struct look;
typedef enum status look_answer(const struct look *look, struct survey *survey,
                                const ProtobufCMessage **response, struct err *err);

struct look {
    struct model_job job; /* first */
    struct rpc_call *call;
    struct store *store; /* set when it runs */
    struct arena *arena; /* of the call, in which this is */
    const char *sweep_id;
    const void *request;
    look_answer *answer;
};

static enum status no_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "looking: out of memory");
}

/* An initialised message; NULL without memory. */
static void *make(struct arena *arena, const ProtobufCMessageDescriptor *descriptor)
{
    void *message = arena_alloc(arena, descriptor->sizeof_message);
    if (message != NULL)
        protobuf_c_message_init(descriptor, message);
    return message;
}

/* ---- ComputeImportance ---- */

static Besom__V1__EffectShare *message_of_effect(struct arena *arena, const struct importance_effect *effect)
{
    Besom__V1__EffectShare *message = make(arena, &besom__v1__effect_share__descriptor);
    if (message == NULL)
        return NULL;
    message->value = effect->value;
    message->low = effect->low;
    message->high = effect->high;
    return message;
}

static Besom__V1__ParameterImportance *message_of_parameter(struct arena *arena, const struct survey *survey,
                                                            const struct survey_importance *found, size_t dim)
{
    Besom__V1__ParameterImportance *message = make(arena, &besom__v1__parameter_importance__descriptor);
    if (message == NULL)
        return NULL;
    message->path = arena_strdup(arena, bayes_space_path(survey_space(survey), dim));
    message->total = message_of_effect(arena, &found->importance->total[dim]);
    message->first_order = message_of_effect(arena, &found->importance->first[dim]);
    message->has_correlation = isfinite(found->correlations[dim]);
    message->correlation = message->has_correlation ? found->correlations[dim] : 0;
    message->runs = (int64_t)found->runs[dim];
    bool whole = message->path != NULL && message->total != NULL && message->first_order != NULL;
    return whole ? message : NULL;
}

static int compare_parameters(const void *a, const void *b)
{
    const Besom__V1__ParameterImportance *x = *(Besom__V1__ParameterImportance *const *)a;
    const Besom__V1__ParameterImportance *y = *(Besom__V1__ParameterImportance *const *)b;
    if (x->total->value != y->total->value)
        return x->total->value > y->total->value ? -1 : 1;
    return strcmp(x->path, y->path);
}

static enum status answer_importance(const struct look *look, struct survey *survey,
                                     const ProtobufCMessage **out, struct err *err)
{
    struct survey_importance found;
    size_t dims = bayes_space_dims(survey_space(survey))->count;
    Besom__V1__ComputeImportanceResponse *response =
        make(look->arena, &besom__v1__compute_importance_response__descriptor);
    Besom__V1__Importance *message = make(look->arena, &besom__v1__importance__descriptor);
    TRY(survey_importance(survey, &found, err));
    if (response == NULL || message == NULL)
        return no_memory(err);
    message->parameters = arena_calloc(look->arena, dims, sizeof(*message->parameters));
    for (size_t i = 0; i < dims && message->parameters != NULL; i++) {
        message->parameters[i] = message_of_parameter(look->arena, survey, &found, i);
        if (message->parameters[i] == NULL)
            return no_memory(err);
        message->n_parameters++;
    }
    if (message->parameters == NULL || message->n_parameters != dims)
        return no_memory(err);
    qsort(message->parameters, dims, sizeof(*message->parameters), compare_parameters);
    message->runs = (int64_t)found.count;
    message->runs_used = (int64_t)found.surface->count;
    message->runs_left_out = (int64_t)found.left_out;
    message->runs_bounded = (int64_t)found.surface->bounded;
    message->explained = found.surface->explained;
    message->coverage = IMPORTANCE_COVERAGE;
    response->importance = message;
    *out = &response->base;
    return STATUS_OK;
}

/* ---- RecommendRun ---- */

static enum status answer_recommendation(const struct look *look, struct survey *survey,
                                         const ProtobufCMessage **out, struct err *err)
{
    struct survey_run run, best;
    size_t index = 0;
    Besom__V1__RecommendRunResponse *response =
        make(look->arena, &besom__v1__recommend_run_response__descriptor);
    Besom__V1__Recommendation *message = make(look->arena, &besom__v1__recommendation__descriptor);
    TRY(survey_recommend(survey, &run, &best, &index, err));
    if (response == NULL || message == NULL)
        return no_memory(err);
    message->run_id = arena_strdup(look->arena, run.run_id);
    message->mean = run.mean;
    message->deviation = run.deviation;
    message->observed = run.observed;
    message->best_run_id = arena_strdup(look->arena, best.run_id);
    message->best_mean = best.mean;
    message->best_deviation = best.deviation;
    message->best_observed = best.observed;
    message->runs = (int64_t)survey_count(survey);
    response->recommendation = message;
    *out = &response->base;
    return message->run_id != NULL && message->best_run_id != NULL ? STATUS_OK : no_memory(err);
}

/* ---- PredictSlice ---- */

struct reading {
    const char *sweep_id, *run_id;
    struct store_run run;
};

static enum status read_run(struct store_tx *tx, void *context, struct err *err)
{
    struct reading *reading = context;
    return store_get_run(tx, reading->sweep_id, reading->run_id, &reading->run, err);
}

/* What the others stand at. */
static enum status find_base(const struct look *look, struct survey *survey, double *base, char **run_id,
                             struct err *err)
{
    const Besom__V1__PredictSliceRequest *request = look->request;
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct reading reading = {.sweep_id = look->sweep_id, .run_id = request->base_run_id};
    const char *text = request->base_params_json;
    *run_id = request->base_run_id;
    if (*run_id[0] != '\0') {
        TRY(store_read(look->store, &arena, read_run, &reading, err));
        text = reading.run.params_json;
    } else if (text[0] == '\0') {
        struct survey_run run, best;
        size_t index = 0;
        TRY(survey_recommend(survey, &run, &best, &index, err));
        memcpy(base, survey_point(survey, index),
               bayes_space_dims(survey_space(survey))->count * sizeof *base);
        *run_id = arena_strdup(look->arena, run.run_id);
        return *run_id != NULL ? STATUS_OK : no_memory(err);
    }
    json_t *params = json_loads(text, 0, NULL);
    if (!json_is_object(params)) {
        json_decref(params);
        return err_set(err, STATUS_INVALID, "the base configuration is no JSON object");
    }
    enum status status = bayes_space_adopt(survey_space(survey), params, base, err);
    json_decref(params);
    return status == STATUS_OK ? status : err_context(err, "the base configuration");
}

static enum status copy_json(struct arena *arena, const json_t *value, char **out, struct err *err)
{
    char *text = space_config_text(value);
    *out = text == NULL ? NULL : arena_strdup(arena, text);
    free(text);
    return *out != NULL ? STATUS_OK : no_memory(err);
}

static enum status message_of_axis(struct arena *arena, const struct slice_axis *axis, const char *path,
                                   Besom__V1__SliceAxis **out, struct err *err)
{
    Besom__V1__SliceAxis *message = make(arena, &besom__v1__slice_axis__descriptor);
    if (message == NULL)
        return no_memory(err);
    message->path = arena_strdup(arena, path);
    message->categorical = axis->categorical;
    message->values_json = arena_calloc(arena, axis->count, sizeof(*message->values_json));
    if (message->path == NULL || message->values_json == NULL)
        return no_memory(err);
    for (size_t k = 0; k < axis->count; k++)
        TRY(copy_json(arena, axis->values[k], &message->values_json[message->n_values_json++], err));
    *out = message;
    return axis->base == NULL ? STATUS_OK : copy_json(arena, axis->base, &message->base_json, err);
}

static enum status message_of_slice(const struct look *look, const struct slice *slice,
                                    Besom__V1__Slice *message, struct err *err)
{
    const Besom__V1__PredictSliceRequest *request = look->request;
    message->axes = arena_calloc(look->arena, SLICE_AXES_MAX, sizeof(*message->axes));
    if (message->axes == NULL)
        return no_memory(err);
    for (size_t a = 0; a < slice->axis_count; a++, message->n_axes++)
        TRY(message_of_axis(look->arena, &slice->axes[a], request->paths[a], &message->axes[a], err));
    message->n_means = message->n_deviations = slice->count;
    message->means = slice->means;
    message->deviations = slice->deviations;
    return copy_json(look->arena, json_array_get(slice->configs, 0), &message->base_params_json, err);
}

static enum status answer_slice(const struct look *look, struct survey *survey, const ProtobufCMessage **out,
                                struct err *err)
{
    const Besom__V1__PredictSliceRequest *request = look->request;
    struct slice slice CLEANUP(slice_release) = {.configs = NULL};
    Besom__V1__PredictSliceResponse *response =
        make(look->arena, &besom__v1__predict_slice_response__descriptor);
    Besom__V1__Slice *message = make(look->arena, &besom__v1__slice__descriptor);
    double *base = arena_alloc(look->arena, bayes_space_dims(survey_space(survey))->count * sizeof *base);
    if (response == NULL || message == NULL || base == NULL)
        return no_memory(err);
    TRY(find_base(look, survey, base, &message->base_run_id, err));
    const struct slice_question question = {.paths = (const char *const *)request->paths,
                                            .path_count = request->n_paths,
                                            .points = request->points,
                                            .base = base};
    TRY(slice_predict(survey, &question, &slice, look->arena, err));
    TRY(message_of_slice(look, &slice, message, err));
    message->runs = (int64_t)survey_count(survey);
    response->slice = message;
    *out = &response->base;
    return STATUS_OK;
}

/* ---- jobs ---- */

static void fail(const struct look *look, const struct err *err)
{
    if (err->code != STATUS_PRECONDITION && err->code != STATUS_INVALID && err->code != STATUS_NOT_FOUND)
        log_warn("suggestion", "look_failed", LOG_TEXT("sweep", look->sweep_id), LOG_ERR(err));
    rpc_call_fail(look->call, err);
}

static void run_look(struct model_job *job, struct model *model, const struct model_source *source)
{
    struct look *look = (struct look *)(void *)job;
    const struct survey_source results = {.store = source->store, .specs = source->specs};
    const ProtobufCMessage *response = NULL;
    struct err err = ERR_INIT;
    look->store = source->store;
    enum status status = rpc_call_remaining_ms(look->call) > 0
                             ? survey_update(&model->survey, &results, look->sweep_id, &err)
                             : err_set(&err, STATUS_DEADLINE, "nobody waits for the answer any more");
    if (status == STATUS_OK)
        status = look->answer(look, model->survey, &response, &err);
    if (status == STATUS_OK)
        rpc_call_reply(look->call, response);
    else
        fail(look, &err);
}

static void submit(const struct suggestion_service *service, struct rpc_call *call, const char *sweep_id,
                   const void *request, look_answer *answer)
{
    struct arena *arena = rpc_call_arena(call);
    struct look *look = arena_calloc(arena, 1, sizeof *look);
    struct err err = ERR_INIT;
    const char *key = arena_printf(arena, "%s survey", sweep_id);
    if (look == NULL || key == NULL) {
        (void)no_memory(&err);
        rpc_call_fail(call, &err);
        return;
    }
    *look = (struct look){.job = {.sweep_id = key, .aside = true, .run = run_look},
                          .call = call,
                          .arena = arena,
                          .sweep_id = sweep_id,
                          .request = request,
                          .answer = answer};
    if (models_submit(service->models, &look->job, &err) != STATUS_OK)
        fail(look, &err);
}

void handle_compute_importance(void *context, struct rpc_call *call, const ProtobufCMessage *message)
{
    submit(context, call, ((const Besom__V1__ComputeImportanceRequest *)(const void *)message)->sweep_id,
           message, answer_importance);
}

void handle_predict_slice(void *context, struct rpc_call *call, const ProtobufCMessage *message)
{
    submit(context, call, ((const Besom__V1__PredictSliceRequest *)(const void *)message)->sweep_id, message,
           answer_slice);
}

void handle_recommend_run(void *context, struct rpc_call *call, const ProtobufCMessage *message)
{
    submit(context, call, ((const Besom__V1__RecommendRunRequest *)(const void *)message)->sweep_id, message,
           answer_recommendation);
}
