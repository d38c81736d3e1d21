// SPDX-License-Identifier: GPL-3.0-or-later
#include "table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "format.h"

#define GAP 2
#define COLUMN_LEAST 6

struct screen screen_look(FILE *stream)
{
    struct screen screen = {.is_terminal = isatty(fileno(stream)) == 1};
    if (!screen.is_terminal)
        return screen;
    struct winsize size = {0};
    const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
    screen.width = 80;
    screen.height = 24;
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        screen.width = size.ws_col;
        screen.height = size.ws_row;
    }
    screen.colour =
        (no_colour == NULL || *no_colour == '\0') && terminal != NULL && strcmp(terminal, "dumb") != 0;
    return screen;
}

const char *screen_style(const struct screen *screen, enum style style)
{
    static const char *const sequences[] = {
        [STYLE_PLAIN] = "\033[0m", [STYLE_HEAD] = "\033[1m",  [STYLE_DIM] = "\033[2m",
        [STYLE_GOOD] = "\033[32m", [STYLE_BUSY] = "\033[36m", [STYLE_WARN] = "\033[33m",
        [STYLE_BAD] = "\033[31m"};
    return screen->colour ? sequences[style] : "";
}

struct table table_make(struct arena *arena, const struct table_column *columns, size_t count)
{
    return (struct table){.arena = arena, .columns = columns, .column_count = count};
}

void table_add_styled(struct table *table, const char *text, enum style style)
{
    if (table->cell_count == table->cell_capacity) {
        size_t capacity = table->cell_capacity == 0 ? 64 : 2 * table->cell_capacity;
        struct table_cell *grown = arena_calloc(table->arena, capacity, sizeof *grown);
        if (grown == NULL)
            return;
        if (table->cell_count > 0)
            memcpy(grown, table->cells, table->cell_count * sizeof *grown);
        table->cells = grown;
        table->cell_capacity = capacity;
    }
    table->cells[table->cell_count++] =
        (struct table_cell){.text = text_clean(table->arena, text), .style = style};
}

void table_add(struct table *table, const char *text)
{
    table_add_styled(table, text, STYLE_PLAIN);
}

static size_t total_width(const size_t *widths, size_t count)
{
    size_t total = count > 0 ? (count - 1) * GAP : 0;
    for (size_t i = 0; i < count; i++)
        total += widths[i];
    return total;
}

static size_t widest(const size_t *widths, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (widths[i] > widths[best])
            best = i;
    return best;
}

/* Takes columns of text away where there are most. */
static void fit_widths(size_t *widths, size_t count, size_t limit)
{
    if (limit == 0 || count == 0)
        return;
    for (size_t total = total_width(widths, count); total > limit; total--) {
        size_t column = widest(widths, count);
        if (widths[column] <= COLUMN_LEAST)
            return;
        widths[column]--;
    }
}

static void format_cell(const struct screen *screen, const struct table_column *column,
                        struct table_cell cell, size_t width, bool last, struct buffer *out)
{
    size_t length = text_width(cell.text);
    size_t padding = length < width ? width - length : 0;
    const char *style = cell.style != STYLE_PLAIN ? screen_style(screen, cell.style) : "";
    if (column->right)
        buffer_printf(out, "%*s", (int)padding, "");
    buffer_puts(out, style);
    text_cut(cell.text, width, out);
    if (*style != '\0')
        buffer_puts(out, screen_style(screen, STYLE_PLAIN));
    if (!column->right && !last)
        buffer_printf(out, "%*s", (int)padding, "");
}

static void format_row(const struct table *table, const struct screen *screen, const struct table_cell *cells,
                       const size_t *widths, struct buffer *out)
{
    size_t used = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        /* columns that do not fit even when they are cut are left out, so that no line wraps */
        used += widths[i] + (i > 0 ? GAP : 0);
        if (screen->width > 0 && used > screen->width && i > 0)
            break;
        if (i > 0)
            buffer_printf(out, "%*s", GAP, "");
        format_cell(screen, &table->columns[i], cells[i], widths[i], i + 1 == table->column_count, out);
    }
    buffer_putc(out, '\n');
}

void table_format(const struct table *table, const struct screen *screen, struct buffer *out)
{
    size_t count = table->column_count;
    size_t *widths = arena_calloc(table->arena, count + 1, sizeof *widths);
    struct table_cell *heads = arena_calloc(table->arena, count + 1, sizeof *heads);
    if (widths == NULL || heads == NULL || count == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        heads[i] = (struct table_cell){.text = text_clean(table->arena, table->columns[i].name),
                                       .style = STYLE_HEAD};
        widths[i] = text_width(heads[i].text);
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t width = text_width(table->cells[i].text);
        if (width > widths[i % count])
            widths[i % count] = width;
    }
    fit_widths(widths, count, screen->width);
    format_row(table, screen, heads, widths, out);
    for (size_t i = 0; i + count <= table->cell_count; i += count)
        format_row(table, screen, &table->cells[i], widths, out);
}

void table_print(const struct table *table)
{
    struct screen screen = screen_look(stdout);
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    table_format(table, &screen, &text);
    fputs(buffer_text(&text), stdout);
}
