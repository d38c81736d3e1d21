/*
 * A sweep's space as the optimiser sees it: which parameters are searched, of
 * what kind each is, and the way between configurations and points. One
 * thread.
 *
 * Numbers go through their law's distribution function, so each is uniform a
 * priori. Whole numbers and multiples of q are levels, as long as they are
 * few enough; more multiples are searched as continuous, and rounded. A list of
 * three or more numbers in order is levels too, by logarithm when it spans a
 * factor of ten. Other lists are categories.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SUGGESTION_BAYES_SPACE_H
#define BESOM_SERVICES_SUGGESTION_BAYES_SPACE_H

#include "optim/dims.h"
#include "space/space.h"
#include "spec/spec.h"

struct bayes_space;

/* One dimension for each parameter that is searched, if any. `space` is borrowed. INVALID: they are more than
 * SPEC_SEARCHED_MAX. */
enum status bayes_space_new(const struct space *space, struct bayes_space **out, struct err *err) MUST_USE;
/* NULL is fine. */
void bayes_space_free(struct bayes_space *space);
/* About what it takes: places of levels may be many. */
size_t bayes_space_bytes(const struct bayes_space *space);

/* One dimension or more; valid as long as the space. */
const struct optim_space *bayes_space_dims(const struct bayes_space *space);
/* The path of a dimension's parameter. */
const char *bayes_space_path(const struct bayes_space *space, size_t dim);
/* Its index in the space. */
size_t bayes_space_parameter(const struct bayes_space *space, size_t dim);

/* A settled point from a configuration; INVALID when it is none of this space. */
enum status bayes_space_to_point(struct bayes_space *space, const json_t *params, double *out_point,
                                 struct err *err) MUST_USE;
/* The same of a configuration from elsewhere, by given_adopt: INVALID also when a value is beyond its bounds,
 * which bayes_space_to_point would move to them. */
enum status bayes_space_adopt(struct bayes_space *space, const json_t *params, double *out_point,
                              struct err *err) MUST_USE;
/* A configuration from a settled point. New reference. */
enum status bayes_space_to_params(struct bayes_space *space, const double *point, json_t **out,
                                  struct err *err) MUST_USE;

#endif
