/*
 * Points with all that a search needs of them: the value of each dimension,
 * what conditions leave of it, and its coordinates. Private to the maximiser.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_CANDIDATES_H
#define BESOM_OPTIM_CANDIDATES_H

#include "optim/draws.h"
#include "optim/maximise.h"

#define CANDIDATES_SOBOL 512 /* the best known point comes right after them */
#define CANDIDATES_FOCUS 8   /* the same within a focus */

struct candidate {
    double *full;  /* a value in each dimension */
    double *point; /* settled */
    double *coordinates;
    double worth;
};

struct candidates {
    struct candidate *items; /* owned by the arena, as the numbers are */
    double *coordinates;     /* of all, as rows */
    bool *active;            /* scratch */
    size_t count;
    size_t capacity;
};

enum status candidates_init(struct candidates *candidates, size_t dims, size_t capacity, struct arena *arena,
                            struct err *err) MUST_USE;
/* Fills point and coordinates from full. */
void candidates_settle(const struct candidates *candidates, const struct optim_space *space,
                       struct candidate *candidate);
void candidates_copy(struct candidate *to, const struct candidate *from, size_t dims);

/* Sobol points, and steps around the best known; the first of the latter is the best known itself. */
enum status candidates_draw(const struct maximise_input *input, struct candidates *out, struct arena *arena,
                            struct err *err) MUST_USE;
/* Every combination of a discrete space. */
enum status candidates_enumerate(const struct maximise_input *input, uint64_t combinations,
                                 struct candidates *out, struct arena *arena, struct err *err) MUST_USE;

#endif
