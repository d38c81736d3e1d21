// SPDX-License-Identifier: GPL-3.0-or-later
/* One run: read, explain, stop, delete. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "services/controller/handlers.h"
#include "services/controller/picture.h"
#include "services/controller/reaper.h"
#include "services/controller/request.h"
#include "services/controller/run_state.h"
#include "services/controller/stops.h"

#define STOP_TRIES 4

static enum status no_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "out of memory");
}

static enum status check_run(struct request *request, const char *sweep_id, const char *run_id,
                             struct err *err)
{
    TRY(request_check_id("run", run_id, err));
    return request_check_sweep(request, sweep_id, err);
}

/* ---- GetRun ---- */

static enum status check_get(struct request *request, struct err *err)
{
    const Besom__V1__GetRunRequest *message = request->message;
    if (message->sweep_id[0] != '\0')
        return check_run(request, message->sweep_id, message->run_id, err);
    return request_check_id("run", message->run_id, err);
}

/* A bare id's sweep is known only now. */
static enum status allow_found(const struct request *request, const Besom__V1__Run *run, struct store_tx *tx,
                               struct err *err)
{
    const struct rpc_identity *caller = rpc_call_identity(request->call);
    struct store_sweep sweep = {.project = ""};
    if (caller->sweep[0] == '\0' && caller->project[0] != '\0')
        TRY(store_get_sweep(tx, run->sweep_id, false, &sweep, err));
    if (request_reaches(caller, run->sweep_id, sweep.project))
        return STATUS_OK;
    return err_set(err, STATUS_NOT_FOUND, "no such run: %s", run->run_id); /* as store_get_run */
}

static enum status run_get(struct store_tx *tx, struct request *request, struct err *err)
{
    const Besom__V1__GetRunRequest *message = request->message;
    Besom__V1__GetRunResponse *response =
        MESSAGE_NEW(store_tx_arena(tx), Besom__V1__GetRunResponse, besom__v1__get_run_response__init);
    if (response == NULL)
        return no_memory(err);
    TRY(picture_run(tx, message->sweep_id, message->run_id, &response->run, err));
    TRY(allow_found(request, response->run, tx, err));
    request->response = &response->base;
    return STATUS_OK;
}

static const struct request_plan get_run_plan = {.check = check_get, .run = run_get, .read_only = true};
REQUEST_HANDLER(get_run)

/* ---- StopRun ---- */

static enum status check_stop(struct request *request, struct err *err)
{
    const Besom__V1__StopRunRequest *message = request->message;
    return check_run(request, message->sweep_id, message->run_id, err);
}

/* A run that nobody has ends at once; one that an agent has is ended by it. *changed false: that was ordered
 * before, or the run is in another state by now. */
static enum status stop_run(struct store_tx *tx, const struct store_run *run, const char *actor,
                            bool *changed, struct err *err)
{
    enum run_state state;
    *changed = false;
    if (!run_state_from_name(run->state, &state) || run_state_is_ended(state))
        return err_set(err, STATUS_PRECONDITION, "run %s has ended: %s", run->run_id, run->state);
    bool waits = state == RUN_PENDING || state == RUN_PAUSED;
    if (waits)
        TRY(store_kill_pending_run(tx, run->sweep_id, run->run_id, changed, err));
    else
        TRY(store_add_directive(tx, run->sweep_id, run->run_id, "stop_user", "stopped by a user", changed,
                                err));
    if (!*changed)
        return STATUS_OK;
    return store_add_event(tx, run->sweep_id, waits ? "run_ended" : "run_stop_ordered", actor, run->run_id,
                           "stopped by a user", err);
}

/* A run may be handed out, or come back to the queue, between the look and the order. */
static enum status stop_as_it_is(struct store_tx *tx, const Besom__V1__StopRunRequest *message,
                                 const char *actor, struct err *err)
{
    struct store_run run = {.state = ""};
    bool changed = false;
    for (int tries = 0; tries < STOP_TRIES; tries++) {
        const char *before = run.state;
        TRY(store_get_run(tx, message->sweep_id, message->run_id, &run, err));
        bool waits = strcmp(run.state, "pending") == 0 || strcmp(run.state, "paused") == 0;
        if (strcmp(run.state, before) == 0 && !waits)
            return STATUS_OK; /* ordered before */
        TRY(stop_run(tx, &run, actor, &changed, err));
        if (changed)
            return STATUS_OK;
    }
    return err_set(err, STATUS_CONFLICT, "run %s changes its state just now (try again)", message->run_id);
}

static enum status run_stop(struct store_tx *tx, struct request *request, struct err *err)
{
    const Besom__V1__StopRunRequest *message = request->message;
    Besom__V1__StopRunResponse *response =
        MESSAGE_NEW(store_tx_arena(tx), Besom__V1__StopRunResponse, besom__v1__stop_run_response__init);
    if (response == NULL)
        return no_memory(err);
    TRY(stop_as_it_is(tx, message, rpc_call_identity(request->call)->subject, err));
    TRY(picture_run(tx, message->sweep_id, message->run_id, &response->run, err));
    request->response = &response->base;
    return STATUS_OK;
}

