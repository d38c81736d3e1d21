/*
 * What an AcquireRun caller is told, and in which words. Pure but for sending.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_CLAIM_ANSWER_H
#define BESOM_CONTROLLER_CLAIM_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "db/store/runs.h"
#include "rpc/server.h"
#include "services/controller/facts.h"

struct claim_answer {
    const struct facts *facts;
    const struct store_claim_sweep *sweep;
};

/* Nobody will ever get a run of the sweep again: agents leave. */
bool claim_answer_is_over(const struct store_claim_sweep *sweep);
/* Runs are handed out in this state. */
bool claim_answer_hands_out(const char *state);

/* How the reason begins when only suggestions are missing. */
#define CLAIM_ANSWER_STARVING "waiting for suggestions"
/* Why a caller waits; `note` says why suggestions are missing, "" = they are on their way. */
void claim_answer_reason(const struct store_claim_sweep *sweep, const char *note, char *out, size_t size);
/* Why a caller should leave. */
void claim_answer_exit_reason(const struct store_claim_sweep *sweep, char *out, size_t size);

/* Answers the call. A verdict NONE means EXIT. */
void claim_answer_send(const struct claim_answer *answer, const struct store_claim *claim,
                       const char *agent_id, struct rpc_call *call);
/* The same for SubmitRun; never without a run. */
void claim_answer_send_submitted(const struct claim_answer *answer, const struct store_claim *claim,
                                 struct rpc_call *call);
/* NOT_FOUND, in words. */
enum status claim_answer_unknown(const char *agent_id, const char *sweep_id, struct err *err) MUST_USE;
void claim_answer_wait(struct rpc_call *call, const char *reason);

#endif
