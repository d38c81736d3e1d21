/*
 * The process that holds a local stack together: starts PostgreSQL, brings the
 * schema up to date, starts the services, starts again what dies, and stops
 * all of it in reverse order on SIGTERM or SIGINT. Single-threaded, no gRPC.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_STACK_SUPERVISOR_H
#define BESOM_CLI_STACK_SUPERVISOR_H

#include "stack_layout.h"
#include "stack_report.h"
#include "stack_services.h"

/* Runs until it is told to stop; the caller holds the stack's lock. A failed start is reported and has left
 * nothing running. */
enum status stack_supervise(struct arena *arena, struct stack_layout *layout,
                            const struct stack_settings *settings, struct stack_report *report,
                            struct err *err) MUST_USE;

#endif
