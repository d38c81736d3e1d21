/*
 * How one event becomes one line: as words and key=value pairs, or as a JSON
 * object. For log.c; not for other modules. A line holds at most
 * LOG_LINE_MAX bytes: texts are cut, and a JSON line stays valid.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_BASE_LOG_LINE_H
#define BESOM_BASE_LOG_LINE_H

#include <stddef.h>

#include "base/log.h"

#define LOG_LINE_MAX 4096

struct log_line {
    char text[LOG_LINE_MAX];
    size_t length;
};

struct log_head {
    const char *time, *level, *subsystem, *event;
};

/* begin, put for each field, end; the newline is part of it. */
struct log_layout {
    const char *name;
    void (*begin)(struct log_line *line, const struct log_head *head);
    void (*put)(struct log_line *line, const struct log_field *field);
    void (*end)(struct log_line *line);
};

extern const struct log_layout log_layout_text, log_layout_json;

#endif
