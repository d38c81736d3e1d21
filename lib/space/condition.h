/*
 * `when`: which parameters a parameter hangs on, and whether it is there given
 * their values. Private to lib/space.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SPACE_CONDITION_H
#define BESOM_SPACE_CONDITION_H

#include "space/leaf.h"

/* Adds a condition that is not resolved yet; *out is its place in space->conditions. */
enum status condition_add(struct space *space, size_t outer, const json_t *when, const char *const *names,
                          size_t depth, size_t *out, struct err *err) MUST_USE;

/* Finds the parameters that conditions name, once all leaves are there, and orders the nodes. INVALID after
 * faults were reported. */
enum status conditions_resolve(struct space *space, space_report *report, void *context,
                               struct err *err) MUST_USE;
void conditions_release(struct space *space);

/* Whether each node is active, given the leaves' values; those of inactive leaves are not looked at.
 * `active` has space_node_count items. */
void conditions_apply(const struct space *space, json_t *const *values, bool *active);

/* Whether the term allows the value of that ordinal. */
bool term_allows(const struct term *term, uint64_t ordinal);

#endif
