/*
 * What an agent remembers over kill -9: who it is and how many runs each slot
 * has had. One folder per agent process, ROOT/HOST/SWEEP/agent-K, mode 0700,
 * flock()ed while the process lives. A new agent takes the first folder that
 * nobody holds, and with it the runs that a killed one left.
 *
 *   agent-K/lock       held by flock
 *           agent_id   16 characters
 *           slot-N     counter of slot N, synced to disk before AcquireRun is called with it
 *           RUN.ATTEMPT/   see attempt.h
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_STATE_DIR_H
#define BESOM_AGENT_STATE_DIR_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define AGENT_ID_LENGTH 16

struct state_dir {
    char path[PATH_MAX];
    char agent_id[AGENT_ID_LENGTH + 1];
    int lock_fd;
};

/* Takes a folder over or, if there is none that nobody holds or a `fresh` one is wanted, makes one. `root`
 * NULL: $XDG_STATE_HOME/besom/agents or ~/.local/state/besom/agents. IO. */
enum status state_dir_open(const char *root, const char *host, const char *sweep_id, bool fresh,
                           struct state_dir *out, struct err *err) MUST_USE;

/* The counter of a slot: 1 when it never had one. */
enum status state_dir_counter(const struct state_dir *dir, int slot, int64_t *out, struct err *err) MUST_USE;
enum status state_dir_set_counter(const struct state_dir *dir, int slot, int64_t counter,
                                  struct err *err) MUST_USE;

/* Calls visit(context, path) for each attempt's folder; half-made ones are deleted. */
void state_dir_each_attempt(const struct state_dir *dir, void (*visit)(void *context, const char *path),
                            void *context);

/* Lets go of the folder. It is deleted with its empty parents unless attempts are left in it. */
void state_dir_close(struct state_dir *dir);

#endif
