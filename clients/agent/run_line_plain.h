/*
 * The plain case of a line, read without building a document: {"log": {name:
 * number, ...}, "step": whole number}, names without escapes and in ASCII.
 * Nearly all lines are like that. What it takes it takes exactly as the general
 * reader of run_line.c does (tests/fuzz/fuzz_run_line.c holds one against the
 * other); everything else is left to that one. Pure.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_RUN_LINE_PLAIN_H
#define BESOM_AGENT_RUN_LINE_PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAIN_VALUES_MAX 32

struct plain_line {
    struct plain_value {
        const char *name; /* within the line; not terminated */
        size_t length;
        double value;
    } values[PLAIN_VALUES_MAX];
    size_t count;
    bool has_step;
    int64_t step;
};

/* False: the general reader is to decide; `out` holds anything. */
bool run_line_read_plain(const char *line, size_t length, struct plain_line *out);

#endif
