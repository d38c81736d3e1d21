// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/buckets.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_size_t held;

enum status buckets_init(struct buckets *buckets, size_t most, int64_t total, struct err *err)
{
    *buckets = (struct buckets){.most = (int64_t)most > total ? (size_t)total : most, .total = total};
    if (atomic_fetch_add(&held, buckets->most) + buckets->most > BUCKETS_HELD_MAX) {
        atomic_fetch_sub(&held, buckets->most);
        return err_set(err, STATUS_EXHAUSTED,
                       "too many buckets are being read at once: ask again later, or for fewer");
    }
    buckets->items = calloc(buckets->most + 1, sizeof *buckets->items);
    if (buckets->items != NULL)
        return STATUS_OK;
    atomic_fetch_sub(&held, buckets->most);
    return err_set(err, STATUS_NO_MEMORY, "buckets: out of memory");
}

void buckets_free(struct buckets *buckets)
{
    if (buckets->items != NULL)
        atomic_fetch_sub(&held, buckets->most);
    free(buckets->items);
    buckets->items = NULL;
}

/* Number of the first point of a bucket, counted from 0. */
static int64_t begin_of(const struct buckets *buckets, size_t bucket)
{
    int64_t most = (int64_t)buckets->most, number = (int64_t)bucket;
    int64_t whole = buckets->total / most, rest = buckets->total % most;
    return whole * number + (rest * number + most - 1) / most;
}

static void merge(struct points_sum *to, const struct points_sum *from)
{
    to->count += from->count;
    to->first_step = from->first_step < to->first_step ? from->first_step : to->first_step;
    to->last_step = from->last_step > to->last_step ? from->last_step : to->last_step;
    to->min = isnan(to->min) || from->min < to->min ? from->min : to->min;
    to->max = isnan(to->max) || from->max > to->max ? from->max : to->max;
    to->last = from->last;
}

/* `middle` never goes back. */
static void add(struct buckets *buckets, int64_t middle, const struct points_sum *sum)
{
    if (buckets->count == 0 || (middle >= buckets->next && buckets->border < buckets->most)) {
        while (buckets->border < buckets->most && begin_of(buckets, buckets->border) <= middle)
            buckets->border++;
        buckets->next = begin_of(buckets, buckets->border);
        buckets->items[buckets->count++] = *sum;
    } else {
        merge(&buckets->items[buckets->count - 1], sum);
    }
    buckets->seen += sum->count;
}

void buckets_add_sum(struct buckets *buckets, const struct points_sum *sum)
{
    add(buckets, buckets->seen + sum->count / 2, sum);
}

void buckets_add_points(struct buckets *buckets, const struct pack_columns *columns)
{
    for (size_t i = 0; i < columns->count; i++) {
        double value = columns->values[i], finite = isfinite(value) ? value : (double)NAN;
        const struct points_sum sum = {.count = 1,
                                       .first_step = columns->steps[i],
                                       .last_step = columns->steps[i],
                                       .min = finite,
                                       .max = finite,
                                       .last = value};
        add(buckets, buckets->seen, &sum);
    }
}
