/*
 * Two file locks tell what of a stack lives: the supervisor's own, and one
 * that every child inherits and that so lasts until the last one is gone,
 * whatever happened to the supervisor. No process id is trusted without one.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_STACK_LOCK_H
#define BESOM_CLI_STACK_LOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* *fd = -1 when another process has it. IO. */
enum status stack_lock_take(const char *path, int *fd, struct err *err) MUST_USE;
/* Records our process id in the lock that we hold. */
enum status stack_lock_sign(int fd, struct err *err) MUST_USE;
/* The process that holds the lock, 0 when nobody does, -1 when it has not signed yet. */
pid_t stack_lock_holder(const char *path);

/* Waits until the children of an earlier supervisor are gone, kills them after patience_ms, and takes the
 * lock. */
enum status stack_lock_children(const char *path, int64_t patience_ms, int *fd, struct err *err) MUST_USE;

#endif
