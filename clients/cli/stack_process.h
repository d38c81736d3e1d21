/*
 * Starting other programs: with another user, a log file and a signal that
 * reaches them when this process dies. No shell is involved. Fork-safe in a
 * process with threads, except with `user`.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_STACK_PROCESS_H
#define BESOM_CLI_STACK_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/err.h"

struct process_spec {
    const char *const *argv; /* argv[0] with a slash, else it is looked up in PATH */
    const char *folder;      /* working directory; NULL = ours */
    const char *user;        /* drop to it first; NULL = stay */
    uid_t uid;
    gid_t gid;
    int output;       /* stdout and stderr; -1 = ours */
    int keep;         /* a descriptor that the program inherits; -1 = none */
    int death_signal; /* sent when this thread dies; 0 = none */
    bool new_group;   /* a process group of its own, in our session; else a session of its own */
};

/* The program runs when this returns OK. NOT_FOUND (no such program), IO. */
enum status process_spawn(const struct process_spec *spec, pid_t *out, struct err *err) MUST_USE;

/* Runs to the end. PRECONDITION when it ends with anything but 0. */
enum status process_run(const struct process_spec *spec, struct err *err) MUST_USE;

/* As process_run, and appends stdout and stderr to `out` (at most 64 KiB). */
enum status process_capture(const struct process_spec *spec, struct buffer *out, struct err *err) MUST_USE;

/* "exit code 3", "signal 9" of a wait status. */
const char *process_describe_end(int wait_status, char text[32]);

/* The file `name` next to this program, in ../libexec/besom, or in PATH. NOT_FOUND. */
enum status process_find_program(struct arena *arena, const char *name, const char **out,
                                 struct err *err) MUST_USE;

#endif
