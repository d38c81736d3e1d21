/*
 * Wake-ups: "something changed in this sweep". At once to the parts of this
 * replica; to the others by NOTIFY after the commit, coalesced to at most 20 a
 * second with the sweeps' ids in the payload. Losing one costs latency only:
 * everybody polls as well. Two threads: one listens, one sends.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_WAKE_H
#define BESOM_CONTROLLER_WAKE_H

#include "base/err.h"

struct controller;
struct wake;

/* `controller` must outlive it, with the parts that are woken. IO, NO_MEMORY, INVALID (database url). */
enum status wake_start(struct controller *controller, struct wake **out, struct err *err) MUST_USE;
void wake_stop(struct wake *wake);

/* After a commit: runs to claim, directives to deliver, or another state. Any thread, never blocks. */
void wake_sweep(struct controller *controller, const char *sweep_id);
/* The same, this replica only; NULL = every sweep. */
void wake_local(struct controller *controller, const char *sweep_id);

#endif
