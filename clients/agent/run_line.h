/*
 * One line of the run socket: a JSON object as docs/run-socket.md has it. NaN,
 * Infinity and -Infinity, which Python writes and JSON forbids, are read as
 * numbers, bare or quoted. Pure.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_RUN_LINE_H
#define BESOM_AGENT_RUN_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "facts.h"

#define RUN_LINE_MAX (1 << 20)
#define RUN_LINE_NAME_MAX FACT_NAME_MAX

/* A line of values: its step, if it names one, and whether the row stays open behind it. */
struct run_line_row {
    bool has_step;
    int64_t step;
    bool stays_open;
};

enum run_line_question { RUN_LINE_ASK_CONFIG, RUN_LINE_ASK_STEP, RUN_LINE_ASK_RUN };

/* What a line asks for. */
struct run_line_sink {
    void *context;
    /* Around the values of a line; facts may come in between, for what is no number. */
    void (*row_begin)(void *context, const struct run_line_row *row);
    void (*row_end)(void *context, bool stays_open);
    void (*metric)(void *context, const char *name, size_t length, double value);
    /* INVALID: this one is not taken; the others are. */
    enum status (*fact)(void *context, enum fact_kind kind, const char *name, const char *value_json,
                        struct err *err);
    void (*preempting)(void *context);
    /* How the program says that it ended: 0 to 255, and why in words, "" = not said. */
    void (*exit_code)(void *context, int code, const char *text);
    void (*ask)(void *context, enum run_line_question question);
};

/* INVALID says what is wrong. Then nothing was handed to the sink, unless it is single facts that could not
 * be taken. */
enum status run_line_parse(const char *line, size_t length, const struct run_line_sink *sink,
                           struct err *err) MUST_USE;

/* The numbers of a line that is a JSON object, nested ones as "outer.inner"; what is none is passed over.
 * False when the line is no such object. */
bool run_line_numbers(const char *line, size_t length,
                      void (*metric)(void *context, const char *name, size_t length, double value),
                      void *context);

#endif
