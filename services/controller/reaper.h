/*
 * What nobody reports: runs whose agent fell silent, and sweeps in which
 * nothing is left to do. Judges silence by the database's clock, and only
 * after the database has been up, and looked at from here without a gap, for
 * as long: agents whose signs of life could not be stored are not silent. Two
 * threads: one for silence, one for idle sweeps.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_REAPER_H
#define BESOM_CONTROLLER_REAPER_H

#include "services/controller/controller.h"

struct reaper;

/* IO, NO_MEMORY. */
enum status reaper_start(struct controller *controller, struct reaper **out, struct err *err) MUST_USE;
/* NULL is fine. */
void reaper_stop(struct reaper *reaper);
/* A run has ended: perhaps its sweep has, too. Never blocks. */
void reaper_look_for_idle(struct reaper *reaper);
/* Signs of life could not be stored: silence so far says nothing. Never blocks. */
void reaper_note_outage(struct reaper *reaper);

#endif
