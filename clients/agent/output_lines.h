/*
 * Metrics from what a command prints: cuts one stream of output into lines and
 * finds the values in each. Line breaks and carriage returns end a line,
 * escape sequences of terminals are passed over; of a line longer than
 * OUTPUT_LINE_MAX, or OUTPUT_PATTERN_LINE_MAX with a pattern, only the begin
 * counts: a search takes time by the square of the length. Without a pattern a line that is a
 * JSON object gives its numbers, any other one its key=value pairs. All values
 * of a line are one row. Not thread-safe.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_OUTPUT_LINES_H
#define BESOM_AGENT_OUTPUT_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define OUTPUT_LINE_MAX (64 << 10)
#define OUTPUT_PATTERN_LINE_MAX (2 << 10)

struct output_lines;

struct output_lines_options {
    const char *pattern; /* POSIX extended, groups 1 and 2 are name and value; NULL or "" = none */
    const char *step;    /* the name whose value is the line's step; NULL or "" = none */
    void *context;
    /* Of a line with values each, a name as often as it is there; then the end with the line's step. */
    void (*metric)(void *context, const char *name, size_t length, double value);
    void (*row_end)(void *context, bool has_step, int64_t step);
};

/* What `options` points to must outlive it. INVALID: the pattern is none, has not two
 * groups, or refers to one (\1). NO_MEMORY. */
enum status output_lines_new(const struct output_lines_options *options, struct output_lines **out,
                             struct err *err) MUST_USE;
void output_lines_add(struct output_lines *lines, const char *bytes, size_t length);
/* The stream is at its end: what is left is a line. */
void output_lines_end(struct output_lines *lines);
void output_lines_free(struct output_lines *lines);

#endif
