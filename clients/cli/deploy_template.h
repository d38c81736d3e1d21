/*
 * A batch script of the user's as the template of one sweep's script: where it runs an agent, where a
 * directive of SLURM can stand, and the script that comes of it. Pure. Reads a shell's words, quotes,
 * comments and redirections, but not its grammar.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_DEPLOY_TEMPLATE_H
#define BESOM_CLI_DEPLOY_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"

#define DEPLOY_TEMPLATE_MAX (1u << 20)
#define DEPLOY_NODES_MAX 100000

struct deploy_span {
    size_t start, end; /* offsets; end is the first behind it */
};

struct deploy_template {
    const char *text; /* borrowed */
    size_t length;
    struct deploy_span program;  /* replaced by `with` */
    const char *with;            /* NULL = stays */
    struct deploy_span argument; /* replaced by the sweep's id; empty = it is put in there */
    size_t directives_end;       /* another #SBATCH line can stand here */
    size_t array_line;           /* of --array; 0 = the template makes no job array */
    int64_t array_tasks;         /* at a time; 0 = not known */
};

/* Where it is wrong, 1-based; the column in characters. */
struct deploy_place {
    size_t line, column;
};

/* INVALID: `place` and the error say what is wrong. */
enum status deploy_template_read(const char *text, size_t length, struct deploy_template *out,
                                 struct deploy_place *place, struct err *err) MUST_USE;

/* Appends the script of a sweep. `nodes` > 0 makes it a job array of so many; the template must have none. */
void deploy_template_write(const struct deploy_template *template, const char *sweep_id, int64_t nodes,
                           struct buffer *out);

/* Tasks of "0-15", "1,3,5-9:2", "0-99%8" that run at a time: 16, 5, 8. 0 for what it cannot read. */
int64_t deploy_array_tasks(const char *text, size_t length);

/* Of an offset in a text. */
struct deploy_place deploy_place_of(const char *text, size_t offset);

#endif
