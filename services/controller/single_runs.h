/*
 * The sweep of a project's single runs, method "none": it searches nothing and
 * never ends, and each run in it is brought along by the agent that runs it.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_SINGLE_RUNS_H
#define BESOM_CONTROLLER_SINGLE_RUNS_H

#include <stdbool.h>

#include "base/err.h"

bool single_runs_is_method(const char *method);
/* What stands for its spec, which is stored as an empty object: all defaults, and nothing is tried again. */
extern const char single_runs_spec[];
/* PRECONDITION for such a sweep: "sweep X holds the single runs of its project and cannot be WHAT". */
enum status single_runs_refuse(const char *method, const char *sweep_id, const char *what,
                               struct err *err) MUST_USE;

#endif
