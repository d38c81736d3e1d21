/*
 * What batches do to the facts of their attempts: facts come, and a metric
 * that is logged ends the summary's entry of its name. Of each entry only what
 * comes last is left. Pure.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_FACT_PLAN_H
#define BESOM_CONTROLLER_FACT_PLAN_H

#include "db/store/run_facts.h"

struct fact_plan {
    struct store_fact *steps; /* in order; without a value: the entry ends */
    size_t count, room;
    /* of fact_plan_settle, distinct and sorted by attempt, kind, name */
    struct store_fact *puts, *ends;
    size_t put_count, end_count;
};

/* For at most `room` steps. NO_MEMORY. */
enum status fact_plan_make(struct arena *arena, size_t room, struct fact_plan *out, struct err *err) MUST_USE;
/* Texts are borrowed; `value` NULL ends the summary's entry. */
void fact_plan_add(struct fact_plan *plan, struct store_fact step);
/* NO_MEMORY. */
enum status fact_plan_settle(struct fact_plan *plan, struct arena *arena, struct err *err) MUST_USE;

#endif
