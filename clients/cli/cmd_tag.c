// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "commands.h"
#include "run_edit.h"

struct tag_options {
    struct connection_options connection;
    bool json;
    struct run_query_options query;
    struct config_list add, remove;
};

static int check(const struct run_edit *edit)
{
    if (edit->add_tags.count + edit->remove_tags.count == 0)
        return cli_fail(CLI_USAGE, "tag: nothing to do (give --add TAG, --remove TAG or both)");
    for (size_t i = 0; i < edit->add_tags.count; i++)
        for (size_t k = 0; k < edit->remove_tags.count; k++)
            if (strcmp(edit->add_tags.items[i], edit->remove_tags.items[k]) == 0)
                return cli_fail(CLI_USAGE, "tag: '%.64s' is both added and removed", edit->add_tags.items[i]);
    return CLI_OK;
}

static int run_tag(struct cli *cli, void *given)
{
    const struct tag_options *options = given;
    struct run_edit edit = {.done = options->add.count > 0 ? "Tagged" : "Untagged", .json = options->json};
    if (!split_list(&cli->arena, &options->add, &edit.add_tags) ||
        !split_list(&cli->arena, &options->remove, &edit.remove_tags))
        return cli_fail(CLI_FAILED, "out of memory");
    int code = check(&edit);
    if (code != CLI_OK)
        return code;
    return run_edit_apply(cli, "tag", &options->connection, &options->query, cli->given->arguments,
                          cli->given->argument_count, &edit);
}

static const struct config_key keys[] = {
    {.name = "add",
     .letter = 'a',
     .type = CONFIG_LIST,
     .offset = offsetof(struct tag_options, add),
     .value_name = "TAG,...",
     .help = "tags to add"},
    {.name = "remove",
     .letter = 'r',
     .type = CONFIG_LIST,
     .offset = offsetof(struct tag_options, remove),
     .value_name = "TAG,...",
     .help = "tags to take away, also those that the program set"},
    RUN_FILTER_KEY(struct tag_options),
    RUN_STATE_KEY(struct tag_options),
    JSON_KEY(struct tag_options),
    CONNECTION_KEYS(struct tag_options),
};

const struct cli_command cmd_tag = {
    .name = "tag",
    .group = "Change",
    .usage =
        "besom tag RUN... --add TAG,... [--remove TAG,...] | besom tag SWEEP --filter EXPR --add TAG,...",
    .summary =
        "Tag runs\n"
        "Says which runs have changed. With --filter or --state the arguments are sweeps and their runs are\n"
        "chosen, without they are runs.",
    .footer = RUN_FILTER_HELP,
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct tag_options),
    .arguments_min = 1,
    .arguments_max = (size_t)-1,
    .run = run_tag,
};
