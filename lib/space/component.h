/*
 * Leaves and conditions that hang together: every combination of what the
 * parents among them can be, as far as conditions tell values apart. Private
 * to lib/space.
 *
 * A parent's values fall into runs, within which no condition tells them
 * apart. A row gives each parent's run, or INACTIVE, and says of each condition
 * whether it holds; its weight is the number of configurations it stands for.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SPACE_COMPONENT_H
#define BESOM_SPACE_COMPONENT_H

#include "space/leaf.h"

#define INACTIVE UINT32_MAX
#define NO_COMPONENT SIZE_MAX
#define NO_COLUMN SIZE_MAX

/* What a leaf is to the grid. */
struct place {
    size_t component;  /* or NO_COMPONENT */
    size_t own_column; /* of a parent: its run; else NO_COLUMN */
    size_t if_column;  /* its condition: 1 where it holds; NO_COLUMN: always */
    uint64_t radix;
    uint64_t *starts; /* owned; first value index of each run; NULL: one run */
    size_t run_count;
};

struct component {
    size_t *nodes; /* borrowed; parents and conditions, each after those it hangs on; one column each */
    size_t node_count;
    size_t leaf_count;
    uint32_t *rows; /* owned; row_count * node_count */
    size_t row_count;
    size_t row_capacity;
    uint64_t *weights; /* owned */
    uint64_t total;
};

struct grid {
    struct err fault; /* why there is no grid; OK otherwise */
    uint64_t count;
    struct place *places; /* owned; one for each leaf */
    size_t leaf_count;
    struct component *components; /* owned; leaves without conditions are in none */
    size_t component_count;
    size_t *nodes; /* owned; the components' nodes */
    size_t row_count;
    size_t run_count_max;
};

/* Fills the components of a space that has conditions; places have their radix. */
enum status grid_build_components(const struct space *space, struct grid *grid, struct err *err) MUST_USE;
enum status grid_too_many_points(struct err *err);

/* What all components may still use. */
struct component_budget {
    size_t rows, cells;
};

/* Fills rows. `columns` gives each node's column. INVALID past the budget. */
enum status component_fill(const struct space *space, const struct place *places, const size_t *columns,
                           struct component *component, struct component_budget *budget,
                           struct err *err) MUST_USE;

/* A leaf's run in a row, INACTIVE when it is not there. */
uint32_t component_run(const struct component *component, const struct place *place, size_t row);

/* How many values a run has. */
uint64_t place_run_length(const struct place *place, size_t run);

#endif
