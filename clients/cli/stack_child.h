/*
 * One supervised process: started, started again with growing pauses when it
 * dies, stopped by signals of growing force. Single-threaded.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_STACK_CHILD_H
#define BESOM_CLI_STACK_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/err.h"
#include "stack_process.h"

struct stack_child {
    const char *name;
    struct process_spec spec; /* its output is opened at each start */
    const char *logs;
    int stop_signal;
    int64_t stop_patience_ms; /* then SIGKILL */
    const char *socket;       /* removed before a start; NULL = none */
    bool wanted;
    pid_t pid; /* 0 = not running */
    int ended; /* last wait status */
    int64_t started_ms, restart_at_ms, backoff_ms;
    int64_t deaths;
    off_t log_start; /* size of its log at the first start */
};

enum status stack_child_start(struct stack_child *child, int64_t now_ms, struct err *err) MUST_USE;
/* Notes its death; true when it died just now. */
bool stack_child_reap(struct stack_child *child, int64_t now_ms);
/* When a dead, wanted child is due; -1 = it is not waiting. */
int64_t stack_child_due_ms(const struct stack_child *child);
void stack_child_signal(const struct stack_child *child, int number);

/* The pause before the start after `backoff_ms`, given how long the process lived. */
int64_t stack_child_next_backoff(int64_t backoff_ms, int64_t lived_ms);

#endif
