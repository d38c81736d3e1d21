/*
 * Writing decisions under the lock of their decider row. Private to db/store.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_DB_STORE_DECISIONS_H
#define BESOM_DB_STORE_DECISIONS_H

#include "db/store/stops.h"

/* Locks the row and gives how far it was decided. CONFLICT when it is another's. */
enum status decisions_lock(struct store_tx *tx, const char *sweep_id, const char *owner, int64_t epoch,
                           int64_t *decided, struct err *err) MUST_USE;

/* Writes the decisions after `decided`, and that all up to number `up_to` is decided. */
enum status decisions_write(struct store_tx *tx, const char *sweep_id, int64_t epoch, int64_t decided,
                            int64_t up_to, const struct store_decision *decisions, size_t count,
                            struct err *err) MUST_USE;

#endif
