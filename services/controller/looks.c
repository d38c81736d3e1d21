// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/looks.h"

#include <besom/v1/suggestion_service.pb-c.h>
#include <besom/v1/sweep_service.pb-c.h>
#include <pthread.h>
#include <stdlib.h>
#include <utlist.h>

#include "services/controller/peer.h"
#include "services/controller/request.h"

struct looks {
    pthread_mutex_t lock;
    struct look *under_way; /* lock */
    bool stopping;          /* lock */
};

/* One call, parked. Lives in its arena. */
struct look {
    struct looks *looks;
    struct rpc_call *call;
    besom_call *asked; /* lock; owned */
    void (*reply)(struct rpc_call *call, const void *response);
    struct look *prev, *next; /* lock */
};

enum status looks_new(struct looks **out, struct err *err)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    pthread_mutex_init(&(*out)->lock, NULL);
    return STATUS_OK;
}

void looks_drain(struct looks *looks)
{
    struct look *look;
    if (looks == NULL)
        return;
    pthread_mutex_lock(&looks->lock);
    looks->stopping = true;
    DL_FOREACH(looks->under_way, look) besom_call_cancel(look->asked);
    pthread_mutex_unlock(&looks->lock);
}

void looks_free(struct looks *looks)
{
    if (looks == NULL)
        return;
    pthread_mutex_destroy(&looks->lock);
    free(looks);
}

/* ---- answers ---- */

static void fail(struct rpc_call *call, const besom_error *error)
{
    struct err err = ERR_INIT;
    enum status code = status_from_grpc((int)error->code);
    if (code == STATUS_UNAVAILABLE)
        (void)err_set(&err, code, "the suggestion service is unavailable (%s)", error->text);
    else if (code == STATUS_DEADLINE)
        (void)err_set(&err, code, "it takes longer than that (what was computed is kept: ask again)");
    else
        (void)err_set(&err, code, "%s", error->text);
    (void)peer_own_refusal("suggestion", &err);
    request_fail(call, &err);
}

static void answered(void *context, const void *response, const besom_error *error)
{
    struct look *look = context;
    struct looks *looks = look->looks;
    pthread_mutex_lock(&looks->lock);
    DL_DELETE(looks->under_way, look);
    besom_call *asked = look->asked;
    pthread_mutex_unlock(&looks->lock);
    besom_call_free(asked);
    if (response != NULL)
        look->reply(look->call, response);
    else
        fail(look->call, error);
}

static void reply_importance(struct rpc_call *call, const void *response)
{
    const Besom__V1__ComputeImportanceResponse *computed = response;
    Besom__V1__GetImportanceResponse answer = BESOM__V1__GET_IMPORTANCE_RESPONSE__INIT;
    answer.importance = computed->importance;
    rpc_call_reply(call, &answer.base);
}

static void reply_slice(struct rpc_call *call, const void *response)
{
    const Besom__V1__PredictSliceResponse *predicted = response;
    Besom__V1__PredictResponse answer = BESOM__V1__PREDICT_RESPONSE__INIT;
    answer.slice = predicted->slice;
    rpc_call_reply(call, &answer.base);
}

static void reply_recommendation(struct rpc_call *call, const void *response)
{
    const Besom__V1__RecommendRunResponse *recommended = response;
    Besom__V1__GetRecommendationResponse answer = BESOM__V1__GET_RECOMMENDATION_RESPONSE__INIT;
    answer.recommendation = recommended->recommendation;
    rpc_call_reply(call, &answer.base);
}

/* ---- questions ---- */

/* Puts a question to the peer; NULL without memory. */
typedef besom_call *ask_peer(besom_client *peer, const void *message, int64_t timeout_ms, struct look *look);

static enum status check(struct controller *controller, struct rpc_call *call, const char *sweep_id,
                         struct err *err)
{
    TRY(request_check_id("sweep", sweep_id, err));
    return request_allow(controller, rpc_call_identity(call), sweep_id, err);
}

