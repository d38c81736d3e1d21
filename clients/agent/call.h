/*
 * Calls to the controller whose answers come back on the loop's thread.
 */
// SPDX-License-Identifier: Apache-2.0
#ifndef BESOM_AGENT_CALL_H
#define BESOM_AGENT_CALL_H

#include <besom/client.h>

#include "loop.h"

struct call;

/* `response` is NULL on failure and valid until return. The call is gone afterwards. */
typedef void call_answer(void *context, const void *response, const besom_error *error);

/* Two steps, because each call is a function of its own:
 *     struct call *call = call_new(loop, answer, context);
 *     call_begin(call, besom_run_get_async(client, &request, timeout_ms, call_done, call)); */
struct call *call_new(struct loop *loop, call_answer *answer, void *context);
besom_done call_done;
void call_begin(struct call *call, besom_call *handle);

/* Asks for an early end; the answer still comes. NULL is fine. */
void call_cancel(struct call *call);

#endif
