// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/suggestion/handler.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "besom/v1/suggestion_service.pb-c.h"
#include "services/common/roles.h"
#include "services/suggestion/looks.h"
#include "services/suggestion/method.h"
#include "services/suggestion/metrics.h"

#define ANSWER_BYTES (2u << 20) /* and one suggestion more; a message may have 4 MiB */

static enum status copy_text(struct arena *arena, const json_t *value, char **out, struct err *err)
{
    char *text = space_config_text(value);
    *out = text == NULL ? NULL : arena_strdup(arena, text);
    free(text);
    return *out != NULL ? STATUS_OK : err_set(err, STATUS_NO_MEMORY, "suggesting: out of memory");
}

static enum status encode(struct arena *arena, const struct suggestion *item, Besom__V1__Suggestion **out,
                          struct err *err)
{
    Besom__V1__Suggestion *message = arena_alloc(arena, sizeof *message);
    void *hash = arena_alloc(arena, SPACE_HASH_SIZE);
    if (message == NULL || hash == NULL)
        return err_set(err, STATUS_NO_MEMORY, "suggesting: out of memory");
    besom__v1__suggestion__init(message);
    memcpy(hash, item->config_hash, SPACE_HASH_SIZE);
    message->ordinal = item->ordinal;
    message->config_hash = (ProtobufCBinaryData){.len = SPACE_HASH_SIZE, .data = hash};
    *out = message;
    TRY(copy_text(arena, item->params, &message->params_json, err));
    return copy_text(arena, item->why, &message->why_json, err);
}

/* As many as a message carries; the caller asks for the others next. */
static enum status encode_batch(struct arena *arena, const struct suggest_batch *batch,
                                Besom__V1__SuggestResponse *response, struct err *err)
{
    size_t bytes = 0;
    response->suggestions = arena_calloc(arena, batch->count + 1, sizeof *response->suggestions);
    if (response->suggestions == NULL)
        return err_set(err, STATUS_NO_MEMORY, "suggesting: out of memory");
    for (size_t i = 0; i < batch->count && bytes < ANSWER_BYTES; i++) {
        TRY(encode(arena, &batch->items[i], &response->suggestions[i], err));
        bytes += protobuf_c_message_get_packed_size(&response->suggestions[i]->base);
        response->n_suggestions++;
    }
    response->exhausted = batch->exhausted && response->n_suggestions == batch->count;
    return STATUS_OK;
}

static void fail(struct rpc_call *call, const Besom__V1__SuggestRequest *request, const struct err *err)
{
    log_warn("suggestion", "suggest_failed", LOG_TEXT("sweep", request->sweep_id),
             LOG_INT("version", request->spec_version), LOG_INT("first_ordinal", request->first_ordinal),
             LOG_ERR(err));
    rpc_call_fail(call, err);
}

static void reply(struct rpc_call *call, const Besom__V1__SuggestRequest *request,
                  const struct suggest_batch *batch)
{
    Besom__V1__SuggestResponse response = BESOM__V1__SUGGEST_RESPONSE__INIT;
    struct err err = ERR_INIT;
    if (encode_batch(rpc_call_arena(call), batch, &response, &err) == STATUS_OK)
        rpc_call_reply(call, &response.base);
    else
        fail(call, request, &err);
}

/* ---- methods that learn: on a thread of the models ---- */

struct asking {
    struct model_job job; /* first */
    struct rpc_call *call;
    enum spec_method method;
    int64_t begun_us;
    const Besom__V1__SuggestRequest *request; /* in the call's arena, as this is */
};

static void run_asking(struct model_job *job, struct model *model, const struct model_source *source)
{
    const struct asking *asking = (const struct asking *)(const void *)job;
    const Besom__V1__SuggestRequest *request = asking->request;
    const struct model_question question = {.sweep_id = request->sweep_id,
                                            .spec_version = request->spec_version,
                                            .first_ordinal = request->first_ordinal,
                                            .result_cursor = request->result_cursor,
                                            .rung_cursor = request->rung_cursor,
                                            .count = request->count};
    struct suggest_batch batch CLEANUP(suggest_batch_free) = {0};
    struct err err = ERR_INIT;
    enum status status = rpc_call_remaining_ms(asking->call) > 0
                             ? model_suggest(model, source, &question, &batch, &err)
                             : err_set(&err, STATUS_DEADLINE, "nobody waits for the suggestion any more");
    if (status == STATUS_OK) {
        suggestion_count((int)asking->method, request->result_cursor + request->rung_cursor, batch.count,
                         clock_monotonic_us(&clock_system) - asking->begun_us);
        reply(asking->call, request, &batch);
    } else {
        fail(asking->call, request, &err);
    }
}

static enum status submit(struct models *models, enum spec_method method, struct rpc_call *call,
                          const Besom__V1__SuggestRequest *request, struct err *err)
{
    struct asking *asking = arena_calloc(rpc_call_arena(call), 1, sizeof *asking);
    if (asking == NULL)
        return err_set(err, STATUS_NO_MEMORY, "suggesting: out of memory");
    asking->job = (struct model_job){.sweep_id = request->sweep_id, .run = run_asking};
    asking->call = call;
    asking->method = method;
    asking->begun_us = clock_monotonic_us(&clock_system);
    asking->request = request;
    return models_submit(models, &asking->job, err);
}

/* ---- the others: at once ---- */

static enum status answer(const struct cached_spec *held, struct rpc_call *call,
                          const Besom__V1__SuggestRequest *request, struct err *err)
{
    struct suggest_batch batch CLEANUP(suggest_batch_free) = {0};
    const struct suggest_input input = {
        .spec = held->spec,
        .seed = held->seed,
        .begin_ordinal = held->begin_ordinal,
        .first_ordinal = request->first_ordinal,
        .count = request->count,
    };
    int64_t begun_us = clock_monotonic_us(&clock_system);
    TRY(suggest(&input, &batch, err));
    suggestion_count((int)held->spec->method, request->result_cursor, batch.count,
                     clock_monotonic_us(&clock_system) - begun_us);
    reply(call, request, &batch);
    return STATUS_OK;
}

static void handle_suggest(void *context, struct rpc_call *call, const ProtobufCMessage *message)
{
    const struct suggestion_service *service = context;
    const Besom__V1__SuggestRequest *request = (const void *)message;
    const struct cached_spec *held = NULL;
    struct err err = ERR_INIT;
    enum status status =
        spec_cache_get(service->specs, request->sweep_id, request->spec_version, &held, &err);
    if (status == STATUS_OK) {
        status = spec_method_learns(held->spec->method)
                     ? submit(service->models, held->spec->method, call, request, &err)
                     : answer(held, call, request, &err);
        spec_cache_release(service->specs, held);
    }
    if (status != STATUS_OK)
        fail(call, request, &err);
}

#define METHOD(Name, name)                                                                                  \
    {                                                                                                       \
        .path = "/" SUGGESTION_SERVICE_NAME "/" #Name, .kind = RPC_UNARY,                                   \
        .request = &besom__v1__##name##_request__descriptor,                                                \
        .response = &besom__v1__##name##_response__descriptor, .access = ROLES_OF(SuggestionService, Name), \
        .unary = handle_##name                                                                              \
    }

const struct rpc_method suggestion_methods[] = {
    METHOD(Suggest, suggest),
    METHOD(ComputeImportance, compute_importance),
    METHOD(PredictSlice, predict_slice),
    METHOD(RecommendRun, recommend_run),
};
const size_t suggestion_method_count = ARRAY_LEN(suggestion_methods);
