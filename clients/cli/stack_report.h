/*
 * What a starting stack says to the person who waits: straight to the terminal
 * in the foreground, through a pipe from the detached supervisor. One line per
 * message, its first letter the kind.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_STACK_REPORT_H
#define BESOM_CLI_STACK_REPORT_H

#include <stdbool.h>

#include "base/macros.h"

struct stack_report {
    int fd; /* write end of the pipe; -1 = print */
};

void stack_report_progress(const struct stack_report *report, const char *format, ...) PRINTF_LIKE(2, 3);
/* The last lines of a log; may hold line breaks. */
void stack_report_log(const struct stack_report *report, const char *text);
void stack_report_failure(const struct stack_report *report, const char *format, ...) PRINTF_LIKE(2, 3);
/* The stack serves. Closes the pipe. */
void stack_report_ready(struct stack_report *report);

/* The other side: prints what comes until the stack serves (true) or has failed (false). */
bool stack_report_follow(int fd);

#endif
