/*
 * The reason of a Bayesian suggestion as JSON, in the metric's own unit.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SUGGESTION_BAYES_WHY_H
#define BESOM_SERVICES_SUGGESTION_BAYES_WHY_H

#include <jansson.h>

#include "optim/search.h"
#include "services/suggestion/bayes_space.h"

struct bayes_why {
    const struct bayes_space *space;
    const char *optimizer;
    const struct search_report *report;
    bool maximize;
    uint64_t seed;
    int64_t ordinal;
    size_t results; /* told so far, failures too */
    size_t pending;
    size_t imputed;          /* of the results: by what the file says of failed runs */
    size_t imputed_running;  /* of the pending ones: told as the worst result */
    size_t passed_over;      /* runs from elsewhere that are none of this space */
    const char *passed_text; /* why the first of them is not */
    double best;             /* larger is better; not finite before the first value */
};

/* New reference; NULL without memory. */
json_t *bayes_why_json(const struct bayes_why *why) MUST_USE;

#endif
