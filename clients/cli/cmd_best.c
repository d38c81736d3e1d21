// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <string.h>

#include "best.h"
#include "command_line.h"
#include "commands.h"
#include "connection.h"
#include "entity.h"
#include "recommendation.h"
#include "resolve.h"
#include "run_columns.h"
#include "savings.h"

struct best_options {
    struct connection_options connection;
    bool json;
    bool command;
    int64_t count; /* 0 = the best alone, told at length */
};

static int print_command(struct cli *cli, const Besom__V1__Sweep *sweep, const Besom__V1__Run *run)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    bool needs_file = false;
    int code = command_line_of_run(cli, sweep, run, &text, &needs_file);
    if (code != CLI_OK)
        return code;
    puts(buffer_text(&text));
    if (needs_file)
        command_line_note_file(run);
    return CLI_OK;
}

static int tell_none(const Besom__V1__Sweep *sweep)
{
    const char *why = "no run has logged its metric (see besom runs)";
    if (*sweep->metric == '\0')
        why = strcmp(sweep->method, "none") == 0
                  ? "single runs have no common metric (besom runs --sort orders them by any)"
                  : "its file names no metric";
    return cli_fail(CLI_NOT_FOUND, "sweep %s has no best run: %s", sweep->sweep_id, why);
}

static int print_list(struct cli *cli, const struct best_options *options, const Besom__V1__Sweep *sweep,
                      struct run_list *list)
{
    static char names[] = "id,state,objective,runtime,host,params";
    struct run_columns columns;
    int code = CLI_OK;
    if (options->json) {
        json_t *array = json_array();
        for (size_t i = 0; i < list->count; i++)
            json_array_append_new(array, entity_run_json(list->views[i].run));
        return entity_print_json(json_pack("{s:o}", "runs", array));
    }
    for (size_t i = 0; i < list->count && options->command && code == CLI_OK; i++)
        code = print_command(cli, sweep, list->views[i].run);
    if (options->command)
        return code;
    code = run_columns_parse(cli, "best", names, &columns);
    if (code == CLI_OK)
        run_columns_print(cli, &columns, list);
    return code;
}

/* The best `count` runs, best first. */
static int print_best(struct cli *cli, const struct best_options *options, besom_client *client,
                      const Besom__V1__Sweep *sweep)
{
    const struct run_query_options best = {.filter = "objective != null", .limit = options->count};
    struct run_query query CLEANUP(run_query_release) = {.cli = NULL};
    struct run_list list CLEANUP(run_list_release) = {.messages = NULL};
    int code = run_query_prepare(cli, "best", &best, &query);
    if (code != CLI_OK)
        return code;
    query.request.order = BESOM__V1__RUN_ORDER__RUN_ORDER_OBJECTIVE;
    code = run_query_collect(&query, client, sweep->sweep_id, &list);
    return code == CLI_OK ? print_list(cli, options, sweep, &list) : code;
}

/* The best run at length, with what the whole sweep cost. */
static int tell_best(struct cli *cli, const struct best_options *options, besom_client *client,
                     const Besom__V1__GetSweepResponse *response)
{
    Besom__V1__ListBandsResponse *bands CLEANUP(message_release) = savings_read(client, response->sweep);
    const Besom__V1__Savings *savings = bands != NULL ? bands->savings : NULL;
    const struct recommendation model = recommendation_read(client, response->sweep);
    if (options->json) {
        json_t *run = entity_run_json(response->best);
        json_object_set_new(run, "sweep_run_time_ms", json_integer(response->sweep->run_time_ms));
        json_object_set_new(run, "savings", savings_json(savings));
        json_object_set_new(run, "model", recommendation_json(&model));
        return entity_print_json(run);
    }
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    best_print(cli, response->sweep, response->best);
    if (recommendation_differs(&model)) {
        recommendation_format(&model, &text);
        printf("by the model: %s\n", buffer_text(&text));
        buffer_clear(&text);
    }
    savings_format(savings, response->sweep->run_time_ms, &text);
    printf("sweep      %s\n", buffer_text(&text));
    return CLI_OK;
}

static int run_best(struct cli *cli, void *given)
{
    const struct best_options *options = given;
    besom_client *client CLEANUP(connection_close) = NULL;
    Besom__V1__GetSweepResponse *response CLEANUP(message_release) = NULL;
    int code = resolve_whole_sweep(&options->connection, cli->given->arguments[0], &client, &response);
    if (code != CLI_OK)
        return code;
    if (response->best == NULL)
        return tell_none(response->sweep);
    if (options->count > 0)
        return print_best(cli, options, client, response->sweep);
    if (options->command && !options->json)
        return print_command(cli, response->sweep, response->best);
    return tell_best(cli, options, client, response);
}

static const struct config_key keys[] = {
    {.name = "command",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct best_options, command),
     .help = "print its command line as an agent here would start it, quoted for a shell"},
    {.name = "count",
     .letter = 'n',
     .type = CONFIG_INT,
     .offset = offsetof(struct best_options, count),
     .value_name = "N",
     .min = 1,
     .max = 1000000,
     .help = "list the best N, best first; unset: the best alone, at length"},
    JSON_KEY(struct best_options),
    CONNECTION_KEYS(struct best_options),
};

const struct cli_command cmd_best = {
    .name = "best",
    .group = "Look",
    .usage = "besom best [-n N] [--command] SWEEP",
    .summary = "Show the best run of a sweep",
    .footer = "To run it again: eval \"$(besom best --command SWEEP)\"",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct best_options),
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_best,
};
