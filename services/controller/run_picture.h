/*
 * What a run amounts to, of the rows of its attempts: figures over all of
 * them. Pure.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_RUN_PICTURE_H
#define BESOM_CONTROLLER_RUN_PICTURE_H

#include <stddef.h>

#include "db/store/metrics.h"

/* Makes one row of each metric out of those of a run's attempts, sorted by name, then attempt: the last value
 * of the newest, the first of the oldest, the others over all. Returns how many are left. */
size_t run_picture_merge(struct store_summary *rows, size_t count);

#endif
