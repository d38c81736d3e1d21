/*
 * Bayesian search of one study in this process: what was handed out and not
 * told is pending. One thread.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SUGGESTION_BAYES_H
#define BESOM_SERVICES_SUGGESTION_BAYES_H

#include "services/suggestion/method.h"

/* What became of a run. */
struct bayes_outcome {
    bool ended;
    bool failed;    /* by the configuration's fault, as far as one knows */
    bool withdrawn; /* ended without saying anything about the configuration */
    double value;   /* its best, in the metric's unit; NaN = none */
    double latest;  /* its last value, for those who impute by it; NaN = none */
};

/* Of a run in this state whose last value is its best; false: there is no such state. */
bool bayes_outcome_of(const char *state, double value, struct bayes_outcome *out);

struct bayes;

/* `spec` is borrowed; its first ordinal is `begin_ordinal`. */
enum status bayes_new(const struct spec *spec, uint64_t seed, int64_t begin_ordinal, struct bayes **out,
                      struct err *err) MUST_USE;
/* NULL is fine. */
void bayes_free(struct bayes *bayes);

/* Fills params, why and hash of `item` for its ordinal; *exhausted when there is no point left. */
enum status bayes_ask(struct bayes *bayes, struct suggestion *item, bool *exhausted,
                      struct err *err) MUST_USE;
/* The end of what bayes_ask gave for this ordinal. */
enum status bayes_tell(struct bayes *bayes, int64_t ordinal, const struct bayes_outcome *outcome,
                       struct err *err) MUST_USE;
/* A run from elsewhere. One that is no point of the space is passed over, and counted in the reasons. */
enum status bayes_observe(struct bayes *bayes, const json_t *params, const struct bayes_outcome *outcome,
                          struct err *err) MUST_USE;
/* Nothing is pending any more; results stay. */
void bayes_forget_pending(struct bayes *bayes);
/* About what it takes. */
size_t bayes_bytes(const struct bayes *bayes);

#endif
