/*
 * RunService/ReadMetrics: stored points of a run, or sums of them, streamed at
 * the reader's pace. Callbacks only; no thread of its own.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_METRICS_RPC_H
#define BESOM_CONTROLLER_METRICS_RPC_H

#include "rpc/server.h"

extern const struct rpc_stream_handler read_metrics_handler;

#endif
