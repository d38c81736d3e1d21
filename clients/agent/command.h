/*
 * Starting the command of an attempt: environment, own process group, output
 * pipes, death with its parent. Used by the shim alone.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_COMMAND_H
#define BESOM_AGENT_COMMAND_H

#include <stdbool.h>
#include <sys/types.h>

#include "attempt.h"

struct command_started {
    pid_t pid;     /* also of its process group */
    int output[2]; /* read ends of standard output and error; non-blocking */
};

/* Starts it. IO: it cannot be started, the text says why (for people). UNAVAILABLE: that is this machine's
 * fault. */
enum status command_start(const struct attempt_spec *spec, const struct attempt_paths *paths,
                          struct command_started *out, struct err *err) MUST_USE;

/* After its end, or a failed start: the run's folder goes unless the run left something in it. */
void command_clean_up(const struct attempt_spec *spec);

/* True for variables that a command must never see: tokens, database, key files. `entry` is "NAME=value". */
bool command_hides_variable(const char *entry);

/* This process's environment without hidden variables; NULL-terminated, owned (the array, not the entries).
 */
char **command_clean_environment(void) MUST_USE;

#endif
