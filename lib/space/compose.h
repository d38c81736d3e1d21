/*
 * From the values of all leaves to a configuration. Private to lib/space.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SPACE_COMPOSE_H
#define BESOM_SPACE_COMPOSE_H

#include "space/leaf.h"

/* Those of active leaves; `values` has one for each leaf, borrowed; NULL of an active one stands for want
 * of memory. New reference. */
enum status compose_config(const struct space *space, json_t *const *values, json_t **out,
                           struct err *err) MUST_USE;

#endif
