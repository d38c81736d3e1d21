/*
 * Log files of the stack's processes, one each, kept small. A file is copied
 * aside and cut rather than renamed, because its writer has it open for append
 * and need not be told.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_STACK_LOG_H
#define BESOM_CLI_STACK_LOG_H

#include <sys/types.h>

#include "base/buffer.h"
#include "base/err.h"

#define STACK_LOG_LIMIT (8 << 20)

/* Opened for append; *fd is closed on exec. */
enum status stack_log_open(const char *folder, const char *name, int *fd, struct err *err) MUST_USE;
/* NAME.log becomes NAME.log.1 when it is larger than `limit` bytes. */
void stack_log_rotate(const char *folder, const char *name, off_t limit);
/* Appends the last `lines` lines of NAME.log from byte `start` on, each with a line break. */
void stack_log_tail(const char *folder, const char *name, off_t start, size_t lines, struct buffer *out);
/* Its size now; 0 when there is none. */
off_t stack_log_size(const char *folder, const char *name);

#endif
