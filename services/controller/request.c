// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/request.h"

#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "services/controller/facts.h"
#include "services/controller/gate.h"
#include "services/controller/wake.h"

struct running {
    const struct request_plan *plan;
    struct request *request;
};

static enum status run_plan(struct store_tx *tx, void *context, struct err *err)
{
    struct running *running = context;
    return running->plan->run(tx, running->request, err);
}

static enum status carry_out(struct request *request, const struct request_plan *plan, struct arena *arena,
                             struct err *err)
{
    struct running running = {plan, request};
    if (plan->check != NULL)
        TRY(plan->check(request, err));
    if (plan->read_only)
        return gate_read(request->controller->gate, arena, run_plan, &running, err);
    return gate_transaction(request->controller->gate, arena, run_plan, &running, err);
}

void request_fail(struct rpc_call *call, const struct err *err)
{
    if (err->code == STATUS_INTERNAL || err->code == STATUS_IO)
        log_error(CONTROLLER_LOG, "call_failed", LOG_ERR(err));
    rpc_call_fail(call, err);
}

void request_serve(void *controller, struct rpc_call *call, const ProtobufCMessage *message,
                   const struct request_plan *plan)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct err err = ERR_INIT;
    struct request request = {
        .controller = controller, .call = call, .message = message, .kept = rpc_call_arena(call)};
    enum status status = carry_out(&request, plan, &arena, &err);
    if (status == STATUS_OK && plan->after != NULL)
        plan->after(&request);
    if (status == STATUS_OK && request.woken != NULL)
        wake_sweep(request.controller, request.woken);
    if (plan->release != NULL)
        plan->release(&request);
    if (status == STATUS_OK)
        rpc_call_reply(call, request.response);
    else
        request_fail(call, &err);
}

bool request_reaches(const struct rpc_identity *identity, const char *sweep_id, const char *project)
{
    if (identity->sweep[0] != '\0')
        return strcmp(identity->sweep, sweep_id) == 0;
    return identity->project[0] == '\0' || strcmp(identity->project, project) == 0;
}

enum status request_allow(struct controller *controller, const struct rpc_identity *identity,
                          const char *sweep_id, struct err *err)
{
    const struct facts *facts CLEANUP(facts_release_at) = NULL;
    const char *project = "";
    if (identity->sweep[0] == '\0' && identity->project[0] != '\0') {
        TRY(facts_get(controller->facts, sweep_id, 0, &facts, err));
        project = facts->project;
    }
    if (request_reaches(identity, sweep_id, project))
        return STATUS_OK;
    return err_set(err, STATUS_NOT_FOUND, "there is no sweep %s", sweep_id);
}

enum status request_allow_project(const struct rpc_identity *identity, const char *project, struct err *err)
{
    if (identity->sweep[0] != '\0')
        return err_set(err, STATUS_NOT_FOUND,
                       "there is no project %s for this token (it is bound to sweep %s)", project,
                       identity->sweep);
    if (identity->project[0] == '\0' || strcmp(identity->project, project) == 0)
        return STATUS_OK;
    return err_set(err, STATUS_NOT_FOUND, "there is no project %s for this token (it is bound to project %s)",
                   project, identity->project);
}

enum status request_check_id(const char *what, const char *id, struct err *err)
{
    if (id_is_valid(id))
        return STATUS_OK;
    return err_set(err, STATUS_INVALID, "\"%.32s\" is no id of a %s (eight lower-case letters and digits)",
                   id, what);
}

enum status request_check_sweep(const struct request *request, const char *sweep_id, struct err *err)
{
    TRY(request_check_id("sweep", sweep_id, err));
    return request_allow(request->controller, rpc_call_identity(request->call), sweep_id, err);
}
