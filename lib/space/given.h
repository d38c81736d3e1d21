/*
 * Values that a person gives for parameters: whether the space has them, and
 * as the space writes them. Pure.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SPACE_GIVEN_H
#define BESOM_SPACE_GIVEN_H

#include "space/space.h"

#define GIVEN_FAULT_MAX 256

/* The parameter of these names, outermost first; SIZE_MAX when there is none. */
size_t given_find_parameter(const struct space *space, const char *const *names, size_t depth);

/*
 * *out is the value as draws write it, or as the grid does with `on_grid`: 3 for 3.0 of an integer, the
 * multiple of q that rounding hides. New reference. NULL: the parameter never has it, and `fault` says why in
 * words that follow its name. False without memory.
 */
bool given_take(const struct space *space, size_t index, const json_t *value, bool on_grid, json_t **out,
                char fault[GIVEN_FAULT_MAX]);

/*
 * A whole configuration: `given` holds values of some parameters as given_take writes them, those it lacks
 * are drawn as space_random_point does, from the grid's values with `on_grid`. New reference.
 */
enum status given_complete(const struct space *space, const json_t *given, uint64_t seed, uint64_t ordinal,
                           bool on_grid, json_t **out, struct err *err) MUST_USE;

/*
 * A configuration from elsewhere as one of this space: constants that it lacks are filled in, values stand as
 * given_take writes them, what the space does not know is left out. INVALID names the first parameter that it
 * lacks, or whose value the space never has. New reference.
 */
enum status given_adopt(const struct space *space, const json_t *config, json_t **out,
                        struct err *err) MUST_USE;

#endif
