/*
 * Tells the scheduler that rung values were stored. Calls are asynchronous,
 * one at a time for each sweep; a nudge that comes meanwhile is served by one
 * more call. What was missed is found by looking each second.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_STOPS_H
#define BESOM_CONTROLLER_STOPS_H

#include "services/controller/controller.h"

struct stops;

/* IO, NO_MEMORY. */
enum status stops_start(struct controller *controller, struct stops **out, struct err *err) MUST_USE;
/* Waits for calls under way. NULL is fine. */
void stops_stop(struct stops *stops);
/* Never blocks. Any thread. */
void stops_nudge(struct stops *stops, const char *sweep_id);

/* Looks soon for what is undecided, and for cohorts that wait for runs that do not come. */
void stops_look(struct stops *stops);

#endif
