/*
 * Rows: the steps of an attempt's rows, and one row that is still open, in
 * which a name's last value stands. Not thread-safe.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_ROW_H
#define BESOM_AGENT_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "batcher.h"
#include "name_table.h"

/* The step of the next row without one: above the greatest so far. Shared by all who write rows of an
 * attempt. */
struct row_steps {
    int64_t next;
};

/* A step that a row names. */
void row_steps_note(struct row_steps *steps, int64_t step);
/* The step of a row that names none. */
int64_t row_steps_take(struct row_steps *steps);

struct row_value {
    double value;
    int64_t time_us;
    bool is_set;
};

/* Zeroed = empty, with the next step. */
struct row {
    bool open; /* its user's */
    bool has_step;
    int64_t step;
    struct name_table names;
    struct row_value *values; /* owned; one for each name */
    size_t count, capacity;   /* count: those that are set */
};

/* True when a line with this step belongs to the row. A row without a step takes the next one. */
bool row_is_at(const struct row *row, const struct row_steps *steps, int64_t step);
/* Gives the row a step, for good until it is written. */
void row_set_step(struct row *row, struct row_steps *steps, int64_t step);

/* Aborts without memory: metrics are never silently dropped. */
void row_put(struct row *row, const char *name, size_t length, double value, int64_t time_us);
/* Writes one value of the row, if it is there, before the rest: something about its name is to stand after
 * it. */
void row_write_one(struct row *row, struct row_steps *steps, struct batcher *batcher, const char *name,
                   size_t length);
/* Writes what is there; the row keeps its step and stays open. */
void row_write(struct row *row, struct row_steps *steps, struct batcher *batcher);
/* Writes and begins afresh. */
void row_close(struct row *row, struct row_steps *steps, struct batcher *batcher);
void row_free(struct row *row);

#endif
