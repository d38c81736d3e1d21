/*
 * What runs count as that have no value of their own, when the sweep file says
 * so (`impute`, `impute_while_running`): as W&B's library does. Without it they
 * are failures, which the optimiser knows how to take.
 *
 *   worst   the worst value of all ended runs, failed ones too, when it is asked;
 *           a result that is worse than all before changes what they count as
 *   best    the run's own best value
 *   latest  the run's own last value
 *
 * 0 stands for a value that is not there.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SUGGESTION_BAYES_IMPUTE_H
#define BESOM_SERVICES_SUGGESTION_BAYES_IMPUTE_H

#include "optim/search.h"
#include "spec/spec.h"

struct impute {
    bool given; /* for runs that failed, or finished without a value */
    enum spec_impute how;
    bool pending_as_worst;
    bool keeps; /* the results, to tell them again */
    size_t dims;
    double *points; /* owned; as rows */
    double *worths; /* owned */
    bool *as_worst; /* owned; their worth is the worst */
    size_t count, capacity;
    size_t imputed;
    double worst; /* larger is better; NaN before the first value */
};

void impute_init(struct impute *impute, const struct spec *spec, size_t dims);
void impute_release(struct impute *impute);
size_t impute_bytes(const struct impute *impute);

/* A run that ended; larger is better, NaN = none. */
struct impute_run {
    const double *point;
    bool failed;
    double best, latest;
};

struct impute_answer {
    double worth;        /* what it counts as; NaN: a failure */
    bool is_real;        /* some run's own value */
    bool others_changed; /* runs told before count as something else now: impute_tell_all says what */
};

/* NO_MEMORY. */
enum status impute_add(struct impute *impute, const struct impute_run *run, struct impute_answer *out,
                       struct err *err) MUST_USE;

double impute_worst(const struct impute *impute);
/* All that was added, to a new search. */
enum status impute_tell_all(const struct impute *impute, struct search *search, struct err *err) MUST_USE;

#endif
