/*
 * A search space: the flattened parameters of a sweep, its grid, its random
 * draws and the identity of configurations. Pure: no I/O, no clock, no state.
 * A space never changes after space_new, so threads may share it (reference
 * counts of jansson values that it hands out are atomic).
 *
 * Parameters are ordered as W&B does: names sorted per level, depth first.
 * A configuration is a JSON object; nested parameters are nested objects.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SPACE_SPACE_H
#define BESOM_SPACE_SPACE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "space/distribution.h"

#define SPACE_HASH_SIZE 32
#define SPACE_DEPTH_MAX 64

struct space;

/* From the `parameters` object of a sweep file. INVALID names the first faulty parameter. */
enum status space_new(const json_t *parameters, struct space **out, struct err *err) MUST_USE;

/* A fault in a `when`. */
struct space_fault {
    const char *const *names; /* the way to the parameter or group that has it, outermost first */
    size_t depth;
    const char *key;  /* the entry at fault, NULL for `when` as a whole */
    bool at_value;    /* it is the entry's value */
    const char *text; /* begins with the parameter's name */
};
typedef void space_report(void *context, const struct space_fault *fault);

/* As space_new, but faults in conditions all go to `report`; err then says only that there are some. */
enum status space_new_reporting(const json_t *parameters, space_report *report, void *context,
                                struct space **out, struct err *err) MUST_USE;
void space_free(struct space *space);
/* Usable as CLEANUP(space_free_at). */
void space_free_at(struct space **space);

/* The `parameters` object again, conditions included, each leaf with its `distribution` written out. New
 * reference, NULL without memory. */
json_t *space_to_json(const struct space *space) MUST_USE;

/* Parameters in grid order. `path` is dotted ("optimizer.lr"), valid as long as the space. */
size_t space_parameter_count(const struct space *space);
const char *space_parameter_path(const struct space *space, size_t index);
const struct distribution *space_parameter_kind(const struct space *space, size_t index);
/* False for constants, and for grids over one value. */
bool space_parameter_is_searched(const struct space *space, size_t index);
size_t space_searched_count(const struct space *space);

/* Whether a parameter may be absent. */
bool space_has_conditions(const struct space *space);
/* Which parameters a configuration has by the conditions (space_parameter_count of them), whatever else
 * stands in it. A missing parent makes its conditions false. */
enum status space_active(const struct space *space, const json_t *config, bool *out_active,
                         struct err *err) MUST_USE;

/* Number of distinct points. INVALID names a parameter that cannot be enumerated, or says that there are 2^64
 * or more, or that conditions tie too much together (GRID_ROWS_MAX in grid.h). */
enum status space_grid_count(const struct space *space, uint64_t *out, struct err *err) MUST_USE;
/* Point `index` below the count: the last parameter fastest, an inactive one counts as standing at its first
 * value. New reference. INVALID as space_grid_count or
 * past the end. */
enum status space_grid_point(const struct space *space, uint64_t index, json_t **out,
                             struct err *err) MUST_USE;

/* Draw `ordinal` under `seed`: each parameter has a stream of its own, named by its path; inactive ones are
 * left out. New reference. */
enum status space_random_point(const struct space *space, uint64_t seed, uint64_t ordinal, json_t **out,
                               struct err *err) MUST_USE;

/* Between configurations and [0,1]^space_parameter_count, by each law's distribution function (the middle of
 * the interval for discrete values). An inactive parameter stands at 0.5 and is left out on the way back.
 * INVALID names a parameter that is missing or has a value outside its
 * law. */
enum status space_to_unit(const struct space *space, const json_t *config, double *out_units,
                          struct err *err) MUST_USE;
enum status space_from_unit(const struct space *space, const double *units, json_t **out,
                            struct err *err) MUST_USE;

/* The value at a dotted path of parameter `index` in a configuration; borrowed, NULL when missing. */
json_t *space_config_get(const struct space *space, size_t index, const json_t *config);

/* SHA-256 of the canonical text: order of keys ignored, 3.0 equals 3, -0.0 equals 0, true differs from 1, "1"
 * from 1. */
enum status space_config_hash(const json_t *config, unsigned char out[SPACE_HASH_SIZE],
                              struct err *err) MUST_USE;

/* Compact JSON with sorted keys; reals in the shortest form that reads back equal and always as reals (3.0).
 * To be freed with free(); NULL without memory. */
char *space_config_text(const json_t *config) MUST_USE;

#endif
