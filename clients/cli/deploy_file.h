/*
 * A file of several sweeps: YAML documents parted by "---" lines, each a sweep file. Read and checked as a
 * whole, every problem told under its line of the file.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_DEPLOY_FILE_H
#define BESOM_CLI_DEPLOY_FILE_H

#include "sweep_file.h"

#define DEPLOY_SWEEPS_MAX 100

/* One sweep, and what becomes of it. Texts are in the command's arena. */
struct deploy_sweep {
    struct sweep_file file; /* owned; its bytes are the document's alone */
    const char *name;       /* "" = none */
    int64_t runs;           /* -1 = unbounded */
    const char *sweep_id;   /* NULL until it is created */
    const char *script;     /* path */
    const char *job_id;     /* NULL until it is submitted */
};

struct deploy_file {
    const char *path;
    struct deploy_sweep *sweeps; /* owned */
    size_t count;
};

/* One document: where its text is, and how many lines stand before it. */
struct deploy_document {
    size_t start, end, lines_before;
};

/* Those that hold more than blanks, comments and marks; `out` has room for `capacity` of them, and the number
 * is of all. Pure. */
size_t deploy_documents_find(const char *text, size_t length, struct deploy_document *out, size_t capacity);

/* "-" is stdin. Problems have been printed. `out` is to be given back in any case. */
int deploy_file_load(struct cli *cli, const char *path, const struct sweep_flags *flags,
                     struct deploy_file *out) MUST_USE;
/* Usable as CLEANUP. */
void deploy_file_free(struct deploy_file *file);

#endif
