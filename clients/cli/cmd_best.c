// SPDX-License-Identifier: GPL-3.0-or-later
#include <besom/command.h>
#include <stdio.h>

#include "best.h"
#include "command_line.h"
#include "commands.h"
#include "connection.h"
#include "entity.h"
#include "resolve.h"

struct best_options {
    struct connection_options connection;
    bool json;
    bool command;
};

static size_t command_items(const json_t *spec, struct cli *cli, const char *const **out)
{
    const json_t *command = json_object_get(spec, "command");
    size_t count = json_array_size(command);
    const char **items = arena_calloc(&cli->arena, count + 1, sizeof *items);
    *out = items;
    if (items == NULL)
        return 0;
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(command, i));
        items[i] = arena_strdup(&cli->arena, text != NULL ? text : "");
    }
    return count;
}

static int print_command(struct cli *cli, const Besom__V1__Sweep *sweep, const Besom__V1__Run *run)
{
    json_t *spec = entity_parsed_json(sweep->spec_json);
    struct command_line line = {.program = sweep->program, .params_json = run->params_json};
    line.item_count = command_items(spec, cli, &line.items);
    json_decref(spec);
    char **argv = NULL;
    bool needs_file = false;
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    const char *what = arena_printf(&cli->arena, "run %s", run->run_id);
    int code = command_line_expand(cli, &line, what != NULL ? what : run->run_id, &argv, &needs_file);
    if (code != CLI_OK)
        return code;
    command_line_quote(argv, &text);
    besom_command_free(argv);
    puts(buffer_text(&text));
    if (needs_file)
        cli_note("%s stands for a file with: %s", COMMAND_LINE_PARAMS_FILE, run->params_json);
    return CLI_OK;
}

static int run_best(struct cli *cli, void *given)
{
    const struct best_options *options = given;
    besom_client *client CLEANUP(connection_close) = NULL;
    Besom__V1__GetSweepRequest request = BESOM__V1__GET_SWEEP_REQUEST__INIT;
    Besom__V1__GetSweepResponse *response CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_OK};
    const char *sweep_id = NULL;
    int code = resolve_sweep(cli, &options->connection, cli->given->arguments[0], &client, &sweep_id);
    if (code != CLI_OK)
        return code;
    request.sweep_id = message_text(sweep_id);
    if (besom_sweep_get(client, &request, &response, &error) != BESOM_OK)
        return connection_fail(&error, "cannot read sweep %s", sweep_id);
    if (response->sweep == NULL || response->best == NULL)
        return cli_fail(CLI_NOT_FOUND, "sweep %s has no best run: %s", sweep_id,
                        response->sweep != NULL && *response->sweep->metric == '\0'
                            ? "its file names no metric"
                            : "no run has logged its metric (see besom runs)");
    if (options->json)
        return entity_print_json(entity_run_json(response->best));
    if (options->command)
        return print_command(cli, response->sweep, response->best);
    best_print(cli, response->sweep, response->best);
    return CLI_OK;
}

static const struct config_key keys[] = {
    {.name = "command",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct best_options, command),
     .help = "print its command line, quoted for a shell"},
    JSON_KEY(struct best_options),
    CONNECTION_KEYS(struct best_options),
};

const struct cli_command cmd_best = {
    .name = "best",
    .group = "Look",
    .usage = "besom best [--command] SWEEP",
    .summary = "Show the best run of a sweep",
    .footer = "To run it again: eval \"$(besom best --command SWEEP)\"",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct best_options),
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_best,
};
