/*
 * Points of an updated file that are to be tried first: those whose values a
 * run of the sweep has already are left out.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_TRIED_H
#define BESOM_CONTROLLER_TRIED_H

#include "db/store/sweeps.h"
#include "services/controller/sweep_source.h"

/* Rewrites source->spec_json, and says in its warnings how many were left out. The spec stays as it was read.
 */
enum status tried_leave_out(struct store_tx *tx, const char *sweep_id, struct sweep_source *source,
                            struct err *err) MUST_USE;

#endif
