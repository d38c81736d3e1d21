// SPDX-License-Identifier: GPL-3.0-or-later
/* Agents: register, retire, list. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/utf8.h"
#include "services/controller/handlers.h"
#include "services/controller/ids.h"
#include "services/controller/picture.h"
#include "services/controller/request.h"

#define PROTOCOL 1
#define TEXT_MAX 255
#define FEATURES_MAX 64
#define FEATURE_MAX_BYTES 64

static enum status no_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "out of memory");
}

/* ---- RegisterAgent ---- */

static enum status check_protocol(const Besom__V1__RegisterAgentRequest *message, struct err *err)
{
    if (message->protocol_min > PROTOCOL || message->protocol_max < PROTOCOL)
        return err_set(err, STATUS_PRECONDITION,
                       "the agent speaks protocol %d to %d, this controller %d (use a matching besom-agent)",
                       message->protocol_min, message->protocol_max, PROTOCOL);
    return STATUS_OK;
}

static enum status check_register(struct request *request, struct err *err)
{
    const Besom__V1__RegisterAgentRequest *message = request->message;
    TRY(request_check_id("sweep", message->sweep_id, err));
    TRY(agent_id_check(message->agent_id, err));
    if (message->slots < 1 || message->slots > AGENT_SLOTS_MAX)
        return err_set(err, STATUS_INVALID, "slots must be 1 to %d", AGENT_SLOTS_MAX);
    if (strlen(message->host) > TEXT_MAX || strlen(message->version) > TEXT_MAX)
        return err_set(err, STATUS_INVALID, "host and version may have %d bytes", TEXT_MAX);
    TRY(check_protocol(message, err));
    return request_allow(request->controller, rpc_call_identity(request->call), message->sweep_id, err);
}

static enum status join_features(const Besom__V1__RegisterAgentRequest *message, struct buffer *out,
                                 struct err *err)
{
    for (size_t i = 0; i < message->n_features && i < FEATURES_MAX; i++)
        buffer_printf(out, "%s%.*s", i > 0 ? "," : "", utf8_fit(message->features[i], FEATURE_MAX_BYTES),
                      message->features[i]);
    return out->failed ? no_memory(err) : STATUS_OK;
}

/* An agent whose runs failed at once marked its host: others of it would only spoil more runs. */
static enum status check_quarantine(struct store_tx *tx, const struct request *request, struct err *err)
{
    const Besom__V1__RegisterAgentRequest *message = request->message;
    const char *reason;
    bool ended;
    if (message->ignore_quarantine) {
        TRY(store_end_quarantine(tx, message->sweep_id, message->host, &ended, err));
        if (!ended)
            return STATUS_OK;
        return store_add_event(tx, message->sweep_id, "quarantine_ended",
                               rpc_call_identity(request->call)->subject, message->agent_id, message->host,
                               err);
    }
    TRY(store_get_quarantine(tx, message->sweep_id, message->host, message->agent_id, &reason, err));
    if (reason == NULL)
        return STATUS_OK;
    return err_set(err, STATUS_PRECONDITION,
                   "host %s is quarantined for sweep %s: %s; runs finished on other hosts (mend it, then use "
                   "--ignore-quarantine)",
                   message->host, message->sweep_id, reason[0] != '\0' ? reason : "its runs failed at once");
}

static enum status run_register(struct store_tx *tx, struct request *request, struct err *err)
{
    const Besom__V1__RegisterAgentRequest *message = request->message;
    const struct controller_options *options = request->controller->options;
    struct buffer features CLEANUP(buffer_free) = BUFFER_INIT;
    Besom__V1__RegisterAgentResponse *response = MESSAGE_NEW(
        store_tx_arena(tx), Besom__V1__RegisterAgentResponse, besom__v1__register_agent_response__init);
    if (response == NULL)
        return no_memory(err);
    TRY(join_features(message, &features, err));
    TRY(check_quarantine(tx, request, err));
    const struct store_agent agent = {.sweep_id = message->sweep_id,
                                      .agent_id = message->agent_id,
                                      .host = message->host,
                                      .features = buffer_text(&features),
                                      .version = message->version,
                                      .pid = message->pid,
                                      .slots = message->slots,
                                      .protocol = PROTOCOL};
    TRY(store_register_agent(tx, &agent, err));
    TRY(store_add_event(tx, message->sweep_id, "agent_registered", rpc_call_identity(request->call)->subject,
                        message->agent_id, message->host, err));
    TRY(picture_sweep(tx, message->sweep_id, &response->sweep, err));
    response->protocol = PROTOCOL;
    response->lease_ms = options->lease_ms;
    response->renew_ms = options->renew_ms;
    response->lost_after_ms = options->lost_after_ms;
    request->response = &response->base;
    return STATUS_OK;
}

