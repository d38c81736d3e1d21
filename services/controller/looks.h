/*
 * GetImportance, Predict, GetRecommendation: asks the suggestion service and hands
 * its answer on. No thread: calls are parked meanwhile, for at most
 * LOOKS_TIMEOUT_MS.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_LOOKS_H
#define BESOM_CONTROLLER_LOOKS_H

#include "services/controller/controller.h"

#define LOOKS_TIMEOUT_MS 60000

struct looks;

/* NO_MEMORY. */
enum status looks_new(struct looks **out, struct err *err) MUST_USE;
/* Gives up what is under way, and what comes yet. NULL is fine. */
void looks_drain(struct looks *looks);
/* Nothing may be under way any more. NULL is fine. */
void looks_free(struct looks *looks);

rpc_unary_handler serve_get_importance, serve_predict, serve_get_recommendation;

#endif
