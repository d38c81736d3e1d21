// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "commands.h"
#include "stack_layout.h"
#include "stack_lock.h"

#define POLL_MS 20
#define PROGRESS_MS 3000
#define GIVE_UP_MS 180000
#define ORPHANS_WAIT_MS 15000

struct down_options {
    bool purge;
};

/* Waits until nobody holds the supervisor's lock. */
static int wait_until_gone(const struct stack_layout *layout, pid_t pid)
{
    int64_t start = clock_monotonic_ms(&clock_system), said = start;
    while (stack_lock_holder(layout->lock_file) != 0) {
        int64_t now = clock_monotonic_ms(&clock_system);
        if (now - start > GIVE_UP_MS)
            return cli_fail(CLI_FAILED, "cannot stop: process %ld does not end (see %s)", (long)pid,
                            layout->logs);
        if (now - said > PROGRESS_MS) {
            cli_note("Waiting for the stack to stop (%lld s)", (long long)((now - start) / 1000));
            said = now;
        }
        poll(NULL, 0, POLL_MS);
    }
    return CLI_OK;
}

static int stop_supervisor(const struct stack_layout *layout, bool *was_running)
{
    pid_t pid = stack_lock_holder(layout->lock_file);
    *was_running = pid != 0;
    while (pid == -1) { /* it is starting and has not signed yet */
        poll(NULL, 0, POLL_MS);
        pid = stack_lock_holder(layout->lock_file);
    }
    if (pid == 0)
        return CLI_OK;
    cli_note("Stopping the stack");
    if (kill(pid, SIGTERM) != 0 && errno != ESRCH)
        return cli_fail(CLI_FAILED, "cannot stop: process %ld: %s", (long)pid, strerror(errno));
    return wait_until_gone(layout, pid);
}

/* What a killed supervisor left behind. */
static int stop_orphans(const struct stack_layout *layout)
{
    struct err err = ERR_INIT;
    int fd = -1;
    if (access(layout->children_file, F_OK) != 0)
        return CLI_OK;
    if (stack_lock_children(layout->children_file, ORPHANS_WAIT_MS, &fd, &err) != STATUS_OK)
        return cli_fail_err(&err, "cannot stop");
    file_close(&fd);
    unlink(layout->endpoint_file);
    unlink(layout->listen_file);
    return CLI_OK;
}

static int purge(const struct stack_layout *layout)
{
    struct err err = ERR_INIT;
    enum status status = STATUS_OK;
    if (layout->place != NULL)
        status = stack_remove_tree(layout->place, &err);
    if (status == STATUS_OK && layout->run != NULL)
        status = stack_remove_tree(layout->run, &err);
    if (status == STATUS_OK)
        status = stack_remove_tree(layout->home, &err);
    if (status != STATUS_OK)
        return cli_fail_err(&err, "cannot delete the stack's data");
    cli_say("Deleted %s", layout->home);
    return CLI_OK;
}

static int run_down(struct cli *cli, void *given)
{
    const struct down_options *options = given;
    struct stack_layout layout;
    struct err err = ERR_INIT;
    if (stack_layout_find(&cli->arena, &layout, &err) != STATUS_OK)
        return cli_fail_err(&err, "cannot stop");
    bool was_running = false;
    int code = stop_supervisor(&layout, &was_running);
    if (code == CLI_OK)
        code = stop_orphans(&layout);
    if (code != CLI_OK)
        return code;
    cli_say("%s", was_running ? "Stopped" : "Nothing is running");
    return options->purge ? purge(&layout) : CLI_OK;
}

static const struct config_key keys[] = {
    {.name = "purge",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct down_options, purge),
     .help = "delete the stack's data for good: all sweeps, runs and metrics"},
};

const struct cli_command cmd_down = {
    .name = "down",
    .group = "Local stack",
    .usage = "besom down",
    .summary = "Stop the local stack\n"
               "Running agents go on and report when the stack is up again. Data stays under BESOM_HOME.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct down_options),
    .run = run_down,
};
