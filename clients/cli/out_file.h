/*
 * Where a long result goes: standard output, or a file that appears whole when
 * it is done and not at all otherwise, also when a signal ends the program.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_OUT_FILE_H
#define BESOM_CLI_OUT_FILE_H

#include <stdio.h>

#include "cli.h"

struct out_file {
    FILE *stream;
    const char *path; /* NULL = standard output */
    char *temporary;  /* in the arena; NULL when the path is no ordinary file */
    int failure;      /* errno of the first writing that failed */
};

/* `path` NULL or "-" is standard output. At most one at a time. An error has been printed. */
int out_file_open(struct cli *cli, const char *path, struct out_file *out) MUST_USE;
/* To be called right after a writing that failed: keeps errno. False. */
bool out_file_failed(struct out_file *out);
/* Puts the file in its place. */
int out_file_finish(struct out_file *out) MUST_USE;
/* Says why the stream takes no more and throws away what was written. */
int out_file_fail(struct out_file *out);
/* Of any stream, with what errno was (0: not known): CLI_OK without a word when its reader went away, which
 * is no failure of ours. */
int out_stream_fail(FILE *stream, const char *name, int number);
/* Throws away what was not finished. Usable as CLEANUP. */
void out_file_release(struct out_file *out);

#endif
