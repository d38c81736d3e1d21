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

struct agents_options {
    struct connection_options connection;
    bool json;
};

static const struct table_column columns[] = {
    {"AGENT", false}, {"SWEEP", false},  {"STATE", false}, {"HOST", false},     {"PID", true},
    {"SLOTS", true},  {"RUNNING", true}, {"ENDED", true},  {"HEARD OF", false}, {"REASON", false}};

/* How a state is told; others plainly. */
static enum style state_style(const char *state)
{
    static const struct {
        const char *state;
        enum style style;
    } styles[] = {{"unreachable", STYLE_BAD}, {"quarantined", STYLE_BAD}, {"gone", STYLE_DIM}};
    for (size_t i = 0; i < ARRAY_LEN(styles); i++)
        if (strcmp(styles[i].state, state) == 0)
            return styles[i].style;
    return STYLE_PLAIN;
}

static void add_number(struct table *table, int64_t value)
{
    char text[FORMAT_SIZE];
    snprintf(text, sizeof text, "%lld", (long long)value);
    table_add(table, text);
}

static void add_row(struct table *table, const Besom__V1__Agent *agent)
{
    char text[FORMAT_SIZE];
    table_add(table, agent->agent_id);
    table_add(table, agent->sweep_id);
    table_add_styled(table, agent->state, state_style(agent->state));
    table_add(table, agent->host);
    add_number(table, agent->pid);
    add_number(table, agent->slots);
    add_number(table, agent->running);
    add_number(table, agent->ended);
    table_add(table, format_ago(agent->seen_us, clock_wall_us(&clock_system), text));
    table_add(table, *agent->reason != '\0' ? agent->reason : "-");
}

static int print_agents(struct cli *cli, const Besom__V1__ListAgentsResponse *response, bool as_json)
{
    struct table table = table_make(&cli->arena, columns, ARRAY_LEN(columns));
    json_t *array = json_array();
    for (size_t i = 0; i < response->n_agents; i++) {
        add_row(&table, response->agents[i]);
        json_array_append_new(array, entity_agent_json(response->agents[i]));
    }
    if (as_json)
        return entity_print_json(json_pack("{s:o}", "agents", array));
    json_decref(array);
    if (response->n_agents == 0)
        cli_note("No agents: besom agent SWEEP starts one");
    else
        table_print(&table);
    return CLI_OK;
}

static int run_agents(struct cli *cli, void *given)
{
    const struct agents_options *options = given;
    besom_client *client CLEANUP(connection_close) = NULL;
    Besom__V1__ListAgentsRequest request = BESOM__V1__LIST_AGENTS_REQUEST__INIT;
    Besom__V1__ListAgentsResponse *response CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_OK};
    const char *sweep_id = "";
    int code = CLI_OK;
    if (cli->given->argument_count > 0)
        code = id_argument(cli->given->arguments[0], "sweep", &sweep_id);
    if (code == CLI_OK)
        code = connection_open(&options->connection, &client);
    if (code != CLI_OK)
        return code;
    request.sweep_id = message_text(sweep_id);
    if (besom_agent_list(client, &request, &response, &error) != BESOM_OK)
        return connection_fail(&error, "cannot list agents");
    return print_agents(cli, response, options->json);
}

static const struct config_key keys[] = {
    JSON_KEY(struct agents_options),
    CONNECTION_KEYS(struct agents_options),
};

const struct cli_command cmd_agents = {
    .name = "agents",
    .group = "Look",
    .usage = "besom agents [SWEEP]",
    .summary = "List agents, most recently heard of first\n"
               "An agent is active, unreachable, gone or quarantined (its runs failed at once, so that its "
               "host gets no\n"
               "more of this sweep until others finish some); REASON says why.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct agents_options),
    .arguments_max = 1,
    .run = run_agents,
};
