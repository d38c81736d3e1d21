/*
 * The space that an optimiser sees: a cube whose sides are continuous, ordered
 * levels or categories, of which conditions may take some away. Pure.
 *
 * A point has one number a dimension: a FLOAT's place in [0,1], else the index
 * of a level. Where conditions make a dimension inactive, a point that was
 * settled has OPTIM_INACTIVE. The kernel sees coordinates: a FLOAT as it is, an
 * ORDERED level's position, a category's index; an inactive number stands at
 * 0.5 and an inactive category is a category of its own.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_OPTIM_DIMS_H
#define BESOM_OPTIM_DIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTIM_INACTIVE (-1.0)
#define OPTIM_LEVELS_MAX (UINT64_C(1) << 40)

enum optim_kind { OPTIM_FLOAT, OPTIM_ORDERED, OPTIM_CATEGORY };

struct optim_dim {
    enum optim_kind kind;
    uint64_t levels;         /* 1..OPTIM_LEVELS_MAX; of ORDERED and CATEGORY */
    const double *positions; /* borrowed; of ORDERED, ascending in [0,1]; NULL = (i + 0.5) / levels */
    const double *shares;    /* borrowed; of CATEGORY, how likely each is a priori, sum 1; NULL = equally */
    /* Of a FLOAT that rounds: the place in [0,1] that a place stands for. Settled points have it. NULL:
     * itself. */
    double (*snap)(void *context, double place);
    void *context; /* borrowed; of snap */
};

struct optim_space {
    const struct optim_dim *dims; /* borrowed */
    size_t count;
    /* Which dimensions a point has; `point` has a value in each. Depends on no FLOAT. NULL: all. */
    void (*active)(void *context, const double *point, bool *out_active);
    void *context;
};

/* The point at a place of the unit cube, by the a priori law of each dimension. */
void dims_from_unit(const struct optim_space *space, const double *unit, double *out_point);

/* Marks what conditions take away, and rounds the rest. `full` and `out_point` may not overlap; `active` is
 * room for a flag each. */
void dims_settle(const struct optim_space *space, const double *full, bool *active, double *out_point);

/* Coordinates of a settled point. */
void dims_embed(const struct optim_space *space, const double *point, double *out_coordinates);

/* The coordinate of a level of an ORDERED dimension, and the level nearest to a coordinate. */
double dims_position(const struct optim_dim *dim, uint64_t level);
uint64_t dims_level_near(const struct optim_dim *dim, double position);

/* Whether each place of the dimension is a value of its own. */
bool dims_is_continuous(const struct optim_dim *dim);

/* How many points there are at most; UINT64_MAX when a FLOAT or more than 2^63 make them uncountable. */
uint64_t dims_combinations(const struct optim_space *space);
/* Combination `index` below that number. */
void dims_combination(const struct optim_space *space, uint64_t index, double *out_point);

#endif
