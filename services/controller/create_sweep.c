// SPDX-License-Identifier: GPL-3.0-or-later
/* CreateSweep: the file's bytes become a checked spec and a stored sweep, or the problems with line and
 * column. */
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "db/store/results.h"
#include "db/store/sweeps.h"
#include "services/controller/handlers.h"
#include "services/controller/picture.h"
#include "services/controller/refill.h"
#include "services/controller/request.h"
#include "services/controller/sweep_source.h"
#include "space/given.h"

#define REQUEST_ID_MAX 64
#define PRIOR_RUNS_MAX 10000

struct creation {
    struct sweep_source source;
    char sweep_id[ID_SIZE];
    uint64_t seed;
};

static enum status check_texts(const Besom__V1__CreateSweepRequest *message, struct err *err)
{
    if (strlen(message->request_id) > REQUEST_ID_MAX)
        return err_set(err, STATUS_INVALID, "request_id may have %d bytes", REQUEST_ID_MAX);
    if (strlen(message->name) > SWEEP_NAME_MAX_BYTES || strlen(message->project) > SWEEP_NAME_MAX_BYTES)
        return err_set(err, STATUS_INVALID, "a name may have %d bytes", SWEEP_NAME_MAX_BYTES);
    if (message->n_prior_runs > PRIOR_RUNS_MAX)
        return err_set(err, STATUS_INVALID, "a sweep may begin with %d prior runs", PRIOR_RUNS_MAX);
    for (size_t i = 0; i < message->n_prior_runs; i++)
        TRY(request_check_id("run", message->prior_runs[i], err));
    return STATUS_OK;
}

static enum status read_source(const Besom__V1__CreateSweepRequest *message, struct sweep_source *out,
                               struct err *err)
{
    const struct spec_options options = {
        .program = sweep_source_given(message->program),
        .name = sweep_source_given(message->name),
        .project = sweep_source_given(message->project),
        .has_seed = message->seed_choice_case == BESOM__V1__CREATE_SWEEP_REQUEST__SEED_CHOICE_SEED,
        .seed = message->seed,
    };
    return sweep_source_read(&message->source, message->file_name, &options, out, err);
}

