/*
 * The states of a run. Pure.
 *
 *     pending ──claim──▶ assigned ──start──▶ running ⇄ preempting
 *        ▲ ▲                │ │                │ │         │
 *        │ └─never started──┘ │     ┌──rung────┘ │         │
 *        │                    │     ▼            ├─────────┘
 *        ├──────promoted──────┼── paused         │
 *        │                    │     │            │
 *        └──lost, preempted───┼─────┼────────────┤
 *                             ▼     ▼            ▼
 *              finished | stopped | failed | killed | crashed
 *
 * crashed → running: a lost attempt returned before its successor was claimed.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_RUN_STATE_H
#define BESOM_CONTROLLER_RUN_STATE_H

#include <besom/v1/types.pb-c.h>
#include <stdbool.h>

enum run_state {
    RUN_PENDING,
    RUN_ASSIGNED,
    RUN_RUNNING,
    RUN_PREEMPTING,
    RUN_PAUSED,
    RUN_FINISHED,
    RUN_STOPPED,
    RUN_FAILED,
    RUN_KILLED,
    RUN_CRASHED,
    RUN_STATE_COUNT
};

/* As stored: "pending", ... */
const char *run_state_name(enum run_state state);
bool run_state_from_name(const char *name, enum run_state *out);
bool run_state_is_ended(enum run_state state);
/* An agent has it. */
bool run_state_is_live(enum run_state state);
bool run_state_may_follow(enum run_state from, enum run_state to);
Besom__V1__RunState run_state_to_message(const char *name);

#endif
