/*
 * besom.v1.SchedulerService on top of the decider. Handlers run on the
 * server's threads.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SCHEDULER_HANDLER_H
#define BESOM_SERVICES_SCHEDULER_HANDLER_H

#include "rpc/server.h"
#include "services/scheduler/decider.h"

#define SCHEDULER_SERVICE_NAME "besom.v1.SchedulerService"

/* The service's context is a struct decider. */
extern const struct rpc_method scheduler_methods[];
extern const size_t scheduler_method_count;

#endif
