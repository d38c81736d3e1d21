/*
 * Rows of the store as messages of the contract. Messages live in the arena
 * and borrow the rows' texts. Pure but for the arena; NULL without memory.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_MESSAGES_H
#define BESOM_CONTROLLER_MESSAGES_H

#include <besom/v1/run_service.pb-c.h>
#include <besom/v1/sweep_service.pb-c.h>

#include "base/arena.h"
#include "base/err.h"
#include "db/store/metrics.h"
#include "db/store/runs.h"
#include "db/store/stops.h"
#include "db/store/sweeps.h"

/* A message of `Type` in the arena, initialised: MESSAGE_NEW(arena, Besom__V1__Sweep,
 * besom__v1__sweep__init). */
#define MESSAGE_NEW(arena, type, init) ((type *)message_new(arena, sizeof(type), (message_init *)(init)))
typedef void message_init(void *message);
void *message_new(struct arena *arena, size_t size, message_init *init);

/* For fields of generated structs, which are never written through. */
char *message_text(const char *text);

Besom__V1__Sweep *message_of_sweep(struct arena *arena, const struct store_sweep *sweep,
                                   const struct store_run_counts *counts);
/* Number of runs when known beforehand; 0 = unbounded. */
int64_t message_expected_runs(const struct store_sweep *sweep);
Besom__V1__Run *message_of_run(struct arena *arena, const struct store_run *run);
Besom__V1__Agent *message_of_agent(struct arena *arena, const struct store_agent *agent, int64_t now_us,
                                   int64_t lease_ms);
/* Sets summaries from rows of this run, one for each metric (run_picture_merge). */
enum status message_add_summaries(struct arena *arena, Besom__V1__Run *run, const struct store_summary *rows,
                                  size_t count, struct err *err) MUST_USE;
Besom__V1__StopDecision *message_of_decision(struct arena *arena, const struct store_decision *decision);
Besom__V1__CohortVerdict *message_of_verdict(struct arena *arena,
                                             const struct store_verdict *verdict) MUST_USE;
Besom__V1__Attempt *message_of_attempt(struct arena *arena, const struct store_attempt_row *attempt);

#endif
