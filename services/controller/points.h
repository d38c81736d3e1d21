/*
 * The points of one metric of a run, part by part, in order of logging: of
 * each attempt the chunks, then the inbox; of an attempt that was gone on with
 * only those below the least step of the attempts after it. Each part is read
 * in a transaction of its own, so a slow reader holds none up. One thread at a
 * time.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_POINTS_H
#define BESOM_CONTROLLER_POINTS_H

#include "services/controller/history.h"

/* Figures of a stretch of points. */
struct points_sum {
    int64_t count, first_step, last_step; /* least and greatest step */
    double min, max, last;                /* of finite values, NaN when there is none; the newest value */
};

struct points_part {
    int32_t attempt;
    bool summed; /* `sum` is set, else `columns`, which hold until the next call */
    struct points_sum sum;
    struct pack_columns columns; /* at least one point */
};

struct points;

/* Only steps from first_step to last_step. What is handed in must outlive it. NOT_FOUND when chunks are gone.
 */
enum status points_new(struct gate *gate, const struct history *history, const struct history_metric *metric,
                       int64_t first_step, int64_t last_step, struct points **out, struct err *err) MUST_USE;
/* NULL is fine. */
void points_free(struct points *points);

/* From the first point on; `sums`: chunks that are wanted as a whole come as figures, without being read. */
void points_rewind(struct points *points, bool sums);

/* *any false = the end. */
enum status points_next(struct points *points, struct points_part *part, bool *any, struct err *err) MUST_USE;

#endif
