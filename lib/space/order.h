/*
 * Sorted ordinals, and the order in which conditions can be decided. Private
 * to lib/space.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SPACE_ORDER_H
#define BESOM_SPACE_ORDER_H

#include "space/leaf.h"

void order_sort(uint64_t *numbers, size_t count);
/* Drops repeats of sorted numbers; how many are left. */
size_t order_unique(uint64_t *numbers, size_t count);
bool order_contains(const uint64_t *numbers, size_t count, uint64_t number);

/* Writes the nodes into `order`, each after those that it hangs on, and marks them in `done`; *out_complete
 * is false when some hang on each other in a circle. False without memory. */
bool order_build(const struct space *space, size_t *order, bool *done, bool *out_complete) MUST_USE;

#endif
