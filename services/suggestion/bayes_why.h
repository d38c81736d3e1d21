/*
 * The reason of a Bayesian suggestion as JSON, in the metric's own unit.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SUGGESTION_BAYES_WHY_H
#define BESOM_SERVICES_SUGGESTION_BAYES_WHY_H

#include <jansson.h>

#include "optim/optim.h"
#include "services/suggestion/bayes_space.h"

struct bayes_why {
    const struct bayes_space *space;
    const struct optim_report *report;
    bool maximize;
    uint64_t seed;
    int64_t ordinal;
    size_t results; /* told so far, failures too */
    size_t pending;
    double best; /* larger is better; not finite before the first value */
};

/* New reference; NULL without memory. */
json_t *bayes_why_json(const struct bayes_why *why) MUST_USE;

#endif
