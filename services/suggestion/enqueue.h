/*
 * The points of a sweep file that are tried before the method's own, one an
 * ordinal from the first of the spec's version on.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SUGGESTION_ENQUEUE_H
#define BESOM_SERVICES_SUGGESTION_ENQUEUE_H

#include "services/suggestion/method.h"

size_t enqueue_count(const struct spec *spec);

/* Fills params, why and hash of `item` with point `index` below the count; parameters that it lacks are drawn
 * by the item's ordinal. After a failure too they are the caller's. */
enum status enqueue_fill(const struct spec *spec, uint64_t seed, size_t index, struct suggestion *item,
                         struct err *err) MUST_USE;

#endif
