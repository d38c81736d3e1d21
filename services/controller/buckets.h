/*
 * Points of one metric summed up in at most so many buckets of about equal
 * numbers of points.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_BUCKETS_H
#define BESOM_CONTROLLER_BUCKETS_H

#include "services/controller/points.h"

struct buckets {
    struct points_sum *items; /* owned */
    size_t count, most;
    int64_t total, seen;
    size_t border; /* number of the bucket after the last one, by place */
    int64_t next;  /* the first point there */
};

/* What all of a process may hold at once, some 200 MB: readers that do not read keep theirs. */
#define BUCKETS_HELD_MAX ((size_t)4000000)

/* `total` points will be added. EXHAUSTED (BUCKETS_HELD_MAX), NO_MEMORY. */
enum status buckets_init(struct buckets *buckets, size_t most, int64_t total, struct err *err) MUST_USE;
void buckets_free(struct buckets *buckets);

/* A stretch as a whole: it belongs where its middle lies. */
void buckets_add_sum(struct buckets *buckets, const struct points_sum *sum);
void buckets_add_points(struct buckets *buckets, const struct pack_columns *columns);

#endif
