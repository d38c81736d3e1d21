/*
 * q_uniform as a list of values: the grid's steps and where a value stands in
 * it. Rows of the table in distribution.c point here. Private to lib/space.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SPACE_STEPPED_H
#define BESOM_SPACE_STEPPED_H

#include "space/distribution.h"

bool stepped_grid_count(const struct parameter *parameter, uint64_t *out_count);
json_t *stepped_grid_value(const struct parameter *parameter, uint64_t index);
bool stepped_locate(const struct parameter *parameter, const json_t *value, uint64_t *out_ordinal);

#endif
