/*
 * Signals of the agent: first Ctrl-C waits, the second stops, the third kills,
 * the fourth leaves; SIGTERM and SIGHUP mean that the machine goes away. With
 * -f the runs hear them too.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_AGENT_SIGNALS_H
#define BESOM_AGENT_AGENT_SIGNALS_H

#include "agent.h"

/* Blocks the signals, before any thread is made, and takes them from the loop. IO. */
enum status agent_signals_watch(struct agent *agent, struct err *err) MUST_USE;

#endif
