/*
 * Keeps every sweep's queue filled: sees which sweeps run low, asks
 * besom-suggestion, and inserts what it answers under the sweep's refill row
 * (owner, epoch, deadline). One thread; it starts when woken and twice a
 * second. How low is low follows the callers, the streams and the rate at
 * which runs were taken. Sweeps whose suggestions depend on results are filled
 * by threads of their own (learners.h), so that a slow model holds up nobody.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_REFILL_H
#define BESOM_CONTROLLER_REFILL_H

#include <stddef.h>
#include <stdint.h>

#include "services/controller/controller.h"

struct refill;

/* IO, NO_MEMORY. */
enum status refill_start(struct controller *controller, struct refill **out, struct err *err) MUST_USE;
/* NULL is fine. */
void refill_stop(struct refill *refill);
/* A sweep was created or resumed, or one that learns has a result. Never blocks. */
void refill_wake(struct refill *refill);
/* `count` runs of the sweep were handed out. Never blocks. */
void refill_note_taken(struct refill *refill, const char *sweep_id, int64_t count);
/* The sweep had nothing for a caller. Never blocks. */
void refill_note_empty(struct refill *refill, const char *sweep_id);
/* Why the sweep gets no suggestions, in words; "" when nothing is wrong. */
void refill_get_note(struct refill *refill, const char *sweep_id, char *out, size_t size);

#endif
