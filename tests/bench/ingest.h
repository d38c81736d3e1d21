/*
 * The points that bench_ingest sends, and the limit that it measures against:
 * binary COPY of the same points into a table with a row per point and an
 * index by run, metric and step.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_TESTS_BENCH_INGEST_H
#define BESOM_TESTS_BENCH_INGEST_H

#include <stdint.h>

/* A batch is what an agent sends at its fullest: a hundred points. */
#define INGEST_METRICS 5
#define INGEST_STEPS 20
#define INGEST_POINTS ((int64_t)INGEST_METRICS * INGEST_STEPS)

/* What a run logs: falls with the step, with noise in every digit. */
double ingest_value(int run, int metric, int64_t step);

/* Points per second that `connections` threads copy for `ms`, 1,000 rows a commit, taking batches of `runs`
 * runs in turn. Makes the table and drops it. */
double copy_points(int connections, int runs, int64_t ms);

#endif
