/*
 * The commands, each in its file cmd_NAME.c; commands.c puts them in order.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_COMMANDS_H
#define BESOM_CLI_COMMANDS_H

#include "cli.h"

extern const struct cli_command cmd_agent, cmd_agents, cmd_audit, cmd_best, cmd_brackets, cmd_check,
    cmd_delete, cmd_deploy, cmd_down, cmd_export, cmd_help, cmd_importance, cmd_log, cmd_logs, cmd_ls,
    cmd_metrics, cmd_note, cmd_predict, cmd_rename, cmd_replay, cmd_run, cmd_runs, cmd_sample, cmd_status,
    cmd_stop, cmd_submit, cmd_sweep, cmd_tag, cmd_token, cmd_up, cmd_version, cmd_why;

#endif
