/*
 * RunService/ReadLogs: stored output of one attempt, streamed at the reader's
 * pace; readers that follow are looked after by one thread until the attempt
 * has ended.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_LOG_FOLLOW_H
#define BESOM_CONTROLLER_LOG_FOLLOW_H

#include "services/controller/controller.h"

struct log_follow;

/* IO, NO_MEMORY. */
enum status log_follow_start(struct controller *controller, struct log_follow **out,
                             struct err *err) MUST_USE;
/* Ends every stream. */
void log_follow_drain(struct log_follow *follow);
/* NULL is fine. */
void log_follow_stop(struct log_follow *follow);

extern const struct rpc_stream_handler read_logs_handler;

#endif
