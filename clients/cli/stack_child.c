// SPDX-License-Identifier: GPL-3.0-or-later
#include "stack_child.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "stack_log.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define LONG_LIFE_MS 10000

int64_t stack_child_next_backoff(int64_t backoff_ms, int64_t lived_ms)
{
    if (lived_ms >= LONG_LIFE_MS || backoff_ms == 0)
        return BACKOFF_MIN_MS;
    return 2 * backoff_ms < BACKOFF_MAX_MS ? 2 * backoff_ms : BACKOFF_MAX_MS;
}

enum status stack_child_start(struct stack_child *child, int64_t now_ms, struct err *err)
{
    int output CLEANUP(file_close) = -1;
    TRY(stack_log_open(child->logs, child->name, &output, err));
    if (child->deaths == 0)
        child->log_start = stack_log_size(child->logs, child->name);
    if (child->socket != NULL)
        unlink(child->socket);
    child->spec.output = output;
    child->wanted = true;
    child->started_ms = now_ms;
    enum status status = process_spawn(&child->spec, &child->pid, err);
    if (status != STATUS_OK) {
        child->pid = 0;
        child->backoff_ms = stack_child_next_backoff(child->backoff_ms, 0);
        child->restart_at_ms = now_ms + child->backoff_ms;
        return status;
    }
    log_info("supervisor", "child_started", LOG_TEXT("child", child->name), LOG_INT("pid", child->pid));
    return STATUS_OK;
}

bool stack_child_reap(struct stack_child *child, int64_t now_ms)
{
    if (child->pid == 0 || waitpid(child->pid, &child->ended, WNOHANG) != child->pid)
        return false;
    char how[32];
    child->pid = 0;
    child->deaths++;
    child->backoff_ms = stack_child_next_backoff(child->backoff_ms, now_ms - child->started_ms);
    child->restart_at_ms = now_ms + child->backoff_ms;
    log_info("supervisor", "child_ended", LOG_TEXT("child", child->name),
             LOG_TEXT("how", process_describe_end(child->ended, how)), LOG_BOOL("wanted", child->wanted));
    return true;
}

int64_t stack_child_due_ms(const struct stack_child *child)
{
    return child->wanted && child->pid == 0 ? child->restart_at_ms : -1;
}

void stack_child_signal(const struct stack_child *child, int number)
{
    if (child->pid > 0)
        kill(child->pid, number);
}
