// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/history.h"

#include <stdlib.h>
#include <string.h>

static bool grow(double **array, size_t count)
{
    double *grown = realloc(*array, count * sizeof *grown);
    if (grown != NULL)
        *array = grown;
    return grown != NULL;
}

enum status history_add(struct history *history, const double *point, bool failed, double value,
                        struct err *err)
{
    struct told *told = failed ? &history->failures : &history->successes;
    size_t dims = history->space->count;
    if (told->count == told->capacity) {
        size_t capacity = told->capacity == 0 ? 64 : told->capacity * 2;
        if (!grow(&told->points, capacity * dims) || !grow(&told->coordinates, capacity * dims) ||
            !grow(&told->values, capacity))
            return err_set(err, STATUS_NO_MEMORY, "telling: out of memory");
        told->capacity = capacity;
    }
    memcpy(told->points + told->count * dims, point, dims * sizeof *point);
    dims_embed(history->space, point, told->coordinates + told->count * dims);
    told->values[told->count++] = value;
    return STATUS_OK;
}

static void release(struct told *told)
{
    free(told->points);
    free(told->coordinates);
    free(told->values);
}

void history_release(struct history *history)
{
    release(&history->successes);
    release(&history->failures);
}
