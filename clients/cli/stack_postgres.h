/*
 * The stack's private PostgreSQL: finding its programs, making the cluster
 * once, and telling when it serves. Speaks no SQL.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_STACK_POSTGRES_H
#define BESOM_CLI_STACK_POSTGRES_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "stack_layout.h"

#define POSTGRES_OLDEST_MAJOR 15

/* The folder with initdb and postgres: `wanted` when given, else that of the cluster's own major version,
 * else the newest there is. NOT_FOUND says what to install. */
enum status postgres_find(struct arena *arena, const struct stack_layout *layout, const char *wanted,
                          const char **bin, struct err *err) MUST_USE;

bool postgres_is_initialised(const struct stack_layout *layout);

/* Makes the cluster under a temporary name and renames it, so that a crash leaves all of it or nothing.
 * `output` takes initdb's words. */
enum status postgres_initialise(const struct stack_layout *layout, const char *bin, int output, int keep,
                                struct err *err) MUST_USE;

/* Removes the lock files that a crash or restart of the machine left, because the process ids in them may be
 * somebody else's by now; nothing of the stack may be running.
 * PRECONDITION when somebody else runs this cluster. */
enum status postgres_clear_stale(const struct stack_layout *layout, struct err *err) MUST_USE;

/* Command line of the server; NULL without memory. */
const char *const *postgres_command(struct arena *arena, const struct stack_layout *layout, const char *bin);

/* True once the server that is process `pid` takes connections. */
bool postgres_is_ready(const struct stack_layout *layout, pid_t pid);

/* For libpq: a conninfo without secrets. NULL without memory. */
const char *postgres_conninfo(struct arena *arena, const struct stack_layout *layout);

#endif
