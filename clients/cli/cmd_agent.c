// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "stack_process.h"

static int run_agent(struct cli *cli, void *options)
{
    (void)options;
    struct err err = ERR_INIT;
    const char *program = NULL;
    if (process_find_program(&cli->arena, "besom-agent", &program, &err) != STATUS_OK)
        return cli_fail(CLI_FAILED, "cannot start an agent: %s", err.text);
    const char **argv = arena_calloc(&cli->arena, (size_t)cli->argc + 2, sizeof *argv);
    if (argv == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    argv[0] = program;
    for (int i = 0; i < cli->argc; i++)
        argv[i + 1] = cli->argv[i];
    /* an ignored signal would stay ignored in the agent and in its runs */
    signal(SIGPIPE, SIG_DFL);
    execv(program, (char *const *)(uintptr_t)argv);
    return cli_fail(CLI_FAILED, "cannot start %s: %s", program, strerror(errno));
}

const struct cli_command cmd_agent = {
    .name = "agent",
    .group = "Sweep",
    .usage = "besom agent [options] SWEEP [-- COMMAND [ARGS...]]",
    .summary = "Take runs of a sweep and run them on this machine\n"
               "Runs besom-agent with the same arguments; see besom agent --help.",
    .passes_arguments = true,
    .run = run_agent,
};