static void after_register(struct request *request)
{
    const Besom__V1__RegisterAgentRequest *message = request->message;
    log_info(CONTROLLER_LOG, "agent_registered", LOG_TEXT("sweep", message->sweep_id),
             LOG_TEXT("agent", message->agent_id), LOG_TEXT("host", message->host),
             LOG_INT("slots", message->slots));
}

static const struct request_plan register_agent_plan = {
    .check = check_register, .run = run_register, .after = after_register};
REQUEST_HANDLER(register_agent)

/* ---- RetireAgent ---- */

static enum status check_retire(struct request *request, struct err *err)
{
    const Besom__V1__RetireAgentRequest *message = request->message;
    TRY(request_check_id("sweep", message->sweep_id, err));
    TRY(agent_id_check(message->agent_id, err));
    return request_allow(request->controller, rpc_call_identity(request->call), message->sweep_id, err);
}

static enum status run_retire(struct store_tx *tx, struct request *request, struct err *err)
{
    const Besom__V1__RetireAgentRequest *message = request->message;
    Besom__V1__RetireAgentResponse *response = MESSAGE_NEW(store_tx_arena(tx), Besom__V1__RetireAgentResponse,
                                                           besom__v1__retire_agent_response__init);
    char *reason =
        arena_printf(store_tx_arena(tx), "%.*s", utf8_fit(message->reason, TEXT_MAX), message->reason);
    if (response == NULL || reason == NULL)
        return no_memory(err);
    TRY(store_retire_agent(tx, message->sweep_id, message->agent_id, reason, message->quarantine, err));
    TRY(store_add_event(tx, message->sweep_id, message->quarantine ? "agent_quarantined" : "agent_retired",
                        rpc_call_identity(request->call)->subject, message->agent_id, reason, err));
    request->response = &response->base;
    return STATUS_OK;
}

static const struct request_plan retire_agent_plan = {.check = check_retire, .run = run_retire};
REQUEST_HANDLER(retire_agent)

/* ---- ListAgents ---- */

static enum status check_list(struct request *request, struct err *err)
{
    const Besom__V1__ListAgentsRequest *message = request->message;
    if (message->sweep_id[0] == '\0')
        return STATUS_OK;
    return request_check_sweep(request, message->sweep_id, err);
}

static enum status run_list(struct store_tx *tx, struct request *request, struct err *err)
{
    const Besom__V1__ListAgentsRequest *message = request->message;
    struct arena *arena = store_tx_arena(tx);
    struct store_agent *agents;
    struct store_sweep sweep;
    int64_t uptime_ms, now_us;
    size_t count;
    Besom__V1__ListAgentsResponse *response =
        MESSAGE_NEW(arena, Besom__V1__ListAgentsResponse, besom__v1__list_agents_response__init);
    if (response == NULL)
        return no_memory(err);
    if (message->sweep_id[0] != '\0')
        TRY(picture_get_sweep(tx, message->sweep_id, false, &sweep, err));
    const struct rpc_identity *caller = rpc_call_identity(request->call);
    const struct store_reach reach = {caller->project, caller->sweep};
    TRY(store_list_agents(tx, message->sweep_id, &reach, &agents, &count, err));
    TRY(store_get_uptime(tx, &uptime_ms, &now_us, err));
    response->agents = arena_calloc(arena, count + 1, sizeof(*response->agents));
    if (response->agents == NULL)
        return no_memory(err);
    for (size_t i = 0; i < count; i++) {
        response->agents[i] =
            message_of_agent(arena, &agents[i], now_us, request->controller->options->lease_ms);
        if (response->agents[i] == NULL)
            return no_memory(err);
    }
    response->n_agents = count;
    request->response = &response->base;
    return STATUS_OK;
}

static const struct request_plan list_agents_plan = {.check = check_list, .run = run_list, .read_only = true};
REQUEST_HANDLER(list_agents)
