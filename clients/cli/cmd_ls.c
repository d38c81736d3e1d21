// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "commands.h"
#include "connection.h"
#include "entity.h"
#include "format.h"
#include "resolve.h"
#include "table.h"

struct ls_options {
    struct connection_options connection;
    bool json;
    const char *project;
    int64_t limit;
};

static const struct table_column columns[] = {{"SWEEP", false},  {"NAME", false},    {"PROJECT", false},
                                              {"STATE", false},  {"METHOD", false},  {"RUNS", true},
                                              {"RUNNING", true}, {"CREATED", false}, {"METRIC", false}};

static void add_row(struct table *table, const Besom__V1__Sweep *sweep)
{
    char text[2 * FORMAT_SIZE];
    long long done = (long long)entity_ended_runs(sweep->counts);
    table_add(table, sweep->sweep_id);
    table_add(table, sweep->name);
    table_add(table, sweep->project);
    table_add_styled(table, entity_sweep_state(sweep->state), entity_sweep_style(sweep->state));
    table_add(table, entity_sweep_method(sweep));
    if (sweep->expected_runs > 0)
        snprintf(text, sizeof text, "%lld/%lld", done, (long long)sweep->expected_runs);
    else
        snprintf(text, sizeof text, "%lld", done);
    table_add(table, text);
    snprintf(text, sizeof text, "%lld", (long long)(sweep->counts != NULL ? sweep->counts->running : 0));
    table_add(table, text);
    table_add(table, format_ago(sweep->created_us, clock_wall_us(&clock_system), text));
    table_add(table, *sweep->metric != '\0' ? sweep->metric : "-");
}

/* One page more into table and array; the token of the next, "" at the end. */
static int read_page(struct cli *cli, besom_client *client, const struct ls_options *options,
                     const char **token, int64_t *left, struct table *table, json_t *array)
{
    Besom__V1__ListSweepsRequest request = BESOM__V1__LIST_SWEEPS_REQUEST__INIT;
    Besom__V1__ListSweepsResponse *response CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_OK};
    if (options->project != NULL)
        request.project = message_text(options->project);
    request.page_size = *left > 0 && *left < 1000 ? (int32_t)*left : 1000;
    request.page_token = message_text(*token);
    if (besom_sweep_list(client, &request, &response, &error) != BESOM_OK)
        return connection_fail(&error, "cannot list sweeps");
    for (size_t i = 0; i < response->n_sweeps; i++) {
        add_row(table, response->sweeps[i]);
        json_array_append_new(array, entity_sweep_json(response->sweeps[i]));
    }
    *token = arena_strdup(&cli->arena, response->next_page_token);
    if (*token == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    if (*left > 0 && (*left -= (int64_t)response->n_sweeps) <= 0)
        *token = "";
    return CLI_OK;
}

static int run_ls(struct cli *cli, void *given)
{
    const struct ls_options *options = given;
    besom_client *client CLEANUP(connection_close) = NULL;
    struct table table = table_make(&cli->arena, columns, ARRAY_LEN(columns));
    const char *token = "";
    int64_t left = options->limit;
    int code = connection_open(&options->connection, &client);
    if (code != CLI_OK)
        return code;
    json_t *array = json_array();
    do
        code = read_page(cli, client, options, &token, &left, &table, array);
    while (code == CLI_OK && *token != '\0');
    if (code == CLI_OK && options->json)
        return entity_print_json(json_pack("{s:o}", "sweeps", array));
    if (code == CLI_OK && json_array_size(array) == 0)
        cli_note("No sweeps yet: besom sweep FILE makes one");
    else if (code == CLI_OK)
        table_print(&table);
    json_decref(array);
    return code;
}

static const struct config_key keys[] = {
    {.name = "project",
     .letter = 'p',
     .type = CONFIG_TEXT,
     .offset = offsetof(struct ls_options, project),
     .environment = "BESOM_PROJECT",
     .value_name = "NAME",
     .help = "only sweeps of this project"},
    {.name = "limit",
     .letter = 'n',
     .type = CONFIG_INT,
     .offset = offsetof(struct ls_options, limit),
     .value_name = "N",
     .min = 0,
     .max = 1000000,
     .help = "most sweeps to list, newest first; 0 = all"},
    JSON_KEY(struct ls_options),
    CONNECTION_KEYS(struct ls_options),
};

const struct cli_command cmd_ls = {
    .name = "ls",
    .group = "Look",
    .usage = "besom ls [options]",
    .summary = "List sweeps, newest first",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct ls_options),
    .run = run_ls,
};
