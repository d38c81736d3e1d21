// SPDX-License-Identifier: GPL-3.0-or-later
/* Single runs: OpenProject gives the sweep that holds a project's, SubmitRun adds one whose agent brings it
 * along. */
#include "services/controller/single_runs.h"

#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "db/store/runs.h"
#include "services/controller/claim_answer.h"
#include "services/controller/handlers.h"
#include "services/controller/ids.h"
#include "services/controller/metric_definitions.h"
#include "services/controller/picture.h"
#include "services/controller/request.h"
#include "services/controller/sweep_source.h"

#define PARAMS_MAX_BYTES (1u << 20)
#define RUN_NAME_MAX_BYTES 256
#define SWEEP_NAME "single runs"

/* A spec needs a method and parameters: nothing is ever asked of these. Nothing is tried again, as only the
 * program that brought a run can run it. */
const char single_runs_spec[] = "{\"method\":\"random\",\"parameters\":{\"none\":{\"value\":0}},"
                                "\"retry\":{\"max\":0,\"on\":[]}}";

bool single_runs_is_method(const char *method)
{
    return strcmp(method, "none") == 0;
}

enum status single_runs_refuse(const char *method, const char *sweep_id, const char *what, struct err *err)
{
    if (!single_runs_is_method(method))
        return STATUS_OK;
    return err_set(err, STATUS_PRECONDITION, "sweep %s holds the single runs of its project and cannot be %s",
                   sweep_id, what);
}

/* ---- OpenProject ---- */

struct opening {
    char sweep_id[ID_SIZE];
    uint64_t seed;
    bool created;
};

static const char *project_of(const Besom__V1__OpenProjectRequest *message)
{
    return message->project[0] != '\0' ? message->project : SWEEP_DEFAULT_PROJECT;
}

