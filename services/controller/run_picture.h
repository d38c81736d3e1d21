/*
 * What a run amounts to: figures over all its attempts, and with what people
 * and its program said of it its name, notes, tags, summary and configuration.
 * Pure but for the arena.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_RUN_PICTURE_H
#define BESOM_CONTROLLER_RUN_PICTURE_H

#include <besom/v1/types.pb-c.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "db/store/metrics.h"
#include "db/store/run_facts.h"
#include "db/store/runs.h"

#define RUN_PICTURE_TAG_MAX 256 /* bytes of a program's tag; longer ones are not shown */

/* Makes one row of each metric out of those of a run's attempts, sorted by name, then attempt: the last value
 * of the newest, the first of the oldest, the others over all. Returns how many are left. */
size_t run_picture_merge(struct store_summary *rows, size_t count);

struct run_picture {
    const struct store_run *run;
    const struct store_summary *figures; /* of run_picture_merge, sorted by name (strcmp) */
    size_t figure_count;
    const struct store_fact *facts; /* the newest of each kind and name, sorted by kind, then name */
    size_t fact_count;
    const char *metric; /* the sweep's, "" = none */
    bool maximize;
    size_t summary_max, config_max; /* bytes of entries; what is beyond is left out */
};

/* Some fact defines a metric: whether larger values of the sweep's metric are better may matter. */
bool run_picture_has_definitions(const struct store_fact *facts, size_t count);

/* Sets name, notes, tags, summary_json and config_json. NO_MEMORY. */
enum status run_picture_fill(struct arena *arena, const struct run_picture *picture, Besom__V1__Run *message,
                             struct err *err) MUST_USE;

#endif
