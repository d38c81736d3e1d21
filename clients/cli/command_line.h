/*
 * The command line of a configuration as an agent with this machine's PATH and
 * this environment starts it, as argv and as one line for a shell.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_COMMAND_LINE_H
#define BESOM_CLI_COMMAND_LINE_H

#include <besom/v1/types.pb-c.h>
#include <stddef.h>

#include "base/buffer.h"
#include "cli.h"

/* ${args_json_file} stands for a file that only an agent writes. */
#define COMMAND_LINE_PARAMS_FILE "params.json"

struct command_line {
    const char *const *items; /* template; count 0 = the default */
    size_t item_count;
    const char *program;     /* may be NULL or "" */
    const char *params_json; /* an object; its order of keys is that of the arguments */
};

/* *argv is NULL-terminated and the caller's, to be freed with besom_command_free. An exit code; an error has
 * been printed, `what` says whose command it is. */
int command_line_expand(struct cli *cli, const struct command_line *line, const char *what, char ***argv,
                        bool *needs_file) MUST_USE;

/* Appends the words quoted for a POSIX shell. */
void command_line_quote(char *const *argv, struct buffer *out);

/* Appends the command line of a run of the sweep, quoted. An exit code; an error has been printed. */
int command_line_of_run(struct cli *cli, const Besom__V1__Sweep *sweep, const Besom__V1__Run *run,
                        struct buffer *out, bool *needs_file) MUST_USE;
/* Says on stderr how to make the file that the command line of the run needs. */
void command_line_note_file(const Besom__V1__Run *run);

#endif
