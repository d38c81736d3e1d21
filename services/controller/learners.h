/*
 * Threads that fill the queues of sweeps whose suggestions depend on results.
 * A sweep is in work once at a time; those in need wait in the order in which
 * they came.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CONTROLLER_LEARNERS_H
#define BESOM_CONTROLLER_LEARNERS_H

#include "services/controller/fill.h"

#define LEARNERS_NO_CURSOR (-1)

struct learners;

typedef void learners_work(void *context, const char *sweep_id, struct fill_memory *memory);

/* IO, NO_MEMORY. */
enum status learners_start(int threads, learners_work *work, void *context, struct learners **out,
                           struct err *err) MUST_USE;
/* Waits for what is in work, leaves the rest. NULL is fine. */
void learners_stop(struct learners *learners);

struct learners_offer {
    const char *sweep_id;
    bool due;       /* whatever was done before */
    int64_t cursor; /* work is due when the last suggestions had another one; or LEARNERS_NO_CURSOR */
};
/* Puts the sweep in line unless nothing is due. What comes while the sweep is in work is done after it. Never
 * blocks for long. */
void learners_offer(struct learners *learners, const struct learners_offer *offer);

#endif
