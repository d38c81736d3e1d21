/*
 * Packing one attempt: its first inbox rows become chunks, in one transaction.
 * A series goes on in its last chunk when that is small, and is cut into equal
 * parts of 500 to 1,000 points where there are as many.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_COMPACT_ATTEMPT_H
#define BESOM_CONTROLLER_COMPACT_ATTEMPT_H

#include "db/store/metrics.h"

/* A last chunk of fewer points is continued. */
#define COMPACT_CHUNK_MIN 500
#define COMPACT_CHUNK_MAX 1000

/* Bounds of one transaction: what it holds in memory, and how long it takes. */
#define COMPACT_ROWS_MAX 8192
#define COMPACT_POINTS_MAX 131072

/* *more: the inbox held more than was taken. Nothing happens when another transaction is at it. */
enum status compact_attempt(struct store *store, const struct store_compaction *key, bool *more,
                            struct err *err) MUST_USE;

#endif
