/*
 * Checks of what agents call themselves. Pure.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_IDS_H
#define BESOM_CONTROLLER_IDS_H

#include "base/err.h"

#define AGENT_ID_LENGTH 16
#define AGENT_SLOTS_MAX 1024

/* INVALID unless it is 16 characters of [0-9a-z]. */
enum status agent_id_check(const char *agent_id, struct err *err) MUST_USE;

#endif
