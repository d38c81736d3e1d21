/*
 * One search that is asked and told in this process: what it handed out, what
 * was seen elsewhere. One thread.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SUGGESTION_STUDY_H
#define BESOM_SERVICES_SUGGESTION_STUDY_H

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
/* The end of what study_ask gave. NOT_FOUND, ALREADY_EXISTS (told before). */
enum status study_tell(struct study *study, int64_t id, struct err *err) MUST_USE;
/* A run from elsewhere: a grid does not hand out its point any more. */
enum status study_observe(struct study *study, const json_t *params, struct err *err) MUST_USE;

#endif
