/*
 * Compaction: turns inbox rows into packed chunks of 500 to 1,000 points per
 * metric, one attempt in one transaction. One thread.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_COMPACT_H
#define BESOM_CONTROLLER_COMPACT_H

#include "services/controller/controller.h"

struct compact;

/* IO, NO_MEMORY. */
enum status compact_start(struct controller *controller, struct compact **out, struct err *err) MUST_USE;
/* NULL is fine. */
void compact_stop(struct compact *compact);

#endif
