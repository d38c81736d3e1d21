/*
 * TrackRun: the streams of running attempts on this replica. A stream opens
 * its attempt, sends batches and signs of life through ingest, and gets
 * acknowledgements and directives back. Directives are delivered at once when
 * woken, on opening, and by one query for all streams every claim poll, until
 * they are answered.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_TRACK_H
#define BESOM_CONTROLLER_TRACK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "services/controller/controller.h"
#include "services/controller/facts.h"
#include "services/controller/ids.h"

/* One open stream. */
struct track {
    struct controller *controller;
    struct rpc_stream *stream; /* a reference */
    atomic_int references;
    char sweep_id[ID_SIZE], run_id[ID_SIZE], agent_id[AGENT_ID_LENGTH + 1];
    int32_t attempt;
    bool opened;                /* stream's callbacks only */
    bool current;               /* as the opening said; set once before batches */
    bool facts_told;            /* its lane of ingest only: that there are too many */
    const struct facts *facts;  /* owned; set when opened */
    struct track *next, **link; /* registry's lock */
    pthread_mutex_t lock;       /* guards what follows */
    int64_t acked;              /* told to the agent */
    int64_t unsent_ack;         /* refused by a full outbox, 0 = none */
    int64_t sent_generation;    /* newest directive told on this stream */
    unsigned under_way;         /* batches not answered yet */
    bool half_closed;           /* the agent sends no more: end after the last answer */
    int64_t spooled;            /* batches in the agent's spool, as it said last */
    bool renewing;              /* a sign of life is on its way to the database */
};

struct tracks;

/* IO, NO_MEMORY. */
enum status tracks_start(struct controller *controller, struct tracks **out, struct err *err) MUST_USE;
/* Ends every stream, so that agents go to another replica. */
void tracks_drain(struct tracks *tracks);
/* NULL is fine. */
void tracks_stop(struct tracks *tracks);
/* Looks for directives now. Never blocks. */
void tracks_wake(struct tracks *tracks);
/* The sweep is gone with its rows: streams on this replica are told to kill. */
void tracks_kill(struct tracks *tracks, const char *sweep_id, const char *reason);
/* Open streams of a sweep; NULL = all. */
size_t tracks_count(struct tracks *tracks, const char *sweep_id);
/* Batches in the spools of their agents, as those said last. */
int64_t tracks_count_spooled(struct tracks *tracks);

extern const struct rpc_stream_handler track_handler;

struct track *track_ref(struct track *track);
void track_unref(struct track *track);
/* Any thread. Acknowledges; a full outbox is made up for later. */
void track_ack(struct track *track, int64_t last_sequence);
/* A sign of life was stored: says again what is durable, so that the agent knows that it has its lease. */
void track_ack_alive(struct track *track);
void track_refuse(struct track *track, int64_t sequence, const char *reason);
/* A batch was answered: one more message may be read. */
void track_answered(struct track *track);
void track_fail(struct track *track, const struct err *err);

#endif
