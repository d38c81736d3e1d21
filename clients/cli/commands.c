// SPDX-License-Identifier: GPL-3.0-or-later
#include "commands.h"

#include <stdio.h>
#include <string.h>

#define SUMMARY_COLUMN 12

/* In the order of `besom --help`; commands of a group stand together. */
const struct cli_command *const cli_commands[] = {
    &cmd_up,     &cmd_down,   &cmd_run,  &cmd_sweep,      &cmd_check,   &cmd_sample,   &cmd_agent,
    &cmd_deploy, &cmd_submit, &cmd_ls,   &cmd_status,     &cmd_runs,    &cmd_best,     &cmd_metrics,
    &cmd_export, &cmd_logs,   &cmd_why,  &cmd_importance, &cmd_predict, &cmd_brackets, &cmd_replay,
    &cmd_agents, &cmd_stop,   &cmd_tag,  &cmd_note,       &cmd_rename,  &cmd_delete,   &cmd_log,
    &cmd_token,  &cmd_audit,  &cmd_help, &cmd_version,
};
const size_t cli_command_count = ARRAY_LEN(cli_commands);

const struct cli_command *cli_find_command(const char *name)
{
    for (size_t i = 0; i < cli_command_count; i++)
        if (strcmp(cli_commands[i]->name, name) == 0)
            return cli_commands[i];
    return NULL;
}

void cli_print_command_help(const struct cli_command *command)
{
    const struct config_command configuration = {.usage = command->usage,
                                                 .summary = command->summary,
                                                 .keys = command->keys,
                                                 .key_count = command->key_count,
                                                 .footer = command->footer};
    config_print_help(&configuration, stdout);
}

void cli_print_overview(void)
{
    const char *group = "";
    printf("Usage: besom COMMAND [options]\n\nSelf-hosted hyperparameter sweeps.\n");
    for (size_t i = 0; i < cli_command_count; i++) {
        const struct cli_command *command = cli_commands[i];
        if (strcmp(command->group, group) != 0)
            printf("\n%s:\n", command->group);
        group = command->group;
        printf("  %-*s%.*s\n", SUMMARY_COLUMN, command->name, (int)strcspn(command->summary, "\n"),
               command->summary);
    }
    printf("\n`besom help COMMAND` explains one. Every reading command takes --json.\n"
           "A first sweep: besom run FILE\n");
}
