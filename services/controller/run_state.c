// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/run_state.h"

#include <string.h>

#define ENDS \
    (1u << RUN_FINISHED | 1u << RUN_STOPPED | 1u << RUN_FAILED | 1u << RUN_KILLED | 1u << RUN_CRASHED)

static const struct {
    const char *name;
    bool ended, live;
    unsigned next; /* bits 1u << enum run_state */
} states[RUN_STATE_COUNT] = {
    /* pending → running: a lost attempt came back; → killed: a user stopped it before anyone took it; →
     * paused or stopped: it was queued again when the decision about its rung came */
    [RUN_PENDING] = {"pending", false, false,
                     1u << RUN_ASSIGNED | 1u << RUN_RUNNING | 1u << RUN_PAUSED | 1u << RUN_STOPPED |
                         1u << RUN_KILLED},
    [RUN_ASSIGNED] = {"assigned", false, true,
                      1u << RUN_PENDING | 1u << RUN_RUNNING | 1u << RUN_PAUSED | ENDS},
    [RUN_RUNNING] = {"running", false, true,
                     1u << RUN_PENDING | 1u << RUN_PREEMPTING | 1u << RUN_PAUSED | ENDS},
    [RUN_PREEMPTING] = {"preempting", false, true,
                        1u << RUN_PENDING | 1u << RUN_RUNNING | 1u << RUN_PAUSED | ENDS},
    [RUN_PAUSED] = {"paused", false, true, 1u << RUN_PENDING | 1u << RUN_STOPPED | 1u << RUN_KILLED},
    [RUN_FINISHED] = {"finished", true, false, 0},
    [RUN_STOPPED] = {"stopped", true, false, 0},
    [RUN_FAILED] = {"failed", true, false, 0},
    [RUN_KILLED] = {"killed", true, false, 0},
    [RUN_CRASHED] = {"crashed", true, false, 1u << RUN_RUNNING},
};

const char *run_state_name(enum run_state state)
{
    return states[state].name;
}

bool run_state_from_name(const char *name, enum run_state *out)
{
    for (int i = 0; i < RUN_STATE_COUNT; i++)
        if (strcmp(states[i].name, name) == 0) {
            *out = (enum run_state)i;
            return true;
        }
    return false;
}

bool run_state_is_ended(enum run_state state)
{
    return states[state].ended;
}

bool run_state_is_live(enum run_state state)
{
    return states[state].live;
}

bool run_state_may_follow(enum run_state from, enum run_state to)
{
    return (states[from].next & 1u << to) != 0;
}

/* The contract numbers the states in this order, from 1. */
Besom__V1__RunState run_state_to_message(const char *name)
{
    enum run_state state;
    return run_state_from_name(name, &state) ? (Besom__V1__RunState)((int)state + 1) : 0;
}
