/*
 * The HTTP port for monitoring: /metrics in Prometheus' text format, /healthz
 * (the process is alive), /readyz (it serves, or why it does not, as JSON).
 * One thread of its own, so a busy server answers too. Nothing that it tells
 * is secret, and nothing can be changed through it.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_COMMON_MONITOR_H
#define BESOM_SERVICES_COMMON_MONITOR_H

#include <stdint.h>

#include "base/err.h"

struct monitor;

/* What must be well for the service to be ready. */
enum monitor_condition { MONITOR_DATABASE, MONITOR_DRAIN, MONITOR_CONDITION_COUNT };

/* port 0: serves nothing, and remembers the conditions. INVALID (address), UNAVAILABLE (taken), NO_MEMORY. */
enum status monitor_start(const char *address, int64_t port, struct monitor **out, struct err *err) MUST_USE;
/* Why the condition does not hold, in words; NULL = it holds. Any thread. */
void monitor_set(struct monitor *monitor, enum monitor_condition condition, const char *reason);
/* NULL is fine. */
void monitor_stop(struct monitor *monitor);

#endif
