/*
 * Values of runs in order, best first: inserted, removed, counted and found by
 * rank in O(log n). Equal values stand in order of their runs. Lower is better.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_STOP_RANKING_H
#define BESOM_STOP_RANKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ranking_node;

/* Zeroed = empty. */
struct ranking {
    struct ranking_node *nodes; /* owned; 0 is nobody */
    uint32_t root;
    uint32_t used, capacity;
    uint32_t free; /* first of the removed ones */
};

void ranking_free(struct ranking *ranking);
size_t ranking_count(const struct ranking *ranking);
/* False without memory. The pair must not be in it, the loss be no NaN. */
bool ranking_insert(struct ranking *ranking, double loss, size_t run);
/* The pair must be in it. */
void ranking_remove(struct ranking *ranking, double loss, size_t run);
/* How many stand before the pair, which need not be in it. */
size_t ranking_rank(const struct ranking *ranking, double loss, size_t run);
/* The pair at a rank below the count. */
void ranking_at(const struct ranking *ranking, size_t rank, double *loss, size_t *run);

#endif
