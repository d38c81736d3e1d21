// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>

#include "commands.h"

static int run_version(struct cli *cli, void *options)
{
    (void)cli;
    (void)options;
    printf("besom %s\n", BESOM_VERSION);
    return CLI_OK;
}

const struct cli_command cmd_version = {
    .name = "version",
    .group = "Other",
    .usage = "besom version",
    .summary = "Print the version",
    .run = run_version,
};
