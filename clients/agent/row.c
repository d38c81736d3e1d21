// SPDX-License-Identifier: Apache-2.0
#include "row.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_KEPT 1000 /* from row to row, for they have mostly the same ones */

void row_steps_note(struct row_steps *steps, int64_t step)
{
    if (step >= steps->next && step < INT64_MAX)
        steps->next = step + 1;
}

int64_t row_steps_take(struct row_steps *steps)
{
    int64_t step = steps->next;
    row_steps_note(steps, step);
    return step;
}

bool row_is_at(const struct row *row, const struct row_steps *steps, int64_t step)
{
    return step == (row->has_step ? row->step : steps->next);
}

void row_set_step(struct row *row, struct row_steps *steps, int64_t step)
{
    row->has_step = true;
    row->step = step;
    row_steps_note(steps, step);
}

void row_put(struct row *row, const char *name, size_t length, double value, int64_t time_us)
{
    bool added;
    size_t index = name_table_put(&row->names, name, length, &added);
    if (added && index == row->capacity) {
        row->capacity = row->capacity == 0 ? 16 : row->capacity * 2;
        row->values = realloc(row->values, row->capacity * sizeof *row->values);
        if (row->values == NULL)
            abort();
    }
    if (added)
        row->values[index].is_set = false;
    row->count += !row->values[index].is_set;
    row->values[index] = (struct row_value){.value = value, .time_us = time_us, .is_set = true};
}

static void write_value(struct row *row, struct batcher *batcher, size_t index)
{
    const struct name *name = &row->names.names[index];
    struct row_value *value = &row->values[index];
    if (!value->is_set)
        return;
    batcher_add_metric(batcher, name->text, name->length, row->step, value->value, value->time_us);
    value->is_set = false;
    row->count--;
}

static void fix_step(struct row *row, struct row_steps *steps)
{
    if (!row->has_step)
        row_set_step(row, steps, steps->next);
}

void row_write_one(struct row *row, struct row_steps *steps, struct batcher *batcher, const char *name,
                   size_t length)
{
    size_t index = row->count > 0 ? name_table_find(&row->names, name, length) : NAME_NONE;
    if (index == NAME_NONE || !row->values[index].is_set)
        return;
    fix_step(row, steps);
    write_value(row, batcher, index);
}

void row_write(struct row *row, struct row_steps *steps, struct batcher *batcher)
{
    fix_step(row, steps);
    for (size_t i = 0; i < row->names.count && row->count > 0; i++)
        write_value(row, batcher, i);
    if (row->names.count > NAMES_KEPT)
        name_table_free(&row->names);
}

void row_close(struct row *row, struct row_steps *steps, struct batcher *batcher)
{
    row_write(row, steps, batcher);
    row->open = row->has_step = false;
}

void row_free(struct row *row)
{
    name_table_free(&row->names);
    free(row->values);
    *row = (struct row){.count = 0};
}
