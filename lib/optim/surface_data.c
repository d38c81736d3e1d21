// SPDX-License-Identifier: GPL-3.0-or-later
/* The points of a surface. */
#include "optim/surface_data.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "optim/draws.h"

#define FENCE 3.0 /* times the distance of the quartiles */

size_t surface_least(size_t dims)
{
    return dims + 2 > SURFACE_POINTS_MIN ? dims + 2 : SURFACE_POINTS_MIN;
}

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double sorted_quantile(const double *sorted, size_t count, double share)
{
    double at = share * (double)(count - 1);
    size_t low = (size_t)at;
    size_t high = low + 1 < count ? low + 1 : low;
    return sorted[low] + (at - (double)low) * (sorted[high] - sorted[low]);
}

void sort_numbers(double *numbers, size_t count)
{
    qsort(numbers, count, sizeof *numbers, compare_numbers);
}

/* A random subset where there are too many, in their order. */
static enum status choose(const struct surface_input *input, struct surface *out, struct arena *arena,
                          struct err *err)
{
    struct draws draws = {.seed = input->seed, .ordinal = input->count, .name = "surface.points"};
    size_t left = input->count < SURFACE_POINTS_MAX ? input->count : SURFACE_POINTS_MAX;
    out->used = arena_alloc(arena, (left + 1) * sizeof *out->used);
    if (out->used == NULL)
        return err_set(err, STATUS_NO_MEMORY, "surface: out of memory");
    for (size_t i = 0; i < input->count && left > 0; i++)
        if (draws_below(&draws, input->count - i) < left) {
            out->used[out->count++] = i;
            left--;
        }
    return STATUS_OK;
}

/* The power of two that takes all values to at most 1, so that no distance overflows and none gets lost. */
static int exponent_of(const struct surface_input *input, const struct surface *out)
{
    double most = 0;
    int exponent = 0;
    for (size_t j = 0; j < out->count; j++)
        most = fmax(most, fabs(input->values[out->used[j]]));
    (void)frexp(most, &exponent);
    return exponent;
}

/* Moves values far out to the fences, then scales all to at most 1. */
static void bound(const struct surface_input *input, struct surface *out, double *sorted)
{
    size_t n = out->count;
    double *z = out->values;
    double most = 0;
    int exponent = exponent_of(input, out);
    for (size_t j = 0; j < n; j++)
        sorted[j] = z[j] = ldexp(input->values[out->used[j]], -exponent);
    sort_numbers(sorted, n);
    double low = sorted_quantile(sorted, n, 0.25), high = sorted_quantile(sorted, n, 0.75);
    double width = high - low > 0 ? FENCE * (high - low) : HUGE_VAL;
    for (size_t j = 0; j < n; j++) {
        double bounded = fmin(fmax(z[j], low - width), high + width);
        out->bounded += bounded != z[j];
        z[j] = bounded;
        most = fmax(most, fabs(bounded));
    }
    for (size_t j = 0; j < n; j++)
        z[j] = most > 0 ? z[j] / most : 0;
    out->scale = ldexp(most, exponent);
}

/* To mean 0 and deviation 1. */
static enum status standardise(struct surface *out, struct err *err)
{
    size_t n = out->count;
    double *z = out->values;
    double mean = 0, squares = 0;
    for (size_t j = 0; j < n; j++)
        mean += z[j] / (double)n;
    for (size_t j = 0; j < n; j++) {
        z[j] -= mean;
        squares += z[j] * z[j];
    }
    double deviation = sqrt(squares / (double)n);
    if (!(deviation > 64 * DBL_EPSILON))
        return err_set(err, STATUS_PRECONDITION, "all values are the same, so nothing can be told to matter");
    for (size_t j = 0; j < n; j++)
        z[j] /= deviation;
    out->middle = mean * out->scale;
    out->scale *= deviation;
    return STATUS_OK;
}

enum status surface_take(const struct surface_input *input, struct surface *out, struct arena *arena,
                         struct err *err)
{
    size_t dims = input->space->count;
    size_t least = surface_least(dims);
    *out = (struct surface){.space = input->space, .seed = input->seed};
    if (input->count < least)
        return err_set(err, STATUS_PRECONDITION, "needs at least %zu results with a value, has %zu", least,
                       input->count);
    TRY(choose(input, out, arena, err));
    out->rows = arena_alloc(arena, out->count * dims * sizeof(double));
    out->values = arena_alloc(arena, out->count * sizeof(double));
    double *sorted = arena_alloc(arena, out->count * sizeof *sorted);
    if (out->rows == NULL || out->values == NULL || sorted == NULL)
        return err_set(err, STATUS_NO_MEMORY, "surface: out of memory");
    bound(input, out, sorted);
    TRY(standardise(out, err));
    for (size_t j = 0; j < out->count; j++)
        dims_embed(input->space, input->points + out->used[j] * dims, out->rows + j * dims);
    return STATUS_OK;
}
