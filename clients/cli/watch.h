/*
 * The newest picture of a sweep, from a WatchSweep stream that is opened again
 * when it breaks. The stream's thread stores pictures, the main thread takes
 * them.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_WATCH_H
#define BESOM_CLI_WATCH_H

#include <besom/client.h>
#include <stdbool.h>

struct watch;

enum watch_event {
    WATCH_PICTURE, /* *picture is new; the caller frees it with besom_message_free */
    WATCH_NOTHING, /* time is over, or woken */
    WATCH_AWAY,    /* the controller is away; the stream will be opened again */
    WATCH_ENDED,   /* the sweep has ended and every picture was taken */
    WATCH_FAILED   /* *error says why; it makes no sense to go on */
};

/* NULL without memory. `client` must outlive the watch. */
struct watch *watch_new(besom_client *client, const char *sweep_id);
/* NULL is fine. */
void watch_free(struct watch *watch);

/* Waits at most timeout_ms for what comes next. */
enum watch_event watch_next(struct watch *watch, int timeout_ms, Besom__V1__WatchSweepResponse **picture,
                            besom_error *error);

#endif
