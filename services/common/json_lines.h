/*
 * The --stdio mode of services: one JSON object a line in, one out. Each
 * operation is a row of a table, named by "op". A line that is wrong is
 * answered {"error": ...} and the next one is read. One thread.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_COMMON_JSON_LINES_H
#define BESOM_SERVICES_COMMON_JSON_LINES_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

#define JSON_LINE_MAX (64u << 20)

struct json_lines_op {
    const char *name;
    /* Fills `answer`, an empty object that is sent as it is when the status is OK. */
    enum status (*run)(void *context, const json_t *request, json_t *answer, struct err *err);
};

/* Serves until {"op":"quit"} (answered {"ok":true}) or the end of `in`. OK, or IO when a stream fails. */
enum status json_lines_serve(FILE *in, FILE *out, const struct json_lines_op *ops, size_t count,
                             void *context, struct err *err) MUST_USE;

/*
 * Parses one JSON value. Beyond the standard, NaN, Infinity and -Infinity are read as null (Python writes
 * them), and so are numbers that no double holds and whole ones that no 64-bit integer does, signed or not
 * (W&B's library counts neither as numbers); whole ones from 2^63 on are read as reals. INVALID.
 */
enum status json_lines_parse(const char *text, size_t length, json_t **out, struct err *err) MUST_USE;

/* Sets a member, stealing `value`; NO_MEMORY also for a NULL value. */
enum status json_lines_set(json_t *object, const char *key, json_t *value, struct err *err) MUST_USE;

#endif