static void after_stop(struct request *request)
{
    const Besom__V1__StopRunRequest *message = request->message;
    request->woken = message->sweep_id;
    log_info(CONTROLLER_LOG, "run_stop_ordered", LOG_TEXT("sweep", message->sweep_id),
             LOG_TEXT("run", message->run_id), LOG_TEXT("by", rpc_call_identity(request->call)->subject));
    if (request->controller->stops != NULL)
        stops_look(request->controller->stops);
    if (request->controller->reaper != NULL)
        reaper_look_for_idle(request->controller->reaper);
}

static const struct request_plan stop_run_plan = {.check = check_stop, .run = run_stop, .after = after_stop};
REQUEST_HANDLER(stop_run)

/* ---- DeleteRun ---- */

static enum status check_delete(struct request *request, struct err *err)
{
    const Besom__V1__DeleteRunRequest *message = request->message;
    return check_run(request, message->sweep_id, message->run_id, err);
}

static enum status run_delete(struct store_tx *tx, struct request *request, struct err *err)
{
    const Besom__V1__DeleteRunRequest *message = request->message;
    Besom__V1__DeleteRunResponse *response =
        MESSAGE_NEW(store_tx_arena(tx), Besom__V1__DeleteRunResponse, besom__v1__delete_run_response__init);
    if (response == NULL)
        return no_memory(err);
    TRY(store_delete_run(tx, message->sweep_id, message->run_id, err));
    TRY(store_add_event(tx, message->sweep_id, "run_deleted", rpc_call_identity(request->call)->subject,
                        message->run_id, "", err));
    request->response = &response->base;
    return STATUS_OK;
}

static const struct request_plan delete_run_plan = {.check = check_delete, .run = run_delete};
REQUEST_HANDLER(delete_run)

/* ---- ExplainRun ---- */

static enum status check_explain(struct request *request, struct err *err)
{
    const Besom__V1__ExplainRunRequest *message = request->message;
    return check_run(request, message->sweep_id, message->run_id, err);
}

static enum status add_decisions(struct store_tx *tx, const Besom__V1__ExplainRunRequest *message,
                                 Besom__V1__ExplainRunResponse *response, struct err *err)
{
    struct store_decision *decisions;
    size_t count;
    TRY(store_list_decisions(tx, message->sweep_id, message->run_id, &decisions, &count, err));
    response->decisions = arena_calloc(store_tx_arena(tx), count + 1, sizeof(*response->decisions));
    if (response->decisions == NULL)
        return no_memory(err);
    for (; response->n_decisions < count; response->n_decisions++) {
        Besom__V1__StopDecision *decision =
            message_of_decision(store_tx_arena(tx), &decisions[response->n_decisions]);
        if (decision == NULL)
            return no_memory(err);
        response->decisions[response->n_decisions] = decision;
    }
    return STATUS_OK;
}

static enum status add_verdicts(struct store_tx *tx, const Besom__V1__ExplainRunRequest *message,
                                Besom__V1__ExplainRunResponse *response, struct err *err)
{
    struct store_verdict *verdicts;
    size_t count;
    TRY(store_list_verdicts(tx, message->sweep_id, message->run_id, &verdicts, &count, err));
    response->verdicts = arena_calloc(store_tx_arena(tx), count + 1, sizeof(*response->verdicts));
    if (response->verdicts == NULL)
        return no_memory(err);
    for (; response->n_verdicts < count; response->n_verdicts++) {
        Besom__V1__CohortVerdict *verdict =
            message_of_verdict(store_tx_arena(tx), &verdicts[response->n_verdicts]);
        if (verdict == NULL)
            return no_memory(err);
        response->verdicts[response->n_verdicts] = verdict;
    }
    return STATUS_OK;
}

static enum status add_attempts(struct store_tx *tx, const Besom__V1__ExplainRunRequest *message,
                                Besom__V1__ExplainRunResponse *response, struct err *err)
{
    struct store_attempt_row *attempts;
    size_t count;
    TRY(store_list_attempts(tx, message->sweep_id, message->run_id, &attempts, &count, err));
    response->attempts = arena_calloc(store_tx_arena(tx), count + 1, sizeof(*response->attempts));
    if (response->attempts == NULL)
        return no_memory(err);
    for (; response->n_attempts < count; response->n_attempts++) {
        Besom__V1__Attempt *attempt = message_of_attempt(store_tx_arena(tx), &attempts[response->n_attempts]);
        if (attempt == NULL)
            return no_memory(err);
        response->attempts[response->n_attempts] = attempt;
    }
    return STATUS_OK;
}

static enum status run_explain(struct store_tx *tx, struct request *request, struct err *err)
{
    const Besom__V1__ExplainRunRequest *message = request->message;
    const char *why = "{}";
    Besom__V1__ExplainRunResponse *response =
        MESSAGE_NEW(store_tx_arena(tx), Besom__V1__ExplainRunResponse, besom__v1__explain_run_response__init);
    if (response == NULL)
        return no_memory(err);
    TRY(picture_run(tx, message->sweep_id, message->run_id, &response->run, err));
    TRY(store_get_suggestion(tx, message->sweep_id, response->run->ordinal, &why, err));
    response->suggestion_json = message_text(why);
    TRY(add_decisions(tx, message, response, err));
    TRY(add_verdicts(tx, message, response, err));
    TRY(add_attempts(tx, message, response, err));
    request->response = &response->base;
    return STATUS_OK;
}

static const struct request_plan explain_run_plan = {
    .check = check_explain, .run = run_explain, .read_only = true};
REQUEST_HANDLER(explain_run)
