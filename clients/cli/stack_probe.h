/*
 * Asks a controller for its sweeps until it answers, in a process of its own:
 * the supervisor forks, so it must never have gRPC's threads.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_STACK_PROBE_H
#define BESOM_CLI_STACK_PROBE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/* The child ends with 0 when the controller has answered; another code, with a word on stderr, when it never
 * will. Dies with us. */
enum status stack_probe_start(const char *address, const char *token_file, int output, pid_t *out,
                              struct err *err) MUST_USE;

/* True when something accepts connections on the socket. */
bool stack_probe_socket(const char *path);

#endif
