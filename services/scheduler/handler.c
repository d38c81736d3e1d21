// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/scheduler/handler.h"

#include "base/log.h"
#include "besom/v1/scheduler_service.pb-c.h"
#include "services/common/roles.h"

static void handle_decide_stops(void *context, struct rpc_call *call, const ProtobufCMessage *message)
{
    const Besom__V1__DecideStopsRequest *request = (const void *)message;
    struct decider_outcome outcome;
    struct err err = ERR_INIT;
    enum status status = decider_run(context, request->sweep_id, rpc_call_arena(call), &outcome, &err);
    if (status != STATUS_OK) {
        if (status != STATUS_CONFLICT)
            log_warn("scheduler", "decide_failed", LOG_TEXT("sweep", request->sweep_id), LOG_ERR(&err));
        rpc_call_fail(call, &err);
        return;
    }
    Besom__V1__DecideStopsResponse response = BESOM__V1__DECIDE_STOPS_RESPONSE__INIT;
    response.decided = outcome.decided;
    response.made = outcome.made;
    response.stops = outcome.stops;
    response.n_agent_ids = outcome.agent_count;
    response.agent_ids = (char **)(void *)outcome.agent_ids;
    rpc_call_reply(call, &response.base);
}

const struct rpc_method scheduler_methods[] = {
    {.path = "/" SCHEDULER_SERVICE_NAME "/DecideStops",
     .kind = RPC_UNARY,
     .request = &besom__v1__decide_stops_request__descriptor,
     .response = &besom__v1__decide_stops_response__descriptor,
     .access = ROLES_OF(SchedulerService, DecideStops),
     .unary = handle_decide_stops},
};
const size_t scheduler_method_count = ARRAY_LEN(scheduler_methods);
