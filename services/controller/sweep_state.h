/*
 * The states of a sweep and what a user's order does to them. Pure.
 *
 *               first run handed out
 *     pending ─────────────────────▶ running ◀──resume── paused
 *        │  ▲                          │  │               ▲ │
 *        │  └───────pause, resume──────┘  └─────pause─────┘ │
 *        │                             │                    │
 *        └──────────┬──────────────────┴────────────────────┘
 *                   │ stop, or nothing is left      │ cancel
 *                   ▼                               ▼
 *               finished ──────resume──▶ running ◀──resume── canceled
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_SWEEP_STATE_H
#define BESOM_CONTROLLER_SWEEP_STATE_H

#include <stdbool.h>

#include "base/err.h"

enum sweep_state {
    SWEEP_PENDING,
    SWEEP_RUNNING,
    SWEEP_PAUSED,
    SWEEP_FINISHED,
    SWEEP_CANCELED,
    SWEEP_STATE_COUNT
};

enum sweep_order { SWEEP_PAUSE, SWEEP_RESUME, SWEEP_STOP, SWEEP_CANCEL, SWEEP_ORDER_COUNT };

/* As stored: "pending", ... */
const char *sweep_state_name(enum sweep_state state);
/* False for a name that is none. */
bool sweep_state_from_name(const char *name, enum sweep_state *out);
/* Nothing is handed out any more. */
bool sweep_state_is_ended(enum sweep_state state);

/* What an order makes of a state: *to may equal `from` (nothing to do). PRECONDITION with the sentence that
 * users of W&B know. */
enum status sweep_state_apply(enum sweep_state from, enum sweep_order order, enum sweep_state *to,
                              struct err *err) MUST_USE;
/* Why the sweep is in its state after the order, in words. */
const char *sweep_order_reason(enum sweep_order order);
/* Whether some order, the first claim or the end of all work leads from one to the other. */
bool sweep_state_may_follow(enum sweep_state from, enum sweep_state to);

#endif
