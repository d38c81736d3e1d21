/*
 * Metrics of a run as one JSON object, printed metric by metric, so that only
 * one is in memory.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_SERIES_JSON_H
#define BESOM_CLI_SERIES_JSON_H

#include <besom/v1/types.pb-c.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/buffer.h"

#define SERIES_LISTS_MAX 6

/* {"run_id":…,"sweep_id":…,"series":[{"name":…,"steps":[…],…},…]} */
struct series_json {
    FILE *stream;
    const Besom__V1__Run *run;
    bool begun;
    struct buffer name;                    /* owned; of the metric that is being collected, empty = none */
    struct buffer lists[SERIES_LISTS_MAX]; /* owned; its lists without brackets */
    const char *const *keys;               /* of the lists */
};

/* False when the stream takes no more. */
bool series_json_points(struct series_json *writer, int attempt, const Besom__V1__Series *piece);
bool series_json_buckets(struct series_json *writer, const Besom__V1__Buckets *piece);
bool series_json_end(struct series_json *writer);
/* Usable as CLEANUP. */
void series_json_release(struct series_json *writer);

#endif
