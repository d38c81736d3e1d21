/*
 * FinishRun: ends of attempts, committed together. The end class becomes a
 * state and a reason (end_class.h), the spec's retry policy decides whether
 * the run goes back to the queue.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_FINISH_H
#define BESOM_CONTROLLER_FINISH_H

#include "db/store/runs.h"
#include "services/controller/controller.h"
#include "services/controller/end_class.h"
#include "services/controller/facts.h"

struct finish;

/* IO, NO_MEMORY. */
enum status finish_start(struct controller *controller, struct finish **out, struct err *err) MUST_USE;
/* Commits what is queued first. NULL is fine. */
void finish_stop(struct finish *finish);

/* Handler of RunService/FinishRun. */
rpc_unary_handler finish_serve;

/* Fills state, reason and retry policy of an end. `out` points into `verdict`. */
void finish_apply(const struct facts *facts, const struct end_verdict *verdict, struct store_finish *out);

/* The audit line of an end that was not a good one. `token` is the one of the call that told it, "" without.
 */
enum status finish_add_event(struct store_tx *tx, const struct store_finish *item,
                             const struct store_finish_result *result, const char *actor, const char *token,
                             struct err *err) MUST_USE;

#endif