/* Answers come with the lock held by nobody, and not before the look is in the list. */
static enum status park(struct controller *controller, struct look *look, const void *message, ask_peer *ask,
                        struct err *err)
{
    struct looks *looks = controller->looks;
    int64_t left_ms = rpc_call_remaining_ms(look->call);
    enum status status = STATUS_OK;
    pthread_mutex_lock(&looks->lock);
    if (looks->stopping)
        status = err_set(err, STATUS_UNAVAILABLE, "the controller is about to end");
    else
        look->asked = ask(controller->suggestion, message,
                          left_ms < LOOKS_TIMEOUT_MS ? left_ms : LOOKS_TIMEOUT_MS, look);
    if (status == STATUS_OK && look->asked == NULL)
        status = err_set(err, STATUS_NO_MEMORY, "out of memory");
    if (status == STATUS_OK)
        DL_APPEND(looks->under_way, look);
    pthread_mutex_unlock(&looks->lock);
    return status;
}

static void serve(struct controller *controller, struct rpc_call *call, const char *sweep_id,
                  const void *message, ask_peer *ask, void (*reply)(struct rpc_call *, const void *))
{
    struct err err = ERR_INIT;
    struct look *look = arena_calloc(rpc_call_arena(call), 1, sizeof *look);
    enum status status = look == NULL ? err_set(&err, STATUS_NO_MEMORY, "out of memory")
                                      : check(controller, call, sweep_id, &err);
    if (status == STATUS_OK) {
        *look = (struct look){.looks = controller->looks, .call = call, .reply = reply};
        status = park(controller, look, message, ask, &err);
    }
    if (status != STATUS_OK)
        request_fail(call, &err);
}

static besom_call *ask_importance(besom_client *peer, const void *message, int64_t timeout_ms,
                                  struct look *look)
{
    const Besom__V1__GetImportanceRequest *given = message;
    Besom__V1__ComputeImportanceRequest request = BESOM__V1__COMPUTE_IMPORTANCE_REQUEST__INIT;
    request.sweep_id = given->sweep_id;
    return besom_importance_compute_async(peer, &request, timeout_ms, answered, look);
}

void serve_get_importance(void *service, struct rpc_call *call, const ProtobufCMessage *message)
{
    const Besom__V1__GetImportanceRequest *request = (const void *)message;
    serve(service, call, request->sweep_id, request, ask_importance, reply_importance);
}

static besom_call *ask_slice(besom_client *peer, const void *message, int64_t timeout_ms, struct look *look)
{
    const Besom__V1__PredictRequest *given = message;
    Besom__V1__PredictSliceRequest request = BESOM__V1__PREDICT_SLICE_REQUEST__INIT;
    request.sweep_id = given->sweep_id;
    request.n_paths = given->n_paths;
    request.paths = given->paths;
    request.base_run_id = given->base_run_id;
    request.base_params_json = given->base_params_json;
    request.points = given->points;
    return besom_slice_predict_async(peer, &request, timeout_ms, answered, look);
}

void serve_predict(void *service, struct rpc_call *call, const ProtobufCMessage *message)
{
    const Besom__V1__PredictRequest *request = (const void *)message;
    serve(service, call, request->sweep_id, request, ask_slice, reply_slice);
}

static besom_call *ask_recommendation(besom_client *peer, const void *message, int64_t timeout_ms,
                                      struct look *look)
{
    const Besom__V1__GetRecommendationRequest *given = message;
    Besom__V1__RecommendRunRequest request = BESOM__V1__RECOMMEND_RUN_REQUEST__INIT;
    request.sweep_id = given->sweep_id;
    return besom_run_recommend_async(peer, &request, timeout_ms, answered, look);
}

void serve_get_recommendation(void *service, struct rpc_call *call, const ProtobufCMessage *message)
{
    const Besom__V1__GetRecommendationRequest *request = (const void *)message;
    serve(service, call, request->sweep_id, request, ask_recommendation, reply_recommendation);
}
