// SPDX-License-Identifier: GPL-3.0-or-later
#include "commands.h"
#include "run_edit.h"

struct rename_options {
    struct connection_options connection;
    bool json;
};

static int run_rename(struct cli *cli, void *given)
{
    const struct rename_options *options = given;
    const struct run_query_options none = {.filter = NULL};
    const struct run_edit edit = {.name = cli->given->arguments[1], .done = "Renamed", .json = options->json};
    return run_edit_apply(cli, "rename", &options->connection, &none, cli->given->arguments, 1, &edit);
}

static const struct config_key keys[] = {
    JSON_KEY(struct rename_options),
    CONNECTION_KEYS(struct rename_options),
};

const struct cli_command cmd_rename = {
    .name = "rename",
    .group = "Change",
    .usage = "besom rename RUN NAME",
    .summary = "Give a run a name for people\n"
               "An empty NAME takes it away: what the program said stands again.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct rename_options),
    .arguments_min = 2,
    .arguments_max = 2,
    .run = run_rename,
};
