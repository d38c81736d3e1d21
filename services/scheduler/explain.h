/*
 * A decision of the stop rule in words and as JSON, for people. Pure.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SCHEDULER_EXPLAIN_H
#define BESOM_SERVICES_SCHEDULER_EXPLAIN_H

#include <jansson.h>

#include "base/buffer.h"
#include "stop/stop.h"

/* "0.31 at row 9 is worse than the threshold 0.27 (rank 4 of 12 that reached it)". */
void explain_decision(const struct stop_decision *decision, const struct stop_config *config,
                      struct buffer *out);

/* The fewest digits that read back equal. */
void explain_number(double value, struct buffer *out);

/* [[run, value], ...], best first. New reference; NULL without memory. */
json_t *explain_rivals(const struct stop_decision *decision) MUST_USE;

#endif
