/*
 * What waits in the whole database, for monitoring.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_DB_STORE_BACKLOG_H
#define BESOM_DB_STORE_BACKLOG_H

#include "db/store/store.h"

struct store_backlog {
    int64_t inbox_rows, inbox_points; /* not packed yet */
    int64_t queued_runs;              /* of sweeps that hand runs out */
};
/* Rows and runs are counted up to `most`. Reads only. */
enum status store_get_backlog(struct store_tx *tx, int64_t most, struct store_backlog *out,
                              struct err *err) MUST_USE;

#endif
