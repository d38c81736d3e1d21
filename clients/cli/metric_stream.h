/*
 * Metrics of a run as they come from the controller, piece by piece.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_METRIC_STREAM_H
#define BESOM_CLI_METRIC_STREAM_H

#include "connection.h"

/* Called on libbesom's thread, never two at a time; false ends the reading early, which is no error. */
struct metric_sink {
    bool (*points)(void *context, int attempt, const Besom__V1__Series *piece);
    bool (*buckets)(void *context, const Besom__V1__Buckets *piece); /* NULL when none were asked for */
    void *context;
};

/* Reads to the end. An error has been printed. */
int metric_stream_read(besom_client *client, const Besom__V1__ReadMetricsRequest *request,
                       const struct metric_sink *sink) MUST_USE;

/* The run's metrics that patterns name ("*" stands for any characters), in order of the patterns, each once;
 * in the arena. `missing` is the first pattern that none fits, NULL when there is none. False without memory.
 */
bool metric_names_match(struct arena *arena, const Besom__V1__Run *run, const char *const *patterns,
                        size_t count, const char ***out, size_t *out_count, const char **missing) MUST_USE;
/* "*" stands for any characters, everything else for itself. */
bool metric_name_fits(const char *pattern, const char *name);
/* NOT_FOUND for a pattern that no metric of the run fits, with what may be meant. */
int metric_names_fail(struct cli *cli, const Besom__V1__Run *run, const char *pattern);

#endif
