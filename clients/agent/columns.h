/*
 * Values that wait for their batch, by metric: steps, values and times side by
 * side, as a Series carries them. Not thread-safe. Without memory it aborts:
 * metrics are never silently dropped.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_COLUMNS_H
#define BESOM_AGENT_COLUMNS_H

#include <stddef.h>
#include <stdint.h>

#include "name_table.h"

struct column {
    int64_t *steps, *times_us;     /* owned */
    double *values;                /* owned */
    size_t first, count, capacity; /* what waits starts at `first` */
};

/* Zeroed = empty. */
struct columns {
    struct name_table names;
    struct column *columns; /* owned; one for each name */
    size_t capacity;
    size_t *waiting; /* owned; columns with values, in order of their first one */
    size_t waiting_count, waiting_capacity;
    size_t points;
    size_t bytes; /* of a message, at most */
};

void columns_add(struct columns *columns, const char *name, size_t length, int64_t step, double value,
                 int64_t time_us);

/* Bytes of a message for `points` of a metric whose name has `length` bytes, at most. */
size_t columns_bytes(size_t length, size_t points);

/* The first `whole` waiting columns were written, and of the next one its first `points` values. */
void columns_forget(struct columns *columns, size_t whole, size_t points);

/* Forgets everything, the names too. */
void columns_free(struct columns *columns);

#endif