static enum status check_open(struct request *request, struct err *err)
{
    const Besom__V1__OpenProjectRequest *message = request->message;
    struct opening *opening = arena_calloc(request->kept, 1, sizeof *opening);
    if (opening == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    if (strlen(message->project) > SWEEP_NAME_MAX_BYTES)
        return err_set(err, STATUS_INVALID, "a name may have %d bytes", SWEEP_NAME_MAX_BYTES);
    TRY(request_allow_project(rpc_call_identity(request->call), project_of(message), err));
    opening->seed = random_u64(&random_system) >> 1;
    id_make(&random_system, opening->sweep_id);
    request->state = opening;
    return STATUS_OK;
}

/* Two at once: the second finds the first one's when it is run again. */
static enum status create(struct store_tx *tx, const struct request *request, const char **sweep_id,
                          struct err *err)
{
    struct opening *opening = request->state;
    const struct store_sweep_new sweep = {.sweep_id = opening->sweep_id,
                                          .project = project_of(request->message),
                                          .name = SWEEP_NAME,
                                          .method = "none",
                                          .spec_json = "{}",
                                          .seed = opening->seed,
                                          .source = ""};
    const char *existing;
    TRY(store_create_sweep(tx, &sweep, &existing, err));
    TRY(store_set_sweep_state(tx, opening->sweep_id, "running", "", err));
    *sweep_id = opening->sweep_id;
    opening->created = true;
    return store_add_event(tx, opening->sweep_id, "sweep_created", rpc_call_identity(request->call)->subject,
                           "", SWEEP_NAME, err);
}

static enum status run_open(struct store_tx *tx, struct request *request, struct err *err)
{
    struct opening *opening = request->state;
    const char *sweep_id;
    Besom__V1__OpenProjectResponse *response = MESSAGE_NEW(store_tx_arena(tx), Besom__V1__OpenProjectResponse,
                                                           besom__v1__open_project_response__init);
    if (response == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    opening->created = false;
    TRY(store_find_single_runs(tx, project_of(request->message), &sweep_id, err));
    if (sweep_id == NULL)
        TRY(create(tx, request, &sweep_id, err));
    TRY(picture_sweep(tx, sweep_id, &response->sweep, err));
    request->response = &response->base;
    return STATUS_OK;
}

static void after_open(struct request *request)
{
    const struct opening *opening = request->state;
    if (opening->created)
        log_info(CONTROLLER_LOG, "sweep_created", LOG_TEXT("sweep", opening->sweep_id),
                 LOG_TEXT("method", "none"), LOG_TEXT("by", rpc_call_identity(request->call)->subject));
}

static const struct request_plan open_project_plan = {
    .check = check_open, .run = run_open, .after = after_open};
REQUEST_HANDLER(open_project)

/* ---- SubmitRun ---- */

struct submission {
    struct controller *controller;
    const Besom__V1__SubmitRunRequest *message;
    const char *actor;
    unsigned char config_hash[SPACE_HASH_SIZE];
    char run_id[ID_SIZE];
    struct store_claim claim;
    struct store_claim_sweep sweep;
};

static enum status check_submit(struct controller *controller, struct rpc_call *call,
                                const Besom__V1__SubmitRunRequest *message, struct err *err)
{
    TRY(request_check_id("sweep", message->sweep_id, err));
    TRY(agent_id_check(message->agent_id, err));
    if (message->slot < 0 || message->slot >= AGENT_SLOTS_MAX || message->counter < 0)
        return err_set(err, STATUS_INVALID, "slot must be 0 to %d and counter at least 0",
                       AGENT_SLOTS_MAX - 1);
    if (strlen(message->name) > RUN_NAME_MAX_BYTES)
        return err_set(err, STATUS_INVALID, "a name may have %d bytes", RUN_NAME_MAX_BYTES);
    return request_allow(controller, rpc_call_identity(call), message->sweep_id, err);
}

static enum status hash_params(struct submission *submission, struct err *err)
{
    const char *text = submission->message->params_json;
    json_t *params = strlen(text) <= PARAMS_MAX_BYTES ? fact_json(text) : NULL;
    enum status status =
        json_is_object(params)
            ? space_config_hash(params, submission->config_hash, err)
            : err_set(err, STATUS_INVALID, "params_json must be a JSON object of at most 1 MiB");
    json_decref(params);
    return status;
}

static enum status add_run(struct store_tx *tx, struct submission *submission,
                           const struct store_sweep *sweep, struct err *err)
{
    const Besom__V1__SubmitRunRequest *message = submission->message;
    const struct store_submission run = {
        .sweep_id = message->sweep_id,
        .run_id = submission->run_id,
        .key = {message->agent_id, message->slot, message->counter},
        .ordinal = sweep->next_ordinal,
        .params_json = message->params_json,
        .name = message->name,
        .config_hash = submission->config_hash,
        .run_seed = random_draw_u64(sweep->seed, (uint64_t)sweep->next_ordinal, "run", 0),
    };
    TRY(store_submit_run(tx, &run, submission->controller->options->lease_ms, err));
    TRY(store_add_event(tx, run.sweep_id, "run_submitted", submission->actor, run.run_id, run.name, err));
    submission->claim = (struct store_claim){.verdict = STORE_CLAIM_RUN,
                                             .run_id = run.run_id,
                                             .params_json = run.params_json,
                                             .attempt = 1,
                                             .spec_version = sweep->spec_version,
                                             .ordinal = run.ordinal,
                                             .run_seed = run.run_seed,
                                             .fresh = true};
    return STATUS_OK;
}

/* A key that has a run gets it again, as in a claim. */
static enum status submit(struct store_tx *tx, void *context, struct err *err)
{
    struct submission *submission = context;
    const Besom__V1__SubmitRunRequest *message = submission->message;
    const struct store_claim_key key = {message->agent_id, message->slot, message->counter};
    struct store_sweep sweep;
    TRY(picture_get_sweep(tx, message->sweep_id, true, &sweep, err));
    if (!single_runs_is_method(sweep.method))
        return err_set(err, STATUS_PRECONDITION,
                       "sweep %s hands out its own runs (open a project for single ones)", message->sweep_id);
    TRY(store_claim_runs(tx, message->sweep_id, &key, 1, submission->controller->options->lease_ms,
                         &submission->claim, &submission->sweep, err));
    if (submission->claim.verdict == STORE_CLAIM_UNKNOWN_AGENT)
        return claim_answer_unknown(message->agent_id, message->sweep_id, err);
    return submission->claim.verdict == STORE_CLAIM_NONE ? add_run(tx, submission, &sweep, err) : STATUS_OK;
}

static enum status serve(struct submission *submission, struct rpc_call *call, struct arena *arena,
                         struct err *err)
{
    const struct facts *facts CLEANUP(facts_release_at) = NULL;
    struct controller *controller = submission->controller;
    TRY(check_submit(controller, call, submission->message, err));
    TRY(hash_params(submission, err));
    id_make(&random_system, submission->run_id);
    submission->actor = rpc_call_identity(call)->subject;
    TRY(facts_get(controller->facts, submission->message->sweep_id, 0, &facts, err));
    TRY(gate_transaction(controller->gate, arena, submit, submission, err));
    const struct claim_answer answer = {.facts = facts, .sweep = &submission->sweep};
    claim_answer_send_submitted(&answer, &submission->claim, call);
    return STATUS_OK;
}

void serve_submit_run(void *service, struct rpc_call *call, const ProtobufCMessage *message)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    struct submission submission = {
        .controller = service,
        .message = (const Besom__V1__SubmitRunRequest *)(const void *)message,
    };
    struct err err = ERR_INIT;
    if (serve(&submission, call, &arena, &err) != STATUS_OK)
        request_fail(call, &err);
}
