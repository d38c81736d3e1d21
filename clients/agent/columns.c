// SPDX-License-Identifier: Apache-2.0
#include "columns.h"

#include <stdlib.h>
#include <string.h>

#define SERIES_HEAD_BYTES 32
#define POINT_BYTES 28 /* step, value and time at their longest */

size_t columns_bytes(size_t length, size_t points)
{
    return SERIES_HEAD_BYTES + length + points * POINT_BYTES;
}

static void *grown(void *array, size_t count, size_t size)
{
    void *moved = realloc(array, count * size);
    if (moved == NULL)
        abort();
    return moved;
}

static void grow_column(struct column *column)
{
    column->capacity = column->capacity == 0 ? 8 : column->capacity * 2;
    column->steps = grown(column->steps, column->capacity, sizeof *column->steps);
    column->times_us = grown(column->times_us, column->capacity, sizeof *column->times_us);
    column->values = grown(column->values, column->capacity, sizeof *column->values);
}

static struct column *find_column(struct columns *columns, const char *name, size_t length)
{
    bool added;
    size_t index = name_table_put(&columns->names, name, length, &added);
    if (added && index == columns->capacity) {
        columns->capacity = columns->capacity == 0 ? 16 : columns->capacity * 2;
        columns->columns = grown(columns->columns, columns->capacity, sizeof *columns->columns);
    }
    struct column *column = &columns->columns[index];
    if (added)
        *column = (struct column){.count = 0};
    if (column->count > 0)
        return column;
    if (columns->waiting_count == columns->waiting_capacity) {
        columns->waiting_capacity = columns->waiting_capacity == 0 ? 16 : columns->waiting_capacity * 2;
        columns->waiting = grown(columns->waiting, columns->waiting_capacity, sizeof *columns->waiting);
    }
    columns->waiting[columns->waiting_count++] = index;
    columns->bytes += columns_bytes(length, 0);
    return column;
}

void columns_add(struct columns *columns, const char *name, size_t length, int64_t step, double value,
                 int64_t time_us)
{
    struct column *column = find_column(columns, name, length);
    size_t at = column->first + column->count;
    if (at == column->capacity)
        grow_column(column);
    column->steps[at] = step;
    column->values[at] = value;
    column->times_us[at] = time_us;
    column->count++;
    columns->points++;
    columns->bytes += POINT_BYTES;
}

void columns_forget(struct columns *columns, size_t whole, size_t points)
{
    for (size_t i = 0; i < whole; i++) {
        struct column *column = &columns->columns[columns->waiting[i]];
        columns->points -= column->count;
        columns->bytes -= columns_bytes(columns->names.names[columns->waiting[i]].length, column->count);
        column->first = column->count = 0;
    }
    columns->waiting_count -= whole;
    if (whole > 0)
        memmove(columns->waiting, columns->waiting + whole,
                columns->waiting_count * sizeof *columns->waiting);
    if (points == 0)
        return;
    struct column *part = &columns->columns[columns->waiting[0]];
    part->first += points;
    part->count -= points;
    columns->points -= points;
    columns->bytes -= points * POINT_BYTES;
}

void columns_free(struct columns *columns)
{
    for (size_t i = 0; i < columns->names.count; i++) {
        free(columns->columns[i].steps);
        free(columns->columns[i].times_us);
        free(columns->columns[i].values);
    }
    free(columns->columns);
    free(columns->waiting);
    name_table_free(&columns->names);
    *columns = (struct columns){.points = 0};
}
