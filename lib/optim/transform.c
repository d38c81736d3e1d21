// SPDX-License-Identifier: GPL-3.0-or-later
#include "optim/transform.h"

#include <float.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>

#define HUGE_ABOVE 1e100
#define TINY_BELOW 1e-100
#define DEVIATION_MIN 1e-12

static int compare_pairs(const void *a, const void *b)
{
    const struct transform_pair *x = a;
    const struct transform_pair *y = b;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static double scale_of(const double *values, size_t count)
{
    double most = 0;
    for (size_t i = 0; i < count; i++)
        most = fmax(most, fabs(values[i]));
    return most > HUGE_ABOVE || (most > 0 && most < TINY_BELOW) ? most : 1;
}

static bool begins_value(const struct transform_pair *pairs, size_t i)
{
    return i == 0 || pairs[i].value != pairs[i - 1].value;
}

/* Root mean square distance from `middle` of the distinct values from `from` on. */
static double spread(const struct transform_pair *pairs, size_t count, double middle, double from)
{
    double sum = 0;
    double distinct = 0;
    for (size_t i = 0; i < count; i++)
        if (begins_value(pairs, i) && pairs[i].value >= from) {
            sum += (pairs[i].value - middle) * (pairs[i].value - middle);
            distinct++;
        }
    return sqrt(sum / distinct);
}

static void warp_lower_half(struct transform_pair *pairs, size_t count)
{
    double middle = (pairs[(count - 1) / 2].value + pairs[count / 2].value) / 2;
    double below = 0; /* distinct values below the middle */
    double distinct = 0;
    double middle_occurs = 0;
    for (size_t i = 0; i < count; i++) {
        if (!begins_value(pairs, i))
            continue;
        distinct++;
        below += pairs[i].value < middle;
        if (pairs[i].value == middle)
            middle_occurs = 0.5;
    }
    if (distinct <= 2)
        return;
    double deviation = spread(pairs, count, middle, middle);
    if (!(deviation > 0))
        deviation = spread(pairs, count, middle, -HUGE_VAL);
    double rank = 0;
    for (size_t i = 0; i < count && pairs[i].value < middle; i++) {
        rank += begins_value(pairs, i);
        double share = 0.5 * (rank - 0.5) / (below + middle_occurs);
        pairs[i].warped = middle + deviation * gsl_cdf_ugaussian_Pinv(fmax(share, 1e-6));
    }
}

enum status transform_apply(struct transform *transform, double strength, const double *values, size_t count,
                            double *z, struct arena *arena, struct err *err)
{
    struct transform_pair *pairs = arena_alloc(arena, (count + 1) * sizeof *pairs);
    if (pairs == NULL)
        return err_set(err, STATUS_NO_MEMORY, "values: out of memory");
    *transform = (struct transform){
        .pairs = pairs, .count = count, .strength = strength, .scale = scale_of(values, count)};
    for (size_t i = 0; i < count; i++) {
        double value = values[i] / transform->scale;
        pairs[i] = (struct transform_pair){.value = value, .warped = value, .index = i};
    }
    if (count == 0)
        return STATUS_OK;
    qsort(pairs, count, sizeof *pairs, compare_pairs);
    warp_lower_half(pairs, count);
    transform->best = pairs[count - 1].warped;
    transform->range = fmax(transform->best - pairs[0].warped, 1e-300);
    double sum = 0;
    double squares = 0;
    for (size_t i = 0; i < count; i++) {
        double distance = (transform->best - pairs[i].warped) / transform->range;
        z[pairs[i].index] = 0.5 - log1p(strength * distance) / log1p(strength);
        sum += z[pairs[i].index];
    }
    transform->mean = sum / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += (z[i] - transform->mean) * (z[i] - transform->mean);
    transform->deviation = sqrt(squares / (double)count);
    if (!(transform->deviation > DEVIATION_MIN))
        transform->deviation = 1;
    for (size_t i = 0; i < count; i++)
        z[i] = (z[i] - transform->mean) / transform->deviation;
    return STATUS_OK;
}

/* Between the two neighbours whose warped values enclose `warped`. */
static double unwarp(const struct transform *transform, double warped)
{
    const struct transform_pair *pairs = transform->pairs;
    size_t low = 0;
    size_t high = transform->count - 1;
    if (warped <= pairs[0].warped)
        return pairs[0].value;
    if (warped >= pairs[high].warped)
        return pairs[high].value + (warped - pairs[high].warped);
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (pairs[middle].warped <= warped)
            low = middle;
        else
            high = middle;
    }
    double share = (warped - pairs[low].warped) / (pairs[high].warped - pairs[low].warped);
    return pairs[low].value + share * (pairs[high].value - pairs[low].value);
}

double transform_invert(const struct transform *transform, double z)
{
    if (transform->count == 0)
        return 0;
    double logarithm = z * transform->deviation + transform->mean;
    double distance = expm1((0.5 - logarithm) * log1p(transform->strength)) / transform->strength;
    double value = unwarp(transform, transform->best - distance * transform->range) * transform->scale;
    return fmin(fmax(value, -DBL_MAX), DBL_MAX);
}

double transform_log_slope(const struct transform *transform, double z)
{
    double logarithm = z * transform->deviation + transform->mean;
    double log_strength = log1p(transform->strength);
    return log(transform->strength / (log_strength * transform->deviation)) -
           (0.5 - logarithm) * log_strength;
}

double transform_gain(const struct transform *transform, double gain)
{
    const struct transform_pair *pairs = transform->pairs;
    double spread = pairs[transform->count - 1].value - pairs[(transform->count - 1) / 2].value;
    double distance = -expm1(-gain * transform->deviation * log1p(transform->strength)) / transform->strength;
    return spread > 0 ? distance * transform->range / spread : HUGE_VAL;
}
