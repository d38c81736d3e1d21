/*
 * From one candidate to a local maximum of the acquisition. Private to the
 * maximiser.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_LOCAL_SEARCH_H
#define BESOM_OPTIM_LOCAL_SEARCH_H

#include "optim/candidates.h"

/* `at` is one of `candidates`; its worth never falls. */
enum status local_search(const struct maximise_input *input, const struct candidates *candidates,
                         struct candidate *at, struct arena *arena, struct err *err) MUST_USE;

#endif
