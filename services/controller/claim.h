/*
 * AcquireRun: callers are parked without thread or connection and served
 * together, one transaction per sweep. Two threads take turns on sweeps.
 * Answers RUN, WAIT or EXIT with the reason in words.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_CLAIM_H
#define BESOM_CONTROLLER_CLAIM_H

#include <stddef.h>

#include "services/controller/claim_table.h"
#include "services/controller/controller.h"

struct claims;

/* IO, NO_MEMORY. */
enum status claims_start(struct controller *controller, struct claims **out, struct err *err) MUST_USE;
/* Answers everybody who is parked; later callers are told UNAVAILABLE. */
void claims_drain(struct claims *claims);
/* Drains and ends the threads; waking and counting are still allowed. NULL is fine. */
void claims_end(struct claims *claims);
/* After claims_end. NULL is fine. */
void claims_free(struct claims *claims);

/* Something changed in the sweep (NULL = any): look whether parked callers can be served. Never blocks. */
void claims_wake(struct claims *claims, const char *sweep_id);
/* Parked callers of a sweep; NULL = all. */
size_t claims_count(struct claims *claims, const char *sweep_id);
/* Those of all that wait for suggestions alone. */
size_t claims_count_starving(struct claims *claims);
/* What is wrong where callers of the sweep wait for suggestions; "" when nothing is. */
void claims_get_shortage(struct claims *claims, const char *sweep_id, char out[CLAIM_REASON_MAX]);

/* Handler of RunService/AcquireRun. */
rpc_unary_handler claims_serve_acquire;

#endif
