/*
 * Predictions along one or two parameters of a sweep, the others at a base: which
 * values, and what the survey's model expects there.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SERVICES_SUGGESTION_SLICE_H
#define BESOM_SERVICES_SUGGESTION_SLICE_H

#include <jansson.h>

#include "services/suggestion/survey.h"

#define SLICE_AXES_MAX 2
#define SLICE_POINTS_MIN 2
#define SLICE_POINTS_MAX 101
#define SLICE_POINTS_MAX_TWO 31 /* of two parameters */
#define SLICE_POINTS_ONE 21     /* unless asked for others */
#define SLICE_POINTS_TWO 11

struct slice_question {
    const char *const *paths;
    size_t path_count;  /* 1..SLICE_AXES_MAX */
    int32_t points;     /* 0 = as above */
    const double *base; /* settled */
};

struct slice_axis {
    size_t dim;
    bool categorical;
    size_t count;
    double *levels;  /* of the dimension */
    json_t **values; /* borrowed from `configs` of the slice */
    json_t *base;    /* likewise; NULL: the base lacks the parameter */
};

/* Arrays are the arena's; what JSON there is, is released with slice_release. */
struct slice {
    struct slice_axis axes[SLICE_AXES_MAX];
    size_t axis_count;
    size_t count; /* product of the axes' */
    double *means, *deviations;
    json_t *configs; /* owned; an array that keeps the values alive, the base first */
};

/* The values of an axis, of the dimension: categories and up to `most` levels as they are, else evenly by the
 * law, each once. How many there are; `out` has room for SLICE_POINTS_MAX. */
size_t slice_list_values(const struct optim_dim *dim, size_t most, double *out);

/* A parameter that the base lacks stands in its middle, or at its first value, where a varied one brings it
 * in. INVALID: counts, a path that is not searched, or one that is active nowhere in the slice. */
enum status slice_predict(struct survey *survey, const struct slice_question *question, struct slice *out,
                          struct arena *arena, struct err *err) MUST_USE;
/* Usable as CLEANUP. */
void slice_release(struct slice *slice);

#endif
