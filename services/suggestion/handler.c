// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/suggestion/handler.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "besom/v1/suggestion_service.pb-c.h"
#include "services/common/tokens.h"
#include "services/suggestion/method.h"

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

static enum status answer(struct spec_cache *cache, struct arena *arena,
                          const Besom__V1__SuggestRequest *request, Besom__V1__SuggestResponse *response,
                          struct err *err)
{
    struct suggest_batch batch CLEANUP(suggest_batch_free) = {0};
    const struct cached_spec *held = NULL;
    TRY(spec_cache_get(cache, request->sweep_id, request->spec_version, &held, err));
    const struct suggest_input input = {
        .spec = held->spec,
        .seed = held->seed,
        .begin_ordinal = held->begin_ordinal,
        .first_ordinal = request->first_ordinal,
        .count = request->count,
    };
    enum status status = suggest(&input, &batch, err);
    spec_cache_release(cache, held);
    return status == STATUS_OK ? encode_batch(arena, &batch, response, err) : status;
}

static void handle_suggest(void *context, struct rpc_call *call, const ProtobufCMessage *message)
{
    const Besom__V1__SuggestRequest *request = (const void *)message;
    Besom__V1__SuggestResponse response = BESOM__V1__SUGGEST_RESPONSE__INIT;
    struct err err = ERR_INIT;
    if (answer(context, rpc_call_arena(call), request, &response, &err) == STATUS_OK) {
        rpc_call_reply(call, &response.base);
        return;
    }
    log_warn("suggestion", "suggest_failed", LOG_TEXT("sweep", request->sweep_id),
             LOG_INT("version", request->spec_version), LOG_INT("first_ordinal", request->first_ordinal),
             LOG_ERR(&err));
    rpc_call_fail(call, &err);
}

const struct rpc_method suggestion_methods[] = {
    {.path = "/" SUGGESTION_SERVICE_NAME "/Suggest",
     .kind = RPC_UNARY,
     .request = &besom__v1__suggest_request__descriptor,
     .response = &besom__v1__suggest_response__descriptor,
     .access = ACCESS_SERVICE,
     .unary = handle_suggest},
};
const size_t suggestion_method_count = ARRAY_LEN(suggestion_methods);
