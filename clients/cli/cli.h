/*
 * What every command has: its row in the command table, the arena, and the ways to say something. A command's
 * result goes to stdout, everything else to stderr. Single-threaded but for callbacks of libbesom's streams.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_CLI_H
#define BESOM_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/err.h"
#include "base/macros.h"

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_NOT_FOUND = 3,
    CLI_UNAVAILABLE = 4,
    CLI_DENIED = 5
};

struct cli {
    struct arena arena;                /* of the one command that this process runs */
    const struct config_result *given; /* positional arguments */
    int argc;                          /* as given after the command's name; of commands that pass them on */
    char *const *argv;
};

struct cli_command {
    const char *name;
    const char *group;   /* heading in `besom --help` */
    const char *usage;   /* "besom ls [options]" */
    const char *summary; /* first line is shown in `besom --help` */
    const char *footer;  /* NULL = none */
    const struct config_key *keys;
    size_t key_count;
    size_t options_size;
    size_t arguments_min, arguments_max;
    bool passes_arguments; /* nothing is parsed: the command hands argv on */
    /* `options` is filled by the keys. An exit code. */
    int (*run)(struct cli *cli, void *options);
};

extern const struct cli_command *const cli_commands[];
extern const size_t cli_command_count;

const struct cli_command *cli_find_command(const char *name);
void cli_print_command_help(const struct cli_command *command);
void cli_print_overview(void);

/* "besom: TEXT" on stderr, one line; returns `code`. */
int cli_fail(enum cli_exit code, const char *format, ...) PRINTF_LIKE(2, 3);
/* "besom: WHAT: WHY" with the exit code that belongs to the error. */
int cli_fail_err(const struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);
/* "besom: TEXT" on stdout, flushed. */
void cli_say(const char *format, ...) PRINTF_LIKE(1, 2);
/* "besom: TEXT" on stderr: progress and remarks. */
void cli_note(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
