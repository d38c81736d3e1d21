/*
 * SweepService/WatchSweep: one poller per watched sweep, shared by all who
 * watch it, at most four times a second; sends what changed, and a heartbeat
 * every five seconds. Ends when the sweep has ended and nothing runs. One
 * thread.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_WATCH_H
#define BESOM_CONTROLLER_WATCH_H

#include "services/controller/controller.h"

struct watch;

/* IO, NO_MEMORY. */
enum status watch_start(struct controller *controller, struct watch **out, struct err *err) MUST_USE;
/* Ends every stream. */
void watch_drain(struct watch *watch);
/* NULL is fine. */
void watch_stop(struct watch *watch);

extern const struct rpc_stream_handler watch_handler;

#endif
