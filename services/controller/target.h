/*
 * metric.target: the sweep is finished once a run's best value reaches it.
 * What runs completes, nothing new is handed out.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_TARGET_H
#define BESOM_CONTROLLER_TARGET_H

#include "services/controller/controller.h"
#include "services/controller/facts.h"

/* Whether a best value is as good as the sweep's target; false without one. */
bool target_is_reached(const struct facts *facts, double best);

/* Finishes the sweep unless it has ended; one transaction. False when that failed: to be tried again. */
bool target_finish_sweep(struct controller *controller, const char *sweep_id, const char *run_id);

#endif
