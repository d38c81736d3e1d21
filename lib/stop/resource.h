/*
 * Bands that count a logged resource, such as epochs, instead of rows: which
 * of its values stands beside each value of the metric, and which bands that
 * reaches. Pure.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_STOP_RESOURCE_H
#define BESOM_STOP_RESOURCE_H

#include <stddef.h>
#include <stdint.h>

/* A resource of which nothing is known, or whose newest value is not finite: it reaches no band. */
#define STOP_RESOURCE_NONE ((double)-INFINITY)

/* Values of the resource in order of logging; arrays are the caller's. */
struct stop_resource {
    const int64_t *steps, *times_us;
    const double *values;
    size_t count;
    size_t next;   /* first that was not passed */
    double newest; /* of those passed; what was before them to begin with */
};

/* The newest value at a row of the metric: logged at its step, or no later than it. Rows come in order. */
double stop_resource_at(struct stop_resource *resource, int64_t step, int64_t time_us);
/* After the last row: the newest value of all. */
double stop_resource_end(struct stop_resource *resource);

/* How many bands are reached at `units` (rows, or the resource), `reached` being so already: each that is at
 * most that; never fewer. */
size_t stop_bands_reached(const int64_t *bands, size_t count, size_t reached, double units);

#endif
