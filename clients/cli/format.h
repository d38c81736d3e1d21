/*
 * Numbers, durations and texts as people read them. Pure but for text_width,
 * which needs a UTF-8 LC_CTYPE (text_prepare).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_FORMAT_H
#define BESOM_CLI_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"

#define FORMAT_SIZE 32

/* Six significant digits: "0.0123", "1e-05", "12345678", "nan". */
const char *format_number(double value, char text[FORMAT_SIZE]);
/* Two significant digits: "0.0042". */
const char *format_short(double value, char text[FORMAT_SIZE]);
/* The shortest decimal that reads back as the same double: "0.1", "-0", "1e+300", "NaN", "-Infinity". */
const char *format_exact(double value, char text[FORMAT_SIZE]);
/* "2026-11-21T17:54:43.123456Z"; "" for a time that is 0. */
const char *format_time(int64_t time_us, char text[FORMAT_SIZE]);
/* "850ms", "12.3s", "4m05s", "2h13m", "3d04h"; negative counts as 0. */
const char *format_duration(int64_t ms, char text[FORMAT_SIZE]);
/* "3m12s ago"; "-" for a time that is 0. */
const char *format_ago(int64_t then_us, int64_t now_us, char text[FORMAT_SIZE]);
/* "24%" of done in total, never 100% before the end. */
const char *format_percent(int64_t done, int64_t total, char text[FORMAT_SIZE]);

/* Makes text_width count columns of a UTF-8 terminal. */
void text_prepare(void);
/* Columns that a UTF-8 text takes. */
size_t text_width(const char *text);
/* At most `width` columns of the text, "…" at the end where something is missing. */
void text_cut(const char *text, size_t width, struct buffer *out);
/* A copy whose control characters and broken UTF-8 are '?', so that no text from a run can steer a terminal.
 */
const char *text_clean(struct arena *arena, const char *text);
/* Appends the text so that a POSIX shell reads it as one word. */
void text_shell_quote(const char *text, struct buffer *out);

#endif
