/*
 * The controller as its parts see it: what was built at the start and is
 * handed to every handler and thread. Fields are set before the server starts
 * and never change; each part guards its own state. A part may be NULL in a
 * program that tests others.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_CONTROLLER_H
#define BESOM_CONTROLLER_CONTROLLER_H

#include <besom/client.h>

#include "db/store/store.h"
#include "rpc/server.h"
#include "services/controller/options.h"

#define CONTROLLER_LOG "controller"

struct controller {
    const struct controller_options *options;
    struct store *store;
    const char *owner;             /* unique to this process and start */
    struct token_keys *token_keys; /* of tokens that are made here; set before controller_start */
    struct access *access;         /* who calls; set after controller_start */
    besom_client *suggestion;      /* owned */
    besom_client *scheduler;       /* owned */
    struct gate *gate;             /* owned; the store for who must not wait long for it */
    struct facts_cache *facts;     /* owned; what sweeps are */
    struct meter *meter;           /* owned; points a second by sweep */
    struct claims *claims;         /* owned; parked AcquireRun callers */
    struct ingest *ingest;         /* owned; batches and signs of life on their way to commits */
    struct finish *finish;         /* owned; ends of attempts on their way to commits */
    struct tracks *tracks;         /* owned; open TrackRun streams and their directives */
    struct refill *refill;         /* owned */
    struct reaper *reaper;         /* owned */
    struct stops *stops;           /* owned */
    struct compact *compact;       /* owned */
    struct standbys *standbys;     /* owned; of the database */
    struct watch *watch;           /* owned; WatchSweep streams */
    struct log_follow *log_follow; /* owned; ReadLogs streams that follow */
    struct looks *looks;           /* owned; questions to the suggestion service */
    struct wake *wake;             /* owned */
    struct backlog *backlog;       /* owned; gauges for monitoring */
};

/* Builds the parts and starts their threads. `controller` is zeroed but for options, store, owner and keys.
 */
enum status controller_start(struct controller *controller, struct err *err) MUST_USE;
/* At the start of the server's shutdown: answers parked calls, ends long streams. Callback of
 * rpc_server_on_drain. */
void controller_drain(void *controller);
/* After the server's shutdown: ends the threads, carries out what is queued, frees the parts. */
void controller_stop(struct controller *controller);

/* The public services' methods, for service_add. */
extern const struct rpc_method sweep_service_methods[];
extern const size_t sweep_service_method_count;
extern const struct rpc_method run_service_methods[];
extern const size_t run_service_method_count;
extern const struct rpc_method token_service_methods[];
extern const size_t token_service_method_count;

#endif
