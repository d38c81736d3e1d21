/*
 * Aligned columns for people: as wide as their text, narrower where the
 * terminal is narrow, coloured where it can. Cells live in the caller's arena.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_TABLE_H
#define BESOM_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/buffer.h"

enum style { STYLE_PLAIN, STYLE_HEAD, STYLE_DIM, STYLE_GOOD, STYLE_BUSY, STYLE_WARN, STYLE_BAD };

struct table_column {
    const char *name;
    bool right; /* numbers */
};

struct table_cell {
    const char *text;
    enum style style;
};

struct table {
    struct arena *arena;
    const struct table_column *columns;
    size_t column_count;
    struct table_cell *cells; /* row by row */
    size_t cell_count, cell_capacity;
};

/* What can be shown: `width` 0 = no limit. */
struct screen {
    size_t width, height;
    bool is_terminal;
    bool colour;
};

/* Looks at the stream, its size, NO_COLOR and TERM. */
struct screen screen_look(FILE *stream);
/* Escape sequence that begins a style; "" without colour. STYLE_PLAIN ends every style. */
const char *screen_style(const struct screen *screen, enum style style);

struct table table_make(struct arena *arena, const struct table_column *columns, size_t count);
/* The next cell; the text is copied and cleaned. */
void table_add(struct table *table, const char *text);
void table_add_styled(struct table *table, const char *text, enum style style);
/* Heading and rows, each with a line break. */
void table_format(const struct table *table, const struct screen *screen, struct buffer *out);
/* To stdout. */
void table_print(const struct table *table);

#endif
