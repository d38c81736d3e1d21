/*
 * metric.target: the sweep is finished once a run's best value reaches it.
 * What runs completes, nothing new is handed out.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_TARGET_H
#define BESOM_CONTROLLER_TARGET_H

#include "db/store/store.h"
#include "spec/spec.h"

/* Whether a best value is as good as the sweep's target; false without one. */
bool target_is_reached(const struct spec_metric *metric, double best);

/* Finishes the sweep, whose lock it takes, unless it has ended; `finished` tells which. What waits for the
 * sweep is to be woken after the commit. */
enum status target_finish_sweep(struct store_tx *tx, const char *sweep_id, const char *run_id, bool *finished,
                                struct err *err) MUST_USE;

#endif
