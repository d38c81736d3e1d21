/*
 * One thread's event loop: file descriptors (poll), timers, and work posted by
 * other threads. Agent and shim each run one. Everything but loop_post belongs
 * to the loop's thread.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_LOOP_H
#define BESOM_AGENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

struct loop;
struct loop_watch;

/* A timer lives in its owner's struct; zeroed = off. */
struct loop_timer {
    void (*fire)(void *context);
    void *context;
    int64_t due_ms; /* monotonic; 0 = off */
    struct loop_timer *next;
    bool linked;
};

/* NULL without memory or descriptors. */
struct loop *loop_new(void) MUST_USE;
/* Watches and timers must be gone; posted work that has not run is dropped. */
void loop_free(struct loop *loop);

/* Calls `ready` with poll's events. The descriptor stays the caller's. NULL without memory. */
struct loop_watch *loop_watch_add(struct loop *loop, int fd, short events,
                                  void (*ready)(void *context, short events), void *context) MUST_USE;
void loop_watch_events(struct loop_watch *watch, short events);
/* NULL is fine. `ready` is not called again. */
void loop_watch_remove(struct loop_watch *watch);

/* Fires once, delay_ms from now; set again to move it. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t delay_ms);
void loop_timer_stop(struct loop_timer *timer);
bool loop_timer_is_set(const struct loop_timer *timer);
/* Before the memory of a timer that was ever set goes away. */
void loop_timer_forget(struct loop *loop, struct loop_timer *timer);

/* Runs work(context) on the loop's thread, in order of posting. Any thread. */
void loop_post(struct loop *loop, void (*work)(void *context), void *context);

/* Waits for and handles one round of events. */
void loop_run_once(struct loop *loop);

int64_t loop_now_ms(void);

#endif
