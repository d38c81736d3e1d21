// SPDX-License-Identifier: GPL-3.0-or-later
#include "run_edit.h"

#include <stdio.h>
#include <string.h>

#include "entity.h"
#include "resolve.h"

#define RUNS_AT_ONCE 10000

/* One command's work. */
struct editing {
    struct cli *cli;
    besom_client *client;
    const struct run_edit *edit;
    const struct run_targets *targets;
    const char **changed; /* ids, in the arena */
    size_t changed_count;
    const Besom__V1__Run **batch; /* of one sweep, in the arena */
};

static bool has_tag(const Besom__V1__Run *run, const char *tag)
{
    for (size_t i = 0; i < run->n_tags; i++)
        if (strcmp(run->tags[i], tag) == 0)
            return true;
    return false;
}

bool run_edit_changes(const struct run_edit *edit, const Besom__V1__Run *run)
{
    bool changes = (edit->name != NULL && strcmp(edit->name, run->name) != 0) ||
                   (edit->notes != NULL && strcmp(edit->notes, run->notes) != 0);
    for (size_t i = 0; i < edit->add_tags.count; i++)
        changes = changes || !has_tag(run, edit->add_tags.items[i]);
    for (size_t i = 0; i < edit->remove_tags.count; i++)
        changes = changes || has_tag(run, edit->remove_tags.items[i]);
    return changes;
}

static bool differ(const Besom__V1__Run *before, const Besom__V1__Run *after)
{
    bool same = strcmp(before->name, after->name) == 0 && strcmp(before->notes, after->notes) == 0 &&
                before->n_tags == after->n_tags;
    for (size_t i = 0; same && i < before->n_tags; i++)
        same = has_tag(after, before->tags[i]);
    return !same;
}

static void fill_request(struct editing *editing, size_t count, char **ids,
                         Besom__V1__EditRunsRequest *request)
{
    const struct run_edit *edit = editing->edit;
    for (size_t i = 0; i < count; i++)
        ids[i] = editing->batch[i]->run_id;
    request->sweep_id = editing->batch[0]->sweep_id;
    request->run_ids = ids;
    request->n_run_ids = count;
    if (edit->name != NULL) {
        request->name_choice_case = BESOM__V1__EDIT_RUNS_REQUEST__NAME_CHOICE_NAME;
        request->name = message_text(edit->name);
    }
    if (edit->notes != NULL) {
        request->notes_choice_case = BESOM__V1__EDIT_RUNS_REQUEST__NOTES_CHOICE_NOTES;
        request->notes = message_text(edit->notes);
    }
    request->add_tags = (char **)(uintptr_t)edit->add_tags.items;
    request->n_add_tags = edit->add_tags.count;
    request->remove_tags = (char **)(uintptr_t)edit->remove_tags.items;
    request->n_remove_tags = edit->remove_tags.count;
}

/* The first `count` runs of the batch. */
static int send_batch(struct editing *editing, size_t count)
{
    Besom__V1__EditRunsRequest request = BESOM__V1__EDIT_RUNS_REQUEST__INIT;
    Besom__V1__EditRunsResponse *response CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_OK};
    char **ids = arena_calloc(&editing->cli->arena, count, sizeof *ids);
    if (ids == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    fill_request(editing, count, ids, &request);
    if (besom_runs_edit(editing->client, &request, &response, &error) != BESOM_OK)
        return connection_fail(&error, "cannot change runs of sweep %s", request.sweep_id);
    for (size_t i = 0; i < count; i++) {
        const Besom__V1__Run *after = i < response->n_runs ? response->runs[i] : NULL;
        if (after != NULL ? differ(editing->batch[i], after)
                          : run_edit_changes(editing->edit, editing->batch[i]))
            editing->changed[editing->changed_count++] = ids[i];
    }
    return CLI_OK;
}

/* The runs of the sweep that run `first` belongs to, unless an earlier one did. */
static int edit_sweep(struct editing *editing, size_t first)
{
    const struct run_targets *targets = editing->targets;
    const char *sweep_id = targets->runs[first]->sweep_id;
    size_t count = 0;
    int code = CLI_OK;
    for (size_t i = 0; i < first; i++)
        if (strcmp(targets->runs[i]->sweep_id, sweep_id) == 0)
            return CLI_OK;
    for (size_t i = first; i < targets->count && code == CLI_OK; i++) {
        if (strcmp(targets->runs[i]->sweep_id, sweep_id) != 0)
            continue;
        editing->batch[count++] = targets->runs[i];
        if (count == RUNS_AT_ONCE) {
            code = send_batch(editing, count);
            count = 0;
        }
    }
    return code == CLI_OK && count > 0 ? send_batch(editing, count) : code;
}

static int tell(const struct editing *editing)
{
    size_t changed = editing->changed_count, matched = editing->targets->count;
    if (editing->edit->json) {
        json_t *ids = json_array();
        for (size_t i = 0; i < changed; i++)
            json_array_append_new(ids, json_string(editing->changed[i]));
        return entity_print_json(json_pack("{s:I,s:I,s:o}", "matched", (json_int_t)matched, "changed",
                                           (json_int_t)changed, "run_ids", ids));
    }
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    run_targets_append_ids(&text, editing->changed, changed);
    if (matched == 0)
        cli_say("No run matches");
    else if (changed == 0)
        cli_say("Nothing has changed: %zu run%s like that already", matched, matched == 1 ? " is" : "s are");
    else
        cli_say("%s %zu run%s:%s", editing->edit->done, changed, changed == 1 ? "" : "s", buffer_text(&text));
    return CLI_OK;
}

int run_edit_apply(struct cli *cli, const char *command, const struct connection_options *connection,
                   const struct run_query_options *options, const char *const *ids, size_t id_count,
                   const struct run_edit *edit)
{
    besom_client *client CLEANUP(connection_close) = NULL;
    struct run_query query CLEANUP(run_query_release) = {.cli = NULL};
    struct run_targets targets CLEANUP(run_targets_release) = {.runs = NULL};
    int code = run_query_prepare(cli, command, options, &query);
    const char *checked = NULL;
    for (size_t i = 0; i < id_count && code == CLI_OK; i++)
        code = id_argument(ids[i], run_targets_are_chosen(options) ? "sweep" : "run", &checked);
    if (code == CLI_OK)
        code = connection_open(connection, &client);
    if (code == CLI_OK)
        code = run_targets_find(&query, client, ids, id_count, &targets);
    if (code != CLI_OK)
        return code;
    struct editing editing = {.cli = cli, .client = client, .edit = edit, .targets = &targets};
    editing.changed = arena_calloc(&cli->arena, targets.count + 1, sizeof *editing.changed);
    editing.batch = arena_calloc(&cli->arena, targets.count + 1, sizeof *editing.batch);
    if (editing.changed == NULL || editing.batch == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    for (size_t i = 0; i < targets.count && code == CLI_OK; i++)
        code = edit_sweep(&editing, i);
    return code == CLI_OK ? tell(&editing) : code;
}
