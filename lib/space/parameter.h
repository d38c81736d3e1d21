/*
 * One leaf of a search space: its kind, its arguments read once from the
 * definition, and what the grid and the draws need. Private to lib/space.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SPACE_PARAMETER_H
#define BESOM_SPACE_PARAMETER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "space/distribution.h"

struct parameter {
    const struct distribution *kind;
    json_t *definition;                      /* owned; with its `distribution` */
    double arguments[DISTRIBUTION_KEYS_MAX]; /* of the numeric kinds, defaults filled in */
    bool whole[DISTRIBUTION_KEYS_MAX];       /* the argument was written as an integer */
    int64_t low, high;                       /* of int_uniform */
    const json_t *values;                    /* borrowed from definition; of the categorical kinds */
    char **identities;                       /* owned; canonical text of each value */
    size_t *distinct;                        /* owned; indexes of values without repeats */
    size_t distinct_count;
    size_t *by_identity; /* owned; places in distinct, in the order of their identities */
    double *cumulative;  /* owned; of categorical_w_probabilities */
};

/* Reads a definition of `kind` whose keys and types are right; the laws' own rules may still be broken. */
enum status parameter_init(struct parameter *parameter, const struct distribution *kind,
                           const json_t *definition, struct err *err) MUST_USE;
void parameter_release(struct parameter *parameter);

/* The place in `distinct` of the listed value that equals this one. False when there is none. */
bool parameter_find_value(const struct parameter *parameter, const json_t *value, size_t *out_place);

/* Whether kind->grid_count is there; false for kinds that have no list of values. */
bool parameter_is_enumerable(const struct parameter *parameter);

#endif
