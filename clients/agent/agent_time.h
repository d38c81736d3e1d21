/*
 * --time-left-from: when what is left of the job is less than a run takes, no
 * further run is taken.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_AGENT_TIME_H
#define BESOM_AGENT_AGENT_TIME_H

#include "agent.h"

/* Asks the batch system, before signals are blocked. The error is for people. */
enum status agent_time_open(struct agent *agent, struct err *err) MUST_USE;
/* A run has taken so long, from its assignment to its end. */
void agent_time_note(struct agent *agent, int64_t took_ms);

#endif
