/*
 * One search that is asked and told in this process: what it handed out, what
 * was seen elsewhere. One thread.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SUGGESTION_STUDY_H
#define BESOM_SERVICES_SUGGESTION_STUDY_H

#include "services/suggestion/bayes.h"
#include "services/suggestion/method.h"

struct study;

/* Takes `spec` over, also when it fails. NO_MEMORY. */
enum status study_new(struct spec *spec, uint64_t seed, struct study **out, struct err *err) MUST_USE;
/* NULL is fine. */
void study_free(struct study *study);

/* The next configuration in `batch` (to be freed) and its id, from 1; an empty batch when there is none any
 * more. */
enum status study_ask(struct study *study, struct suggest_batch *batch, int64_t *id,
                      struct err *err) MUST_USE;
/* The end of what study_ask gave; outcomes are for Bayesian search. NOT_FOUND, ALREADY_EXISTS (told before).
 */
enum status study_tell(struct study *study, int64_t id, const struct bayes_outcome *outcome,
                       struct err *err) MUST_USE;
/* A run from elsewhere: a grid does not hand out its point any more, Bayesian search learns from it. */
enum status study_observe(struct study *study, const json_t *params, const struct bayes_outcome *outcome,
                          struct err *err) MUST_USE;
/* As suggest_method_bits, and what only a study serves. */
unsigned study_method_bits(void);

#endif
