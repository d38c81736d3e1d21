/*
 * Collects the problems of one file. Private to lib/spec.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SPEC_PROBLEMS_H
#define BESOM_SPEC_PROBLEMS_H

#include "spec/spec.h"

struct place {
    size_t line, column;
};

/* Keeps a problem, or counts it when there are too many or no memory. */
void problems_add(struct spec_problems *problems, enum spec_severity severity, struct place place,
                  const char *format, ...) PRINTF_LIKE(4, 5);

void problems_sort(struct spec_problems *problems);

/* " (did you mean X?)" for the nearest of `names`, else "". In the problems' arena. */
const char *problems_did_you_mean(struct spec_problems *problems, const char *word, const char *const *names,
                                  size_t count);

#endif
