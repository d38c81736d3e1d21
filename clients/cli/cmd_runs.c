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

#define STATES_MAX 16

struct runs_options {
    struct connection_options connection;
    bool json;
    const char *order;
    struct config_list states;
    int64_t limit;
};

/* What a listing needs from page to page. */
struct listing {
    struct cli *cli;
    besom_client *client;
    const struct runs_options *options;
    Besom__V1__ListRunsRequest request;
    Besom__V1__RunState states[STATES_MAX];
    int64_t left;
    struct table table;
    json_t *array;
};

static const struct table_column columns[] = {{"RUN", false},  {"STATE", false},  {"OBJECTIVE", true},
                                              {"TIME", true},  {"TRY", true},     {"ENDED", false},
                                              {"HOST", false}, {"REASON", false}, {"PARAMETERS", false}};

static void add_row(struct table *table, const Besom__V1__Run *run)
{
    char text[FORMAT_SIZE];
    int64_t now_us = clock_wall_us(&clock_system);
    bool lives = run->started_us != 0 && run->ended_us == 0;
    table_add(table, run->run_id);
    if (run->unreachable)
        table_add_styled(table, "unreachable", STYLE_BAD);
    else
        table_add_styled(table, entity_run_state(run->state), entity_run_style(run->state));
    table_add(table, entity_run_has_objective(run) ? format_number(run->objective, text) : "-");
    table_add(table, format_duration(lives ? (now_us - run->started_us) / 1000 : run->run_time_ms, text));
    snprintf(text, sizeof text, "%d", (int)run->attempt);
    table_add(table, text);
    table_add(table, format_ago(run->ended_us, now_us, text));
    table_add(table, *run->host != '\0' ? run->host : "-");
    table_add(table, *run->end_reason != '\0' ? run->end_reason : "-");
    table_add(table, entity_params_text(table->arena, run->params_json));
}

static int parse_states(struct listing *listing)
{
    const struct config_list *names = &listing->options->states;
    for (size_t i = 0; i < names->count; i++) {
        int state = BESOM__V1__RUN_STATE__RUN_STATE_CRASHED;
        while (state > 0 && strcmp(entity_run_state((Besom__V1__RunState)state), names->items[i]) != 0)
            state--;
        if (state == 0 || i >= STATES_MAX)
            return cli_fail(CLI_USAGE,
                            "runs: --state: '%.40s' is no state of a run (pending, assigned, running, "
                            "preempting, paused, "
                            "finished, stopped, failed, killed, crashed)",
                            names->items[i]);
        listing->states[i] = (Besom__V1__RunState)state;
    }
    listing->request.states = listing->states;
    listing->request.n_states = names->count;
    return CLI_OK;
}

static int parse_order(struct listing *listing)
{
    static const struct {
        const char *name;
        Besom__V1__RunOrder order;
    } orders[] = {{"ordinal", BESOM__V1__RUN_ORDER__RUN_ORDER_UNSPECIFIED},
                  {"best", BESOM__V1__RUN_ORDER__RUN_ORDER_OBJECTIVE},
                  {"newest", BESOM__V1__RUN_ORDER__RUN_ORDER_NEWEST}};
    for (size_t i = 0; i < ARRAY_LEN(orders); i++)
        if (strcmp(orders[i].name, listing->options->order) == 0) {
            listing->request.order = orders[i].order;
            return CLI_OK;
        }
    return cli_fail(CLI_USAGE, "runs: --order: '%.40s' is none of ordinal, best, newest",
                    listing->options->order);
}

static int read_page(struct listing *listing)
{
    Besom__V1__ListRunsResponse *response CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_OK};
    listing->request.page_size = listing->left > 0 && listing->left < 1000 ? (int32_t)listing->left : 1000;
    if (besom_run_list(listing->client, &listing->request, &response, &error) != BESOM_OK)
        return connection_fail(&error, "cannot list the runs of sweep %s", listing->request.sweep_id);
    for (size_t i = 0; i < response->n_runs; i++) {
        add_row(&listing->table, response->runs[i]);
        json_array_append_new(listing->array, entity_run_json(response->runs[i]));
    }
    listing->request.page_token = arena_strdup(&listing->cli->arena, response->next_page_token);
    if (listing->request.page_token == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    if (listing->left > 0 && (listing->left -= (int64_t)response->n_runs) <= 0)
        listing->request.page_token = message_text("");
    return CLI_OK;
}

static int run_runs(struct cli *cli, void *given)
{
    besom_client *client CLEANUP(connection_close) = NULL;
    struct listing listing = {.cli = cli, .options = given, .request = BESOM__V1__LIST_RUNS_REQUEST__INIT};
    const char *sweep_id = NULL;
    int code = parse_states(&listing);
    if (code == CLI_OK)
        code = parse_order(&listing);
    if (code == CLI_OK)
        code = resolve_sweep(cli, &listing.options->connection, cli->given->arguments[0], &client, &sweep_id);
    if (code != CLI_OK)
        return code;
    listing.client = client;
    listing.request.sweep_id = message_text(sweep_id);
    listing.left = listing.options->limit;
    listing.table = table_make(&cli->arena, columns, ARRAY_LEN(columns));
    listing.array = json_array();
    do
        code = read_page(&listing);
    while (code == CLI_OK && *listing.request.page_token != '\0');
    if (code == CLI_OK && listing.options->json)
        return entity_print_json(json_pack("{s:o}", "runs", listing.array));
    if (code == CLI_OK && json_array_size(listing.array) == 0)
        cli_note("No runs yet: besom agent %s takes some", sweep_id);
    else if (code == CLI_OK)
        table_print(&listing.table);
    json_decref(listing.array);
    return code;
}

static const struct config_key keys[] = {
    {.name = "order",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct runs_options, order),
     .initial = "ordinal",
     .value_name = "ORDER",
     .help = "ordinal, best or newest"},
    {.name = "state",
     .type = CONFIG_LIST,
     .offset = offsetof(struct runs_options, states),
     .value_name = "STATE",
     .help = "only runs in this state"},
    {.name = "limit",
     .letter = 'n',
     .type = CONFIG_INT,
     .offset = offsetof(struct runs_options, limit),
     .value_name = "N",
     .min = 0,
     .max = 1000000000,
     .help = "most runs to list; 0 = all"},
    JSON_KEY(struct runs_options),
    CONNECTION_KEYS(struct runs_options),
};

const struct cli_command cmd_runs = {
    .name = "runs",
    .group = "Look",
    .usage = "besom runs [options] SWEEP",
    .summary = "List the runs of a sweep",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct runs_options),
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_runs,
};
