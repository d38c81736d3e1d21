/*
 * What kind of dimension a parameter's definition makes, and the places of its
 * levels. Private to the Bayesian method.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SUGGESTION_BAYES_LEVELS_H
#define BESOM_SERVICES_SUGGESTION_BAYES_LEVELS_H

#include <jansson.h>

#include "base/arena.h"
#include "base/err.h"
#include "optim/dims.h"

struct bayes_levels {
    struct optim_dim dim; /* its context is `lone` */
    const double *units;  /* of each level, ascending; NULL = (i + 0.5) / levels; not of FLOAT */
    struct space *lone;   /* owned; the parameter alone, of multiples too many for a table; NULL: others */
};

/* `definition` is a leaf of space_to_json. Tables come from the arena. To be released, also after a failure.
 */
enum status bayes_levels_make(const json_t *definition, struct bayes_levels *out, struct arena *arena,
                              struct err *err) MUST_USE;
void bayes_levels_release(struct bayes_levels *levels);

/* Between a level (or a FLOAT's place) and the parameter's place in the unit cube. */
double bayes_levels_unit(const struct bayes_levels *levels, double value);
double bayes_levels_value(const struct bayes_levels *levels, double unit);

#endif
