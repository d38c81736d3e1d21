/*
 * The rpcs that look at a sweep as a whole, of any method: ComputeImportance,
 * PredictSlice, RecommendRun. Each is a job for the models' threads, on the
 * sweep's survey. What took longer than its caller waited is kept: asking again
 * is fast.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SUGGESTION_LOOKS_H
#define BESOM_SERVICES_SUGGESTION_LOOKS_H

#include "rpc/server.h"

/* The context is a struct suggestion_service. */
rpc_unary_handler handle_compute_importance, handle_predict_slice, handle_recommend_run;

#endif
