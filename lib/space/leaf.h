/*
 * The inside of a space: its leaves in grid order and the conditions that
 * some of them hang on. Private to lib/space.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SPACE_LEAF_H
#define BESOM_SPACE_LEAF_H

#include "space/parameter.h"
#include "space/space.h"

#define NO_CONDITION SIZE_MAX

struct grid;

/* Names point into the space's own copy of the definitions. */
struct leaf {
    struct parameter parameter;
    char *path;         /* owned; dotted */
    const char **names; /* owned array of borrowed names, outermost first */
    size_t depth;
    size_t condition; /* the innermost one above it, or NO_CONDITION */
};

/* `parent` has one of some values. */
struct term {
    size_t parent;      /* a leaf */
    uint64_t *ordinals; /* owned; distribution.locate of the values, ascending, distinct */
    size_t count;
};

/* One `when`: all its terms hold, and so does the condition of the group around it. */
struct condition {
    size_t outer; /* or NO_CONDITION */
    struct term *terms;
    size_t term_count;
    const json_t *when; /* borrowed from the source */
    const char **names; /* owned array; the way to the leaf or group that has it */
    size_t depth;
};

/* A node is a leaf, or leaf count + a condition. */
struct space {
    json_t *source; /* owned; the definitions */
    struct leaf *leaves;
    size_t count;
    size_t capacity;
    struct condition *conditions;
    size_t condition_count;
    size_t condition_capacity;
    size_t *order;     /* nodes, each after those it hangs on; NULL without conditions */
    struct grid *grid; /* owned */
};

static inline size_t space_node_count(const struct space *space)
{
    return space->count + space->condition_count;
}

#endif