static enum status check_create(struct request *request, struct err *err)
{
    const Besom__V1__CreateSweepRequest *message = request->message;
    struct creation *creation = arena_calloc(request->kept, 1, sizeof *creation);
    if (creation == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    request->state = creation;
    TRY(check_texts(message, err));
    TRY(read_source(message, &creation->source, err));
    const struct spec *spec = creation->source.spec;
    TRY(request_allow_project(rpc_call_identity(request->call),
                              sweep_source_first_of(spec->project, SWEEP_DEFAULT_PROJECT), err));
    creation->seed = spec->has_seed ? spec->seed : random_u64(&random_system) >> 1;
    id_make(&random_system, creation->sweep_id);
    return STATUS_OK;
}

static struct store_sweep_new make_sweep(const Besom__V1__CreateSweepRequest *message,
                                         const struct creation *creation)
{
    const struct sweep_source *source = &creation->source;
    const struct spec *spec = source->spec;
    return (struct store_sweep_new){
        .sweep_id = creation->sweep_id,
        .project = sweep_source_first_of(spec->project, SWEEP_DEFAULT_PROJECT),
        .name = sweep_source_first_of(spec->name, creation->sweep_id),
        .method = spec_method_name(spec->method),
        .metric = sweep_source_first_of(spec->metric.name, NULL),
        .program = sweep_source_first_of(spec->program, NULL),
        .file_name = message->file_name,
        .spec_json = source->spec_json,
        .request_id = sweep_source_given(message->request_id),
        .maximize = spec->metric.goal == SPEC_GOAL_MAXIMIZE,
        .learns = spec_method_learns(spec->method),
        .pauses = spec->has_early_terminate && stop_type_pauses(spec->early_terminate.type),
        .learns_rungs = spec_learns_rungs(spec),
        .has_grid_count = source->has_grid_count,
        .seed = creation->seed,
        .run_cap = spec->run_cap,
        .grid_count = source->grid_count,
        .concurrency = spec->concurrency,
        .source = message->source.data,
        .source_length = message->source.len,
    };
}

/* What follows the sweep's own rows, once. */
static enum status add_rest(struct store_tx *tx, const struct request *request,
                            const struct store_sweep_new *sweep, struct err *err)
{
    const Besom__V1__CreateSweepRequest *message = request->message;
    if (message->n_prior_runs > 0)
        TRY(store_add_prior_runs(tx, sweep->sweep_id, rpc_call_identity(request->call)->project,
                                 (const char *const *)message->prior_runs, message->n_prior_runs, err));
    return store_add_event(tx, sweep->sweep_id, "sweep_created", rpc_call_identity(request->call)->subject,
                           "", sweep->name, err);
}

/* How many prior runs a method that learns cannot use, and why the first of them; NULL when it can use all.
 */
static enum status warn_of_priors(struct store_tx *tx, const char *sweep_id, const struct space *space,
                                  char **out, struct err *err)
{
    struct store_result *prior;
    size_t count, unusable = 0;
    struct err first = ERR_INIT;
    *out = NULL;
    TRY(store_list_prior_runs(tx, sweep_id, &prior, &count, err));
    for (size_t i = 0; i < count; i++) {
        struct err fault = ERR_INIT;
        json_t *params = json_loads(prior[i].params_json, 0, NULL), *adopted = NULL;
        if (params != NULL && given_adopt(space, params, &adopted, &fault) == STATUS_INVALID &&
            unusable++ == 0)
            first = fault;
        json_decref(params);
        json_decref(adopted);
    }
    if (unusable == 0)
        return STATUS_OK;
    *out = arena_printf(store_tx_arena(tx),
                        "warning: %zu of %zu prior runs are no points of this space and are not learnt from "
                        "(the first: %s)",
                        unusable, count, first.text);
    return *out != NULL ? STATUS_OK : err_set(err, STATUS_NO_MEMORY, "out of memory");
}

/* The file's warnings, and what is to be said of prior runs. */
static enum status add_warnings(struct store_tx *tx, const struct creation *creation,
                                Besom__V1__CreateSweepResponse *response, struct err *err)
{
    const struct spec *spec = creation->source.spec;
    char *text = NULL;
    TRY(sweep_source_split_warnings(&creation->source, store_tx_arena(tx), &response->warnings,
                                    &response->n_warnings, err));
    if (spec_method_learns(spec->method))
        TRY(warn_of_priors(tx, response->sweep->sweep_id, spec->space, &text, err));
    if (text != NULL && response->n_warnings < SPEC_PROBLEMS_MAX)
        response->warnings[response->n_warnings++] = text;
    return STATUS_OK;
}

static enum status run_create(struct store_tx *tx, struct request *request, struct err *err)
{
    const struct creation *creation = request->state;
    const struct store_sweep_new sweep = make_sweep(request->message, creation);
    const char *existing = NULL;
    Besom__V1__CreateSweepResponse *response = MESSAGE_NEW(store_tx_arena(tx), Besom__V1__CreateSweepResponse,
                                                           besom__v1__create_sweep_response__init);
    if (response == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    TRY(store_create_sweep(tx, &sweep, &existing, err));
    bool known = existing != NULL && existing[0] != '\0';
    if (!known)
        TRY(add_rest(tx, request, &sweep, err));
    TRY(picture_sweep(tx, known ? existing : sweep.sweep_id, &response->sweep, err));
    if (!request_reaches(rpc_call_identity(request->call), response->sweep->sweep_id,
                         response->sweep->project))
        return err_set(err, STATUS_ALREADY_EXISTS, "request_id is taken (choose one at random)");
    TRY(add_warnings(tx, creation, response, err));
    request->response = &response->base;
    return STATUS_OK;
}

static void after_create(struct request *request)
{
    const struct creation *creation = request->state;
    const Besom__V1__CreateSweepResponse *response = (const void *)request->response;
    if (strcmp(response->sweep->sweep_id, creation->sweep_id) != 0)
        return; /* asked for again */
    log_info(CONTROLLER_LOG, "sweep_created", LOG_TEXT("sweep", creation->sweep_id),
             LOG_TEXT("method", spec_method_name(creation->source.spec->method)),
             LOG_TEXT("by", rpc_call_identity(request->call)->subject));
    if (request->controller->refill != NULL)
        refill_wake(request->controller->refill);
}

static void release_create(struct request *request)
{
    struct creation *creation = request->state;
    if (creation != NULL)
        sweep_source_free(&creation->source);
}

static const struct request_plan create_sweep_plan = {
    .check = check_create, .run = run_create, .after = after_create, .release = release_create};

REQUEST_HANDLER(create_sweep)
