/*
 * One attempt's TrackRun stream: opens it, opens it again after every loss,
 * sends what the controller does not have from the attempt's spool, gives
 * signs of life, and hands acknowledgements and directives to its owner on the
 * loop's thread.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_TRACKER_H
#define BESOM_AGENT_TRACKER_H

#include <besom/client.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "loop.h"

struct tracker;

/* What the owner hears. */
struct tracker_owner {
    void *context;
    /* The controller answered; false = the attempt is superseded or has ended. */
    void (*opened)(void *context, bool current);
    /* Everything up to `sequence` is durable. */
    void (*acknowledged)(void *context, int64_t sequence);
    void (*directive)(void *context, int64_t generation, Besom__V1__DirectiveKind kind, const char *reason);
    /* Batch `sequence` will never be stored; its acknowledgement follows. Must not free the tracker. */
    void (*refused)(void *context, int64_t sequence, const char *reason);
    /* The controller no longer has batches `first` to `last`, which it had acknowledged, and neither has the
     * spool: empty ones take their place. Must not free the tracker. */
    void (*missing)(void *context, int64_t first, int64_t last);
    /* The run does not exist any more, or this attempt of it is not this agent's. */
    void (*gone)(void *context);
    /* The stream was lost and will be opened again; or it works. */
    void (*reachable)(void *context, const besom_error *error);
};

struct tracker_options {
    struct loop *loop;
    besom_client *client;
    const char *spool_folder;
    const char *sweep_id, *run_id, *agent_id;
    int32_t attempt;
    int64_t started_us;
    int64_t renew_ms;
    struct tracker_owner owner;
};

/* Texts are copied. NO_MEMORY. */
enum status tracker_new(const struct tracker_options *options, struct tracker **out,
                        struct err *err) MUST_USE;
/* Closes the stream. NULL is fine. Not from a callback of the stream's owner: use it from timers and the
 * loop. */
void tracker_free(struct tracker *tracker);

/* The spool holds batches up to `sequence`. */
void tracker_available(struct tracker *tracker, int64_t sequence);
/* The controller says that it has only what is up to `sequence`. */
void tracker_rewind(struct tracker *tracker, int64_t sequence);
void tracker_directive_result(struct tracker *tracker, int64_t generation, bool supported);
int64_t tracker_acknowledged(const struct tracker *tracker);
/* True when the spool cannot be read as far as was said: the disk has lost what comes after `last`. */
bool tracker_is_cut_off(const struct tracker *tracker, int64_t *last);

#endif
