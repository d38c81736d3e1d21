/*
 * The band rule over whole histories, as W&B applies it: every run that is
 * known counts at each band that it reached, and only running ones are judged,
 * each at the highest. Pure; one thread.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SCHEDULER_BOARD_H
#define BESOM_SERVICES_SCHEDULER_BOARD_H

#include <jansson.h>

#include "base/err.h"
#include "stop/stop.h"

struct board;

struct board_metrics {
    const char *metric;
    bool maximize;
    const char *step_metric; /* what bands count; NULL = rows with the metric */
};

/* INVALID for a config without bands; NO_MEMORY. */
enum status board_new(const struct stop_config *config, const struct board_metrics *metrics,
                      struct board **out, struct err *err) MUST_USE;
/* NULL is fine. */
void board_free(struct board *board);

size_t board_band_count(const struct board *board);
int64_t board_band(const struct board *board, size_t index);

/* Replaces what is known of run `id`, in `state`. `history` is an array of rows; only those count that hold
 * the metric as a number. INVALID. */
enum status board_set_run(struct board *board, const char *id, const char *state, const json_t *history,
                          struct err *err) MUST_USE;

bool board_pauses(const struct board *board);
/* No more runs come: what the last cohort waits for is there. Where runs pause. */
void board_close(struct board *board);
/* Where runs pause, which take part in the order in which they became known: fills the arrays of ids `stop`,
 * `pause` (running ones at a rung whose cohort is not complete) and `resume` (paused ones that were
 * promoted), and `why`. */
struct board_orders {
    json_t *stop, *pause, *resume, *why;
};
enum status board_decide_cohorts(const struct board *board, const struct board_orders *orders,
                                 struct err *err) MUST_USE;

/* Fills `stop` (array of ids, in the order in which runs became known) and `why` (object by id). */
enum status board_decide(const struct board *board, json_t *stop, json_t *why, struct err *err) MUST_USE;

#endif
