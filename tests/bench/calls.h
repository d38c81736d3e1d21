/*
 * Calls to a running controller that several benchmarks need. It is found as
 * by any client: BESOM_ADDRESS and BESOM_TOKEN, or BESOM_HOME. A failure ends
 * the process.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_TESTS_BENCH_CALLS_H
#define BESOM_TESTS_BENCH_CALLS_H

#include <besom/client.h>

#include "base/id.h"

#define CALLS_AGENT_ID_SIZE 17

besom_client *calls_connect(void);
/* From the text of a sweep file. */
void calls_create_sweep(besom_client *client, const char *text, char out[ID_SIZE]);
void calls_cancel_sweep(besom_client *client, const char *sweep_id);
/* With all its runs and metrics; they must have ended. */
void calls_delete_sweep(besom_client *client, const char *sweep_id);
/* Writes the id of agent `number` and registers it with one slot. */
void calls_register_agent(besom_client *client, const char *sweep_id, int number,
                          char out[CALLS_AGENT_ID_SIZE]);

#endif
