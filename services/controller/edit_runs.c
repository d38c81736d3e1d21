// SPDX-License-Identifier: GPL-3.0-or-later
/* EditRuns: names, notes and tags that users give. */
#include <string.h>

#include "base/log.h"
#include "db/store/sweeps.h"
#include "services/controller/handlers.h"
#include "services/controller/picture.h"
#include "services/controller/request.h"
#include "services/controller/run_picture.h"

#define RUNS_MAX 10000
#define RUNS_READ 100
#define NAME_MAX_BYTES 256
#define NOTES_MAX_BYTES (16u << 10)
#define TAG_MAX_BYTES 64
#define REMOVED_MAX 1000

static enum status no_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "out of memory");
}

static enum status check_tags(const Besom__V1__EditRunsRequest *message, struct err *err)
{
    if (message->n_add_tags > STORE_RUN_TAGS_MAX)
        return err_set(err, STATUS_INVALID, "a run may have %d tags", STORE_RUN_TAGS_MAX);
    if (message->n_remove_tags > REMOVED_MAX)
        return err_set(err, STATUS_INVALID, "%d tags may be taken away at a time", REMOVED_MAX);
    for (size_t i = 0; i < message->n_remove_tags; i++)
        if (strlen(message->remove_tags[i]) > RUN_PICTURE_TAG_MAX)
            return err_set(err, STATUS_INVALID, "a tag to take away may have %d bytes", RUN_PICTURE_TAG_MAX);
    for (size_t i = 0; i < message->n_add_tags; i++) {
        const char *tag = message->add_tags[i];
        if (tag[0] == '\0' || strlen(tag) > TAG_MAX_BYTES || strchr(tag, ',') != NULL)
            return err_set(err, STATUS_INVALID, "a tag must have 1 to %d bytes, and no commas",
                           TAG_MAX_BYTES);
        for (size_t k = 0; k < message->n_remove_tags; k++)
            if (strcmp(tag, message->remove_tags[k]) == 0)
                return err_set(err, STATUS_INVALID, "tag %s is both added and taken away", tag);
    }
    return STATUS_OK;
}

static enum status check_edit(struct request *request, struct err *err)
{
    const Besom__V1__EditRunsRequest *message = request->message;
    if (message->n_run_ids < 1 || message->n_run_ids > RUNS_MAX)
        return err_set(err, STATUS_INVALID, "1 to %d runs may be changed at a time", RUNS_MAX);
    for (size_t i = 0; i < message->n_run_ids; i++)
        TRY(request_check_id("run", message->run_ids[i], err));
    if (message->name_choice_case != 0 && strlen(message->name) > NAME_MAX_BYTES)
        return err_set(err, STATUS_INVALID, "a name may have %d bytes", NAME_MAX_BYTES);
    if (message->notes_choice_case != 0 && strlen(message->notes) > NOTES_MAX_BYTES)
        return err_set(err, STATUS_INVALID, "notes may have 16 KiB");
    TRY(check_tags(message, err));
    return request_check_sweep(request, message->sweep_id, err);
}

static enum status add_event(struct store_tx *tx, const struct request *request, struct err *err)
{
    const Besom__V1__EditRunsRequest *message = request->message;
    struct buffer detail CLEANUP(buffer_free) = BUFFER_INIT;
    buffer_printf(&detail, "%zu run%s:", message->n_run_ids, message->n_run_ids == 1 ? "" : "s");
    if (message->name_choice_case != 0)
        buffer_puts(&detail, " name");
    if (message->notes_choice_case != 0)
        buffer_puts(&detail, " notes");
    for (size_t i = 0; i < message->n_add_tags; i++)
        buffer_printf(&detail, " +%s", message->add_tags[i]);
    for (size_t i = 0; i < message->n_remove_tags; i++)
        buffer_printf(&detail, " -%s", message->remove_tags[i]);
    if (detail.failed)
        return no_memory(err);
    return store_add_event(tx, message->sweep_id, "runs_edited", rpc_call_identity(request->call)->subject,
                           message->n_run_ids == 1 ? message->run_ids[0] : "", buffer_text(&detail), err);
}

/* As many as one message carries. */
static enum status show_runs(struct store_tx *tx, const Besom__V1__EditRunsRequest *message,
                             Besom__V1__EditRunsResponse *response, struct err *err)
{
    size_t bytes = PICTURE_BYTES_MAX, fitting = 0, count = 0;
    response->runs = arena_calloc(store_tx_arena(tx), message->n_run_ids, sizeof(*response->runs));
    if (response->runs == NULL)
        return no_memory(err);
    for (size_t first = 0; first < message->n_run_ids && fitting == count; first += RUNS_READ) {
        const char *const *ids = (const char *const *)message->run_ids + first;
        size_t left = message->n_run_ids - first;
        struct store_run *rows;
        Besom__V1__Run **runs;
        TRY(store_list_runs_of(tx, message->sweep_id, ids, left < RUNS_READ ? left : RUNS_READ, &rows, &count,
                               err));
        TRY(picture_runs(tx, message->sweep_id, rows, count, bytes, &runs, &fitting, err));
        for (size_t i = 0; i < fitting; i++) {
            bytes -= besom__v1__run__get_packed_size(runs[i]);
            response->runs[response->n_runs++] = runs[i];
        }
    }
    return STATUS_OK;
}

static enum status run_edit(struct store_tx *tx, struct request *request, struct err *err)
{
    const Besom__V1__EditRunsRequest *message = request->message;
    const struct store_run_edit edit = {
        .name = message->name_choice_case != 0 ? message->name : NULL,
        .notes = message->notes_choice_case != 0 ? message->notes : NULL,
        .add_tags = (const char *const *)message->add_tags,
        .remove_tags = (const char *const *)message->remove_tags,
        .add_count = message->n_add_tags,
        .remove_count = message->n_remove_tags,
    };
    Besom__V1__EditRunsResponse *response =
        MESSAGE_NEW(store_tx_arena(tx), Besom__V1__EditRunsResponse, besom__v1__edit_runs_response__init);
    if (response == NULL)
        return no_memory(err);
    TRY(store_edit_runs(tx, message->sweep_id, (const char *const *)message->run_ids, message->n_run_ids,
                        &edit, err));
    TRY(add_event(tx, request, err));
    TRY(show_runs(tx, message, response, err));
    request->response = &response->base;
    return STATUS_OK;
}

static void after_edit(struct request *request)
{
    const Besom__V1__EditRunsRequest *message = request->message;
    log_info(CONTROLLER_LOG, "runs_edited", LOG_TEXT("sweep", message->sweep_id),
             LOG_INT("runs", (int64_t)message->n_run_ids),
             LOG_TEXT("by", rpc_call_identity(request->call)->subject));
}

static const struct request_plan edit_runs_plan = {.check = check_edit, .run = run_edit, .after = after_edit};
REQUEST_HANDLER(edit_runs)
