/*
 * Points that were in the inbox when the snapshot was taken, too many to hold
 * then. By the time they are read some are packed: a point's place in its
 * series stays, so they are looked for in chunks first. For points.c.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_POINTS_TAIL_H
#define BESOM_CONTROLLER_POINTS_TAIL_H

#include "services/controller/history.h"

struct points_tail {
    struct gate *gate;
    const struct history *history;
    const char *name;
    int32_t attempt;
    int64_t left;  /* points that are not read yet */
    int64_t chunk; /* the next point is number `offset` from the begin of this chunk on */
    int64_t offset;
    int64_t inbox_offset; /* ... and of the inbox, as last seen: the row after `sequence` has it */
    int64_t sequence;
};

struct points_tail points_tail_begin(struct gate *gate, const struct history *history, const char *name,
                                     const struct history_source *source);

/* The next points, at least one, in the arena; only while some are left. NOT_FOUND when they are gone. */
enum status points_tail_next(struct points_tail *tail, struct arena *arena, struct pack_columns *out,
                             struct err *err) MUST_USE;

#endif
