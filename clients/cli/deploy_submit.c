// SPDX-License-Identifier: GPL-3.0-or-later
/* The programs of others: the sync command and sbatch. */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deploy.h"
#include "format.h"
#include "stack_process.h"

extern char **environ;

/* In our session and group: it may ask for a password, and Ctrl-C ends it too. */
static int start_shell(const char *command, pid_t *out)
{
    const char *const argv[] = {"sh", "-c", command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t ordinary;
    int number = posix_spawn_file_actions_init(&actions);
    if (number != 0)
        return number;
    number = posix_spawnattr_init(&attributes);
    if (number == 0) {
        sigemptyset(&ordinary);
        sigaddset(&ordinary, SIGPIPE);
        posix_spawnattr_setsigdefault(&attributes, &ordinary);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
        posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
        number = posix_spawn(out, "/bin/sh", &actions, &attributes, (char *const *)(uintptr_t)argv, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return number;
}

int deploy_sync(const struct deploy *deploy)
{
    pid_t child = 0;
    int ended = 0;
    char how[32];
    cli_note("Running: %s", text_clean(&deploy->cli->arena, deploy->options->sync));
    int number = start_shell(deploy->options->sync, &child);
    if (number != 0)
        return cli_fail(CLI_FAILED, "cannot start the command of --sync: %s", strerror(number));
    while (waitpid(child, &ended, 0) < 0)
        if (errno != EINTR)
            return cli_fail(CLI_FAILED, "cannot wait for the command of --sync: %s", strerror(errno));
    if (ended == 0)
        return CLI_OK;
    return cli_fail(CLI_FAILED, "the command of --sync failed: %s", process_describe_end(ended, how));
}

/* ---- sbatch ---- */

int deploy_find_sbatch(const struct deploy *deploy)
{
    const char *path = NULL;
    struct err err = ERR_INIT;
    if (process_find_program(&deploy->cli->arena, "sbatch", &path, &err) == STATUS_OK)
        return CLI_OK;
    return cli_fail(CLI_FAILED,
                    "no sbatch here to submit with (nothing was created; leave out --submit, and run "
                    "the sbatch commands where there is one)");
}

size_t deploy_job_id(const char *printed, size_t *start)
{
    size_t found = 0, at = 0;
    while (printed[at] != '\0') {
        size_t length = strcspn(printed + at, "\n"), digits = 0;
        while (isdigit((unsigned char)printed[at + digits]))
            digits++;
        if (digits > 0 && (digits == length || printed[at + digits] == ';')) {
            *start = at;
            found = digits;
        }
        at += length;
        at += printed[at] == '\n';
    }
    return found;
}

/* The last line, which says why. */
static const char *last_line(struct cli *cli, const char *printed)
{
    size_t end = strlen(printed);
    while (end > 0 && isspace((unsigned char)printed[end - 1]))
        end--;
    size_t start = end;
    while (start > 0 && printed[start - 1] != '\n')
        start--;
    const char *line = arena_printf(&cli->arena, "%.*s", (int)(end - start), printed + start);
    return line != NULL && *line != '\0' ? text_clean(&cli->arena, line) : "it said nothing";
}

static int submit_one(struct deploy *deploy, struct deploy_sweep *sweep)
{
    struct cli *cli = deploy->cli;
    struct buffer printed CLEANUP(buffer_free) = BUFFER_INIT;
    struct err err = ERR_INIT;
    const char *path =
        strchr(sweep->script, '/') != NULL ? sweep->script : arena_printf(&cli->arena, "./%s", sweep->script);
    const char *const argv[] = {"sbatch", "--parsable", path, NULL};
    const struct process_spec spec = {.argv = argv, .output = -1, .keep = -1, .new_group = true};
    size_t start = 0;
    if (path == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    if (process_capture(&spec, &printed, &err) != STATUS_OK)
        return cli_fail(CLI_FAILED, "cannot submit %s: %s: %s", sweep->script, err.text,
                        last_line(cli, buffer_text(&printed)));
    size_t length = deploy_job_id(buffer_text(&printed), &start);
    if (length == 0)
        return cli_fail(CLI_FAILED, "cannot say which job %s became: sbatch answered: %s (squeue tells)",
                        sweep->script, last_line(cli, buffer_text(&printed)));
    sweep->job_id = arena_printf(&cli->arena, "%.*s", (int)length, buffer_text(&printed) + start);
    return sweep->job_id != NULL ? CLI_OK : cli_fail(CLI_FAILED, "out of memory");
}

int deploy_submit(struct deploy *deploy)
{
    int code = CLI_OK;
    for (size_t i = 0; i < deploy->file.count && code == CLI_OK; i++)
        code = submit_one(deploy, &deploy->file.sweeps[i]);
    return code;
}
