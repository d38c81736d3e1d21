// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/meter.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"

#define SWEEPS 256
#define SECONDS 10

struct gauge {
    char sweep_id[ID_SIZE];
    int64_t used_ms;
    int64_t second[SECONDS]; /* which second each bucket counts */
    int64_t points[SECONDS];
};

struct meter {
    pthread_mutex_t lock;
    struct gauge gauges[SWEEPS]; /* lock; the one unused for longest gives way */
};

enum status meter_new(struct meter **out, struct err *err)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    pthread_mutex_init(&(*out)->lock, NULL);
    return STATUS_OK;
}

void meter_free(struct meter *meter)
{
    if (meter == NULL)
        return;
    pthread_mutex_destroy(&meter->lock);
    free(meter);
}

static struct gauge *find(struct meter *meter, const char *sweep_id)
{
    for (size_t i = 0; i < SWEEPS; i++)
        if (strcmp(meter->gauges[i].sweep_id, sweep_id) == 0)
            return &meter->gauges[i];
    return NULL;
}

static struct gauge *obtain(struct meter *meter, const char *sweep_id)
{
    struct gauge *gauge = find(meter, sweep_id);
    if (gauge != NULL)
        return gauge;
    gauge = &meter->gauges[0];
    for (size_t i = 1; i < SWEEPS; i++)
        if (meter->gauges[i].used_ms < gauge->used_ms)
            gauge = &meter->gauges[i];
    *gauge = (struct gauge){.used_ms = 0};
    (void)snprintf(gauge->sweep_id, sizeof gauge->sweep_id, "%s", sweep_id);
    return gauge;
}

void meter_add(struct meter *meter, const char *sweep_id, int64_t points, int64_t now_ms)
{
    int64_t second = now_ms / 1000;
    pthread_mutex_lock(&meter->lock);
    struct gauge *gauge = obtain(meter, sweep_id);
    size_t bucket = (size_t)(second % SECONDS);
    if (gauge->second[bucket] != second)
        gauge->points[bucket] = 0;
    gauge->second[bucket] = second;
    gauge->points[bucket] += points;
    gauge->used_ms = now_ms;
    pthread_mutex_unlock(&meter->lock);
}

double meter_rate(struct meter *meter, const char *sweep_id, int64_t now_ms)
{
    int64_t second = now_ms / 1000, points = 0;
    pthread_mutex_lock(&meter->lock);
    const struct gauge *gauge = find(meter, sweep_id);
    for (size_t i = 0; gauge != NULL && i < SECONDS; i++)
        if (second - gauge->second[i] < SECONDS)
            points += gauge->points[i];
    pthread_mutex_unlock(&meter->lock);
    return (double)points / SECONDS;
}
