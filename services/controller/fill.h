/*
 * One turn of filling one sweep's queue: takes the refill row (owner, epoch,
 * deadline), asks besom-suggestion, inserts what it answers. Blocks; a sweep
 * is filled by one thread at a time.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_FILL_H
#define BESOM_CONTROLLER_FILL_H

#include "base/id.h"
#include "db/store/sweeps.h"
#include "services/controller/controller.h"
#include "services/controller/facts.h"

/* Zeroed but for controller and need. Release its facts. */
struct filling {
    struct controller *controller;
    const struct facts *facts;
    struct store_refill_need need;
    struct store_new_run *runs; /* what follows is for fill.c */
    char (*run_ids)[ID_SIZE];
    size_t count;
    bool exhausted, taken;
    bool dropped;             /* what was suggested, because the queue had changed meanwhile */
    bool keep;                /* what was suggested, although results came meanwhile */
    struct store_queue queue; /* of methods that learn */
    int64_t epoch, inserted;
};

/* Fills up to twice `low`. */
enum status fill_ahead(struct filling *filling, int64_t low, struct err *err) MUST_USE;

/* What one turn of a sweep that learns tells the next. */
struct fill_memory {
    int64_t cursor; /* of the last suggestions; -1 = none yet */
    int tries;      /* in a row whose suggestions a result made stale before their callers got them */
    bool waited;    /* callers, in the last turn */
};

/*
 * Drops what results made stale, then asks for as many as callers are waiting, or for one when nobody waits
 * and nothing was asked since the newest result. Of `need` only the sweep counts.
 */
enum status fill_learning(struct filling *filling, struct fill_memory *memory, int64_t waiting,
                          struct err *err) MUST_USE;

#endif
