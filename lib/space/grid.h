/*
 * Grids: how many distinct configurations a space has and which one stands at
 * an index, without writing them out. Private to lib/space.
 *
 * The order is that of the cartesian product over the leaves, the last one
 * fastest, where an inactive leaf stands at its first value and repeats are
 * dropped.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SPACE_GRID_H
#define BESOM_SPACE_GRID_H

#include "space/leaf.h"

/* Bounds of what conditions may tie together, over the whole space: combinations of the values that
 * conditions name, and these times the parameters and conditions involved. */
#define GRID_ROWS_MAX 65536u
#define GRID_CELLS_MAX (1u << 22)

/* A space that has no grid gets one that says why when it is asked. */
enum status grid_new(const struct space *space, struct grid **out, struct err *err) MUST_USE;
void grid_free(struct grid *grid);

enum status grid_count(const struct grid *grid, uint64_t *out, struct err *err) MUST_USE;

/* The value index of each leaf of point `index`, which must be below the count; `active` says which leaves
 * are there. Both have space->count items. */
enum status grid_locate(const struct space *space, uint64_t index, uint64_t *values, bool *active,
                        struct err *err) MUST_USE;

#endif
