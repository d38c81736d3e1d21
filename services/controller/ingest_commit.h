/*
 * One transaction for batches of many streams: locks their attempts in order,
 * stores what continues each attempt's sequence, and leaves a verdict per
 * item.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_INGEST_COMMIT_H
#define BESOM_CONTROLLER_INGEST_COMMIT_H

#include "services/controller/batch.h"
#include "services/controller/group.h"
#include "services/controller/track.h"

#define FACTS_MAX 10000 /* of an attempt; more are left out */

struct ingest_item {
    struct group_item base;
    struct track *track; /* a reference */
    struct arena arena;  /* owned; holds the batch */
    struct batch batch;
    size_t bytes;        /* counted against what may wait */
    const char *refusal; /* in the arena; the batch was replaced by an empty one, NULL = it was not */
    /* the verdict */
    int64_t last_sequence;
    bool found, stale, accepted, reached_rung, left_out_facts;
    bool reached_target; /* with this batch, for the first time in the attempt */
    bool finished_sweep; /* thereby */
    bool holds_sweep;    /* not of the verdict: the next try locks the sweep first */
};

/* group_options.run; the context is the controller. */
enum status ingest_commit(void *controller, struct group_item *const *items, size_t count,
                          struct err *err) MUST_USE;

#endif
