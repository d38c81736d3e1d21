// SPDX-License-Identifier: GPL-3.0-or-later
#include "commands.h"

static int run_help(struct cli *cli, void *options)
{
    (void)options;
    if (cli->given->argument_count == 0) {
        cli_print_overview();
        return CLI_OK;
    }
    const char *name = cli->given->arguments[0];
    const struct cli_command *command = cli_find_command(name);
    if (command == NULL)
        return cli_fail(CLI_USAGE, "unknown command '%.80s' (see besom --help)", name);
    cli_print_command_help(command);
    return CLI_OK;
}

const struct cli_command cmd_help = {
    .name = "help",
    .group = "Other",
    .usage = "besom help [COMMAND]",
    .summary = "Explain a command",
    .arguments_max = 1,
    .run = run_help,
};
