/*
 * Points stored per second, by sweep, over the last ten seconds; of this
 * replica only. Thread-safe.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_METER_H
#define BESOM_CONTROLLER_METER_H

#include <stdint.h>

#include "base/err.h"

struct meter;

/* NO_MEMORY. */
enum status meter_new(struct meter **out, struct err *err) MUST_USE;
void meter_free(struct meter *meter);
void meter_add(struct meter *meter, const char *sweep_id, int64_t points, int64_t now_ms);
double meter_rate(struct meter *meter, const char *sweep_id, int64_t now_ms);

#endif
