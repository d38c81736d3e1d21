/*
 * Whether what this service commits would survive the loss of the primary.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_DB_STORE_REPLICATION_H
#define BESOM_DB_STORE_REPLICATION_H

#include "db/store/store.h"

struct store_replication {
    /* Standbys by how commits wait for them; unknown: they may, but the role may not see for which. With
     * synchronous_commit off or local all are asynchronous. */
    int64_t synchronous, asynchronous, unknown;
    const char *synchronous_commit; /* of this role's sessions, as PostgreSQL calls it */
};
/* Reads only. */
enum status store_get_replication(struct store_tx *tx, struct store_replication *out,
                                  struct err *err) MUST_USE;

#endif
