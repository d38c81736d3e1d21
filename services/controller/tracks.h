/*
 * The registry of open streams and the delivery of directives to them; shared
 * by track.c and directives.c.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_TRACKS_H
#define BESOM_CONTROLLER_TRACKS_H

#include "db/store/runs.h"
#include "services/controller/track.h"

void tracks_add(struct tracks *tracks, struct track *track);
void tracks_remove(struct tracks *tracks, struct track *track);

/* Tells the stream of a directive unless it knows it already. */
void track_send_directive(struct track *track, const struct store_directive *directive);

#endif
