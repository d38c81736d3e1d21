/*
 * Which points were suggested or told already: a set of hashes of settled
 * points, numbers rounded to 1e-9.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_SEEN_H
#define BESOM_OPTIM_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct seen {
    uint64_t *slots; /* owned by the arena; 0 is empty */
    size_t mask;
    size_t dims;
    const double **points; /* owned by the arena; the points are borrowed; in the order in which they came */
    size_t distinct;       /* of them */
};

/* Room for `most` points. NO_MEMORY. A point that is added must outlive the set. */
enum status seen_init(struct seen *seen, size_t dims, size_t most, struct arena *arena,
                      struct err *err) MUST_USE;
void seen_add(struct seen *seen, const double *point);
bool seen_has(const struct seen *seen, const double *point);

#endif
