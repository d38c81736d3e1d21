/*
 * Batches and signs of life of many streams on their way to the database:
 * committed together, acknowledged afterwards.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_INGEST_H
#define BESOM_CONTROLLER_INGEST_H

#include <besom/v1/run_service.pb-c.h>

#include "services/controller/track.h"

struct ingest;

/* IO, NO_MEMORY. */
enum status ingest_start(struct controller *controller, struct ingest **out, struct err *err) MUST_USE;
/* Commits what is queued first. NULL is fine. */
void ingest_stop(struct ingest *ingest);

/* Takes a batch of the stream (copied); its credit is given back when it is answered. NO_MEMORY. */
enum status ingest_submit(struct ingest *ingest, struct track *track, const Besom__V1__TrackBatch *message,
                          struct err *err) MUST_USE;
/* Of batches that are not answered yet. */
size_t ingest_waiting_bytes(struct ingest *ingest);
/* Renews the lease. */
void ingest_renew(struct ingest *ingest, struct track *track);

#endif
