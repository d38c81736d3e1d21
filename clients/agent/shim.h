/*
 * The process between the agent and one command: parent and subreaper of the
 * command, owner of the run socket, the output, the spool and exit.json. It
 * outlives the agent, uses no network, and ends by itself once the command's
 * whole tree is gone and exit.json is written.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_SHIM_H
#define BESOM_AGENT_SHIM_H

#include <sys/types.h>

#include "attempt.h"

#define SHIM_LOCK_FD 3

/* Runs `besom-agent --shim FOLDER`; descriptor SHIM_LOCK_FD holds the attempt's lock. Returns the exit code.
 */
int shim_main(const char *folder);

/* Starts a shim for a created attempt; lock_fd comes from attempt_lock and stays the caller's. */
enum status shim_spawn(const struct attempt_paths *paths, int lock_fd, pid_t *pid, struct err *err) MUST_USE;

#endif
