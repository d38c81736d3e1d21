/*
 * Compaction: turns inbox rows into packed chunks. A few threads pack the
 * attempts that are due, each in transactions of its own; the first of them
 * also looks for such attempts, going round through the inbox.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_COMPACT_H
#define BESOM_CONTROLLER_COMPACT_H

#include "services/controller/controller.h"

struct compact;

/* IO, NO_MEMORY. */
enum status compact_start(struct controller *controller, struct compact **out, struct err *err) MUST_USE;
/* Ends after the transactions that are under way. NULL is fine. */
void compact_stop(struct compact *compact);

#endif
