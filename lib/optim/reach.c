// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/reach.h"

#include <math.h>

#define REACH_LEAST 0.2
#define REACH_MOST 0.5
#define REACH_UNTIL 5.0 /* successes for each dimension and one more: then it is the most */
#define LOSS_SLOPE 50.0 /* for the whole range of a dimension */

double reach_for(size_t successes, size_t dims)
{
    double share = (double)successes / (REACH_UNTIL * (double)(dims + 1));
    return share < 1 ? REACH_LEAST + (REACH_MOST - REACH_LEAST) * share : HUGE_VAL;
}

/* The greatest distance of x to a success along a dimension, if it is less than `bound`, and which. */
static double distance_to(const struct kernel *kernel, const struct points *points, size_t success,
                          const double *x, double bound, size_t *dim)
{
    double greatest = 0;
    for (size_t i = 0; i < kernel->dims && greatest < bound; i++) {
        double distance = fabs(x[i] - points->at[i * points->stride + success]);
        if (!kernel->category[i] && distance > greatest) {
            greatest = distance;
            *dim = i;
        }
    }
    return greatest;
}

double reach_loss(const struct kernel *kernel, const struct points *points, size_t successes, double reach,
                  const double *x, double *gradient)
{
    double least = HUGE_VAL;
    size_t nearest = 0;
    size_t dim = 0;
    if (isinf(reach))
        return 0;
    for (size_t j = 0; j < successes; j++) {
        size_t at = 0;
        double distance = distance_to(kernel, points, j, x, least, &at);
        if (distance < least) {
            least = distance;
            nearest = j;
            dim = at;
        }
    }
    if (isinf(least) || least <= reach)
        return 0;
    if (gradient != NULL)
        gradient[dim] += copysign(LOSS_SLOPE, points->at[dim * points->stride + nearest] - x[dim]);
    return LOSS_SLOPE * (reach - least);
}
