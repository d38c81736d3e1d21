// SPDX-License-Identifier: GPL-3.0-or-later
#include "run_targets.h"

#include <stdlib.h>
#include <string.h>

#include "resolve.h"

#define IDS_SHOWN 20

bool run_targets_are_chosen(const struct run_query_options *options)
{
    return options->filter != NULL || options->states.count > 0;
}

/* Why an id is no run's: people name the sweep and forget the filter. */
static int tell_missing(struct run_query *query, besom_client *client, const char *id)
{
    Besom__V1__GetSweepRequest request = BESOM__V1__GET_SWEEP_REQUEST__INIT;
    Besom__V1__GetSweepResponse *response CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_OK};
    request.sweep_id = message_text(id);
    if (besom_sweep_get(client, &request, &response, &error) == BESOM_OK)
        return cli_fail(CLI_USAGE, "%s: %s is a sweep (name its runs, or choose some with --filter)",
                        query->command, id);
    return cli_fail(CLI_NOT_FOUND, "%s: there is no run %s (see besom runs SWEEP)", query->command, id);
}

static bool is_known(const struct run_targets *targets, const char *id)
{
    for (size_t i = 0; i < targets->found_count; i++)
        if (strcmp(targets->found[i]->run->run_id, id) == 0)
            return true;
    return false;
}

static int find_run(struct run_query *query, besom_client *client, const char *text, struct run_targets *out)
{
    const char *id = NULL;
    Besom__V1__GetRunRequest request = BESOM__V1__GET_RUN_REQUEST__INIT;
    Besom__V1__GetRunResponse *response = NULL;
    besom_error error = {.code = BESOM_OK};
    int code = id_argument(text, "run", &id);
    if (code != CLI_OK || is_known(out, id))
        return code;
    request.run_id = message_text(id);
    besom_status status = besom_run_get(client, &request, &response, &error);
    if (status == BESOM_NOT_FOUND)
        return tell_missing(query, client, id);
    if (status != BESOM_OK)
        return connection_fail(&error, "cannot read run %s", id);
    if (response->run == NULL) {
        besom_message_free(response);
        return cli_fail(CLI_FAILED, "cannot read run %s: the answer is empty", id);
    }
    out->found[out->found_count++] = response;
    return CLI_OK;
}

static int find_named(struct run_query *query, besom_client *client, const char *const *ids, size_t count,
                      struct run_targets *out)
{
    out->found = arena_calloc(&query->cli->arena, count + 1, sizeof *out->found);
    out->runs = arena_calloc(&query->cli->arena, count + 1, sizeof *out->runs);
    if (out->found == NULL || out->runs == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    for (size_t i = 0; i < count; i++) {
        int code = find_run(query, client, ids[i], out);
        if (code != CLI_OK)
            return code;
    }
    for (; out->count < out->found_count; out->count++)
        out->runs[out->count] = out->found[out->count]->run;
    return CLI_OK;
}

static int find_chosen(struct run_query *query, besom_client *client, const char *const *ids, size_t count,
                       struct run_targets *out)
{
    for (size_t i = 0; i < count; i++) {
        const char *id = NULL;
        int code = id_argument(ids[i], "sweep", &id);
        for (size_t k = 0; k < i; k++)
            if (strcmp(ids[k], ids[i]) == 0)
                return cli_fail(CLI_USAGE, "%s: sweep %s is named twice", query->command, id);
        if (code == CLI_OK)
            code = run_query_collect(query, client, id, &out->list);
        if (code != CLI_OK)
            return code;
    }
    out->runs = arena_calloc(&query->cli->arena, out->list.count + 1, sizeof *out->runs);
    if (out->runs == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    for (; out->count < out->list.count; out->count++)
        out->runs[out->count] = out->list.views[out->count].run;
    if (out->count == 0)
        run_query_note_unknown(query);
    return CLI_OK;
}

int run_targets_find(struct run_query *query, besom_client *client, const char *const *ids, size_t count,
                     struct run_targets *out)
{
    return run_targets_are_chosen(query->options) ? find_chosen(query, client, ids, count, out)
                                                  : find_named(query, client, ids, count, out);
}

void run_targets_release(struct run_targets *targets)
{
    run_list_release(&targets->list);
    for (size_t i = 0; i < targets->found_count; i++)
        besom_message_free(targets->found[i]);
    targets->found_count = 0;
}

void run_targets_append_ids(struct buffer *out, const char *const *ids, size_t count)
{
    for (size_t i = 0; i < count && i < IDS_SHOWN; i++)
        buffer_printf(out, " %s", ids[i]);
    if (count > IDS_SHOWN)
        buffer_printf(out, " and %zu more", count - IDS_SHOWN);
}

bool split_list(struct arena *arena, const struct config_list *list, struct config_list *out)
{
    size_t most = list->count;
    for (size_t i = 0; i < list->count; i++)
        for (const char *c = list->items[i]; *c != '\0'; c++)
            most += *c == ',';
    *out = (struct config_list){.items = arena_calloc(arena, most + 1, sizeof *out->items)};
    for (size_t i = 0; out->items != NULL && i < list->count; i++) {
        for (const char *next = list->items[i]; *next != '\0';) {
            size_t length = strcspn(next, ",");
            char *word = arena_strndup(arena, next, length);
            if (word == NULL)
                return false;
            if (length > 0)
                out->items[out->count++] = word;
            next += length + (next[length] == ',' ? 1 : 0);
        }
    }
    return out->items != NULL;
}
