/*
 * Whether a failover of the database could lose what was acknowledged: the
 * standbys, for the gauges and for those who watch a sweep. Read by whoever
 * needs it fresh. Thread-safe.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_STANDBYS_H
#define BESOM_CONTROLLER_STANDBYS_H

#include "db/store/replication.h"
#include "services/controller/controller.h"

#define STANDBYS_CODE "replication_asynchronous"
#define STANDBYS_TEXT_MAX 256

struct standbys;

/* NO_MEMORY. */
enum status standbys_new(struct controller *controller, struct standbys **out, struct err *err) MUST_USE;
/* NULL is fine. */
void standbys_free(struct standbys *standbys);

/* Reads them, unless that was done within max_age_ms, and sets the gauges. When the database is away what was
 * read last stays. */
void standbys_look(struct standbys *standbys, int64_t max_age_ms);
/* What is wrong by the last look, "" = nothing or not known. */
void standbys_warn(struct standbys *standbys, char text[STANDBYS_TEXT_MAX]);

/* The same of what was read: standbys, and none of them for sure synchronous. Pure. */
void standbys_describe(const struct store_replication *found, char text[STANDBYS_TEXT_MAX]);

#endif
