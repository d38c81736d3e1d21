/*
 * One line of the run socket: a JSON object as DESIGN's table of names has it.
 * NaN, Infinity and -Infinity, which Python writes and JSON forbids, are read
 * as numbers, bare or quoted. Pure.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_RUN_LINE_H
#define BESOM_AGENT_RUN_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define RUN_LINE_MAX (1 << 20)
#define RUN_LINE_NAME_MAX 256

/* What a line asks for; unset callbacks are not called. */
struct run_line_sink {
    void *context;
    /* Once per line with values, before them. `has_step`: the line names one. `counts`: a log call, which
     * moves the automatic step on. Returns the step to use. */
    int64_t (*begin)(void *context, bool has_step, int64_t step, bool counts);
    void (*metric)(void *context, const char *name, int64_t step, double value);
    void (*preempting)(void *context);
    void (*ask)(void *context); /* for the configuration */
};

/* INVALID says what is wrong; then nothing was handed to the sink. */
enum status run_line_parse(const char *line, size_t length, const struct run_line_sink *sink,
                           struct err *err) MUST_USE;

#endif
