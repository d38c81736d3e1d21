// SPDX-License-Identifier: GPL-3.0-or-later
/* CreateSweep: the file's bytes become a checked spec and a stored sweep, or the problems with line and
 * column. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "db/store/sweeps.h"
#include "services/controller/handlers.h"
#include "services/controller/picture.h"
#include "services/controller/refill.h"
#include "services/controller/request.h"
#include "spec/spec.h"

#define REQUEST_ID_MAX 64
#define NAME_MAX_BYTES 255
#define DEFAULT_PROJECT "uncategorized"

struct creation {
    struct spec *spec; /* owned */
    char *spec_json;   /* owned */
    struct buffer warnings;
    char sweep_id[ID_SIZE];
    uint64_t seed;
    bool has_grid_count;
    int64_t grid_count;
};

static const char *given(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

static const char *first_of(const char *a, const char *b)
{
    return a != NULL ? a : b != NULL ? b : "";
}

/* As many problems as fit, one a line. */
static enum status tell_problems(const struct spec_problems *problems, const char *file_name, struct err *err)
{
    struct buffer lines CLEANUP(buffer_free) = BUFFER_INIT;
    for (size_t i = 0; i < problems->count; i++) {
        size_t before = lines.length;
        if (problems->items[i].severity != SPEC_ERROR)
            continue;
        spec_problem_format(&problems->items[i], file_name, &lines);
        if (lines.length < ERR_TEXT_MAX)
            continue;
        lines.length = before;
        lines.data[before] = '\0';
        break;
    }
    while (lines.length > 0 && lines.data[lines.length - 1] == '\n')
        lines.data[--lines.length] = '\0';
    return lines.length > 0 ? err_set(err, STATUS_INVALID, "%s", buffer_text(&lines)) : err->code;
}

static void keep_warnings(const struct spec_problems *problems, const char *file_name, struct buffer *out)
{
    for (size_t i = 0; i < problems->count; i++)
        if (problems->items[i].severity == SPEC_WARNING)
            spec_problem_format(&problems->items[i], file_name, out);
}

static enum status parse(const Besom__V1__CreateSweepRequest *message, struct creation *creation,
                         struct err *err)
{
    const char *file_name = message->file_name[0] != '\0' ? message->file_name : "sweep.yaml";
    const struct spec_options options = {
        .program = given(message->program),
        .name = given(message->name),
        .project = given(message->project),
        .has_seed = message->seed_choice_case == BESOM__V1__CREATE_SWEEP_REQUEST__SEED_CHOICE_SEED,
        .seed = message->seed,
    };
    struct spec_problems problems CLEANUP(spec_problems_free);
    spec_problems_init(&problems);
    enum status status = spec_parse((const char *)message->source.data, message->source.len, file_name,
                                    &options, &creation->spec, &problems, err);
    if (status == STATUS_INVALID)
        return tell_problems(&problems, file_name, err);
    TRY(status);
    keep_warnings(&problems, file_name, &creation->warnings);
    return STATUS_OK;
}

static enum status count_grid(struct creation *creation, struct err *err)
{
    uint64_t count;
    if (creation->spec->method != SPEC_METHOD_GRID)
        return STATUS_OK;
    TRY(space_grid_count(creation->spec->space, &count, err));
    creation->has_grid_count = true;
    creation->grid_count = count < INT64_MAX ? (int64_t)count : INT64_MAX;
    return STATUS_OK;
}

static enum status check_texts(const Besom__V1__CreateSweepRequest *message, struct err *err)
{
    if (message->source.len > SPEC_FILE_MAX)
        return err_set(err, STATUS_INVALID, "a sweep file may have 1 MiB");
    if (strlen(message->request_id) > REQUEST_ID_MAX)
        return err_set(err, STATUS_INVALID, "request_id may have %d bytes", REQUEST_ID_MAX);
    if (strlen(message->name) > NAME_MAX_BYTES || strlen(message->project) > NAME_MAX_BYTES)
        return err_set(err, STATUS_INVALID, "a name may have %d bytes", NAME_MAX_BYTES);
    return STATUS_OK;
}

static enum status check_scope(const struct rpc_identity *identity, const char *project, struct err *err)
{
    if (identity->scope[0] == '\0' || strcmp(identity->scope, project) == 0)
        return STATUS_OK;
    return err_set(err, STATUS_DENIED, "this token is bound to %s", identity->scope);
}

static enum status check_create(struct request *request, struct err *err)
{
    const Besom__V1__CreateSweepRequest *message = request->message;
    struct creation *creation = arena_calloc(request->kept, 1, sizeof *creation);
    if (creation == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    request->state = creation;
    TRY(check_texts(message, err));
    TRY(parse(message, creation, err));
    TRY(check_scope(rpc_call_identity(request->call), first_of(creation->spec->project, DEFAULT_PROJECT),
                    err));
    TRY(count_grid(creation, err));
    creation->spec_json = spec_to_canonical_json(creation->spec);
    if (creation->spec_json == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    creation->seed = creation->spec->has_seed ? creation->spec->seed : random_u64(&random_system) >> 1;
    id_make(&random_system, creation->sweep_id);
    return STATUS_OK;
}

static struct store_sweep_new make_sweep(const Besom__V1__CreateSweepRequest *message,
                                         const struct creation *creation)
{
    const struct spec *spec = creation->spec;
    return (struct store_sweep_new){
        .sweep_id = creation->sweep_id,
        .project = first_of(spec->project, DEFAULT_PROJECT),
        .name = first_of(spec->name, creation->sweep_id),
        .method = spec_method_name(spec->method),
        .metric = first_of(spec->metric.name, NULL),
        .program = first_of(spec->program, NULL),
        .file_name = message->file_name,
        .spec_json = creation->spec_json,
        .request_id = given(message->request_id),
        .maximize = spec->metric.goal == SPEC_GOAL_MAXIMIZE,
        .has_grid_count = creation->has_grid_count,
        .seed = creation->seed,
        .run_cap = spec->run_cap,
        .grid_count = creation->grid_count,
        .source = message->source.data,
        .source_length = message->source.len,
    };
}

static enum status split_warnings(struct arena *arena, const struct buffer *lines,
                                  Besom__V1__CreateSweepResponse *response, struct err *err)
{
    response->warnings = arena_calloc(arena, SPEC_PROBLEMS_MAX, sizeof(*response->warnings));
    if (response->warnings == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    for (const char *at = buffer_text(lines); *at != '\0' && response->n_warnings < SPEC_PROBLEMS_MAX;) {
        size_t length = strcspn(at, "\n");
        char *line = arena_strndup(arena, at, length);
        if (line == NULL)
            return err_set(err, STATUS_NO_MEMORY, "out of memory");
        response->warnings[response->n_warnings++] = line;
        at += length + (at[length] == '\n');
    }
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
    if (existing == NULL || existing[0] == '\0')
        TRY(store_add_event(tx, sweep.sweep_id, "sweep_created", rpc_call_identity(request->call)->subject,
                            "", sweep.name, err));
    bool known = existing != NULL && existing[0] != '\0';
    TRY(picture_sweep(tx, known ? existing : sweep.sweep_id, &response->sweep, err));
    TRY(split_warnings(store_tx_arena(tx), &creation->warnings, response, err));
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
             LOG_TEXT("method", spec_method_name(creation->spec->method)),
             LOG_TEXT("by", rpc_call_identity(request->call)->subject));
    if (request->controller->refill != NULL)
        refill_wake(request->controller->refill);
}

static void release_create(struct request *request)
{
    struct creation *creation = request->state;
    if (creation == NULL)
        return;
    spec_free(creation->spec);
    free(creation->spec_json);
    buffer_free(&creation->warnings);
}

static const struct request_plan create_sweep_plan = {
    .check = check_create, .run = run_create, .after = after_create, .release = release_create};

REQUEST_HANDLER(create_sweep)
