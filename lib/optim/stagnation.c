// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/stagnation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TOL_FUN 1e-12
#define LONG_LEAST 120 /* generations, plus 30 n / lambda */
#define LONG_MOST 20000
#define LONG_SHARE 0.2
#define ENDS_SHARE 0.3

void stagnation_reset(struct stagnation *stagnation, size_t dims, size_t lambda)
{
    stagnation->dims = dims;
    stagnation->lambda = lambda;
    stagnation->count = 0;
    stagnation->flat = false;
}

void stagnation_release(struct stagnation *stagnation)
{
    free(stagnation->best);
    free(stagnation->median);
    free(stagnation->sorted);
    *stagnation = (struct stagnation){.count = 0};
}

size_t stagnation_bytes(const struct stagnation *stagnation)
{
    return 3 * stagnation->capacity * sizeof(double);
}

static bool grow(double **array, size_t count)
{
    double *grown = realloc(*array, count * sizeof *grown);
    if (grown != NULL)
        *array = grown;
    return grown != NULL;
}

enum status stagnation_add(struct stagnation *stagnation, const double *values, size_t count, struct err *err)
{
    size_t known = 0;
    if (stagnation->count == stagnation->capacity) {
        size_t capacity = stagnation->capacity == 0 ? 64 : stagnation->capacity * 2;
        if (!grow(&stagnation->best, capacity) || !grow(&stagnation->median, capacity) ||
            !grow(&stagnation->sorted, capacity))
            return err_set(err, STATUS_NO_MEMORY, "cmaes: out of memory");
        stagnation->capacity = capacity;
    }
    while (known < count && !isnan(values[known]))
        known++;
    stagnation->flat = known == count && values[0] - values[count - 1] < TOL_FUN;
    stagnation->best[stagnation->count] = values[0];
    stagnation->median[stagnation->count++] = values[known / 2 < known ? known / 2 : known - 1];
    return STATUS_OK;
}

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median_of(struct stagnation *stagnation, const double *values, size_t count)
{
    memcpy(stagnation->sorted, values, count * sizeof *values);
    qsort(stagnation->sorted, count, sizeof *values, compare_numbers);
    return stagnation->sorted[count / 2];
}

/* Larger is better: the newest are no better than the oldest of the last `window` generations. */
static bool stands_still(struct stagnation *stagnation, const double *values, size_t window)
{
    const double *first = values + stagnation->count - window;
    size_t ends = (size_t)(ENDS_SHARE * (double)window);
    return median_of(stagnation, first + window - ends, ends) <= median_of(stagnation, first, ends);
}

static bool lies_within(const struct stagnation *stagnation, size_t window, double width)
{
    const double *first = stagnation->best + stagnation->count - window;
    double low = first[0];
    double high = first[0];
    for (size_t i = 1; i < window; i++) {
        low = fmin(low, first[i]);
        high = fmax(high, first[i]);
    }
    return high - low <= width;
}

bool stagnation_is_over(struct stagnation *stagnation)
{
    size_t more = (size_t)ceil(30 * (double)stagnation->dims / (double)stagnation->lambda);
    size_t brief = 10 + more;
    if (stagnation->count < brief)
        return false;
    if (lies_within(stagnation, brief, 0) || (stagnation->flat && lies_within(stagnation, brief, TOL_FUN)))
        return true;
    size_t window = (size_t)(LONG_SHARE * (double)stagnation->count);
    window = window < LONG_LEAST + more ? LONG_LEAST + more : window > LONG_MOST ? LONG_MOST : window;
    return stagnation->count >= window && stands_still(stagnation, stagnation->best, window) &&
           stands_still(stagnation, stagnation->median, window);
}
