/*
 * The budget whose values a model learns from, where runs pause at rungs
 * (early_terminate: bohb): a function of what the rung values are up to a
 * number. It is a rung, or whole runs, among which prior runs count.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SUGGESTION_RUNG_BUDGET_H
#define BESOM_SERVICES_SUGGESTION_RUNG_BUDGET_H

#include <jansson.h>

#include "db/store/results.h"
#include "spec/spec.h"

struct rung_budget {
    int32_t band_index; /* or STORE_WHOLE_RUNS */
    int64_t at;         /* in what bands count */
    int64_t values;     /* runs that came to it */
};

/* The highest with enough values for a model of `spec`, else the lowest. `until` is a number of the rung
 * values. */
enum status rung_budget_choose(struct store_tx *tx, const char *sweep_id, const struct spec *spec,
                               int64_t until, struct rung_budget *out, struct err *err) MUST_USE;

/* {"at": 9, "unit": "epoch", "values": 12}, for reasons. New reference; NULL without memory. */
json_t *rung_budget_json(const struct rung_budget *budget, const struct spec *spec) MUST_USE;

#endif
