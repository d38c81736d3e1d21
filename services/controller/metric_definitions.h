/*
 * How metrics are summed up: a run's definitions of metrics and of patterns,
 * and the figures that each metric's asks for, as JSON. Pure but for the
 * arena.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_METRIC_DEFINITIONS_H
#define BESOM_CONTROLLER_METRIC_DEFINITIONS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/err.h"
#include "db/store/metrics.h"
#include "db/store/run_facts.h"

struct metric_definition;

struct metric_definitions {
    struct metric_definition *rows; /* names, sorted; then patterns, the longest first */
    size_t count, name_count;
    const char *metric; /* the sweep's, "" = none */
    bool maximize;      /* it */
};

/* Of facts of kind "definition", sorted by name, whose names are borrowed; what reads like none asks for the
 * last value. The sweep's metric is the caller's to set. NO_MEMORY. */
enum status metric_definitions_read(const struct store_fact *facts, size_t count, struct arena *arena,
                                    struct metric_definitions *out, struct err *err) MUST_USE;
/* Appends what the metric's definition asks for: a number for the last value, else an object. A metric's own
 * definition goes before that of a pattern. False, and nothing appended, when it asks for none. */
bool metric_definitions_put(const struct metric_definitions *definitions, const struct store_summary *figures,
                            struct buffer *out);

/* Mean of the finite values; NaN when there is none, or their sum is not known or beyond all numbers. */
double metric_mean(const struct store_summary *figures);

/* A fact's value: JSON with numbers of any size and texts with any character. New reference, NULL for
 * anything else. */
json_t *fact_json(const char *text);

#endif
