// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/sweep_state.h"

#include <string.h>

static const struct {
    const char *name;
    bool ended;
    unsigned next; /* bits 1u << enum sweep_state */
} states[SWEEP_STATE_COUNT] = {
    [SWEEP_PENDING] = {"pending", false,
                       1u << SWEEP_RUNNING | 1u << SWEEP_PAUSED | 1u << SWEEP_FINISHED |
                           1u << SWEEP_CANCELED},
    [SWEEP_RUNNING] = {"running", false, 1u << SWEEP_PAUSED | 1u << SWEEP_FINISHED | 1u << SWEEP_CANCELED},
    [SWEEP_PAUSED] = {"paused", false, 1u << SWEEP_RUNNING | 1u << SWEEP_FINISHED | 1u << SWEEP_CANCELED},
    [SWEEP_FINISHED] = {"finished", true, 1u << SWEEP_RUNNING | 1u << SWEEP_CANCELED},
    [SWEEP_CANCELED] = {"canceled", true, 1u << SWEEP_RUNNING},
};

static const struct {
    enum sweep_state to;
    unsigned from;       /* states that it changes */
    unsigned unchanged;  /* states in which it has been carried out already */
    const char *verb;    /* "Cannot VERB ... sweep." */
    const char *refusal; /* overrides the sentence: what comes before the state */
    const char *reason;
} orders[SWEEP_ORDER_COUNT] = {
    [SWEEP_PAUSE] = {SWEEP_PAUSED, 1u << SWEEP_PENDING | 1u << SWEEP_RUNNING, 1u << SWEEP_PAUSED, "pause",
                     NULL, "paused by a user"},
    [SWEEP_RESUME] = {SWEEP_RUNNING, 1u << SWEEP_PAUSED | 1u << SWEEP_FINISHED | 1u << SWEEP_CANCELED,
                      1u << SWEEP_PENDING | 1u << SWEEP_RUNNING, "resume", NULL, "resumed by a user"},
    [SWEEP_STOP] = {SWEEP_FINISHED, 1u << SWEEP_PENDING | 1u << SWEEP_RUNNING | 1u << SWEEP_PAUSED,
                    1u << SWEEP_FINISHED, "stop", "Sweep already", "stopped by a user"},
    /* finished may be draining: its runs can still be killed */
    [SWEEP_CANCEL] = {SWEEP_CANCELED,
                      1u << SWEEP_PENDING | 1u << SWEEP_RUNNING | 1u << SWEEP_PAUSED | 1u << SWEEP_FINISHED,
                      1u << SWEEP_CANCELED, "cancel", "Sweep already", "canceled by a user"},
};

const char *sweep_state_name(enum sweep_state state)
{
    return states[state].name;
}

bool sweep_state_from_name(const char *name, enum sweep_state *out)
{
    for (int i = 0; i < SWEEP_STATE_COUNT; i++)
        if (strcmp(states[i].name, name) == 0) {
            *out = (enum sweep_state)i;
            return true;
        }
    return false;
}

bool sweep_state_is_ended(enum sweep_state state)
{
    return states[state].ended;
}

enum status sweep_state_apply(enum sweep_state from, enum sweep_order order, enum sweep_state *to,
                              struct err *err)
{
    unsigned bit = 1u << from;
    *to = from;
    if (orders[order].unchanged & bit)
        return STATUS_OK;
    if ((orders[order].from & bit) == 0) {
        if (orders[order].refusal != NULL)
            return err_set(err, STATUS_PRECONDITION, "%s %s.", orders[order].refusal, states[from].name);
        return err_set(err, STATUS_PRECONDITION, "Cannot %s %s sweep.", orders[order].verb,
                       states[from].name);
    }
    *to = orders[order].to;
    return STATUS_OK;
}

const char *sweep_order_reason(enum sweep_order order)
{
    return orders[order].reason;
}

bool sweep_state_may_follow(enum sweep_state from, enum sweep_state to)
{
    return (states[from].next & 1u << to) != 0;
}
