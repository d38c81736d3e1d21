/*
 * Points that nobody has been given yet: which ones are taken by results and
 * pending runs, and an even design over the rest. For methods other than gp.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_UNSEEN_H
#define BESOM_OPTIM_UNSEEN_H

#include "optim/history.h"
#include "optim/optim.h"
#include "optim/seen.h"

struct unseen {
    const struct optim_space *space;
    uint64_t seed;
    const struct optim_question *question;
    bool discrete; /* else no point is taken: two draws never meet */
    struct seen seen;
    double *full, *unit; /* scratch; a number each dimension */
    bool *active;
};

/* Everything from the arena, `told` and `question` borrowed. NO_MEMORY. */
enum status unseen_init(struct unseen *unseen, const struct optim_space *space, uint64_t seed,
                        const struct told *told, const struct optim_question *question, struct arena *arena,
                        struct err *err) MUST_USE;

/* `point` is settled. */
bool unseen_has(const struct unseen *unseen, const double *point);

/* Settles `full` as a point. */
void unseen_settle(struct unseen *unseen, const double *full, double *out_point);

/* The question's point of a scrambled Sobol sequence; when that is taken, another one, then any that is left.
 * *found is false when a discrete space has none. NO_MEMORY. */
enum status unseen_spread(struct unseen *unseen, double *out_point, bool *found, struct arena *arena,
                          struct err *err) MUST_USE;

#endif
