// SPDX-License-Identifier: GPL-3.0-or-later
#include "metric_stream.h"

#include <stdatomic.h>
#include <string.h>

#define LOOK_MS 200

struct reading {
    const struct metric_sink *sink;
    atomic_bool is_over; /* the sink wants no more */
    besom_error end;     /* read after the stream's end */
};

static void on_message(void *context, const void *message)
{
    struct reading *reading = context;
    const Besom__V1__ReadMetricsResponse *part = message;
    bool goes_on = true;
    if (atomic_load(&reading->is_over))
        return;
    if (part->series != NULL)
        goes_on = reading->sink->points(reading->sink->context, part->attempt, part->series);
    if (part->buckets != NULL && reading->sink->buckets != NULL)
        goes_on = goes_on && reading->sink->buckets(reading->sink->context, part->buckets);
    if (!goes_on)
        atomic_store(&reading->is_over, true);
}

static void on_close(void *context, const besom_error *error)
{
    struct reading *reading = context;
    reading->end = *error;
}

int metric_stream_read(besom_client *client, const Besom__V1__ReadMetricsRequest *request,
                       const struct metric_sink *sink)
{
    static const besom_stream_handler handler = {.on_message = on_message, .on_close = on_close};
    struct reading reading = {.sink = sink, .is_over = false, .end = {.code = BESOM_OK}};
    besom_stream *stream = NULL;
    if (besom_run_metrics(client, request, &handler, &reading, &stream, &reading.end) == BESOM_OK) {
        while (besom_stream_wait(stream, LOOK_MS) != BESOM_OK && !atomic_load(&reading.is_over))
            ;
        besom_stream_free(stream);
    }
    if (reading.end.code != BESOM_OK && !atomic_load(&reading.is_over))
        return connection_fail(&reading.end, "cannot read the metrics of run %s", request->run_id);
    return CLI_OK;
}

bool metric_name_fits(const char *pattern, const char *name)
{
    const char *star = NULL, *retry = NULL;
    while (*name != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            retry = name;
        } else if (*pattern == *name) {
            pattern++;
            name++;
        } else if (star != NULL) {
            pattern = star;
            name = ++retry;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

static bool has_name(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

bool metric_names_match(struct arena *arena, const Besom__V1__Run *run, const char *const *patterns,
                        size_t count, const char ***out, size_t *out_count, const char **missing)
{
    *out = arena_calloc(arena, run->n_summaries + 1, sizeof **out);
    *out_count = 0;
    *missing = NULL;
    for (size_t i = 0; *out != NULL && i < count; i++) {
        bool fits = false;
        for (size_t k = 0; k < run->n_summaries; k++) {
            const char *name = run->summaries[k]->name;
            if (!metric_name_fits(patterns[i], name))
                continue;
            fits = true;
            if (!has_name(*out, *out_count, name))
                (*out)[(*out_count)++] = name;
        }
        if (!fits && *missing == NULL)
            *missing = patterns[i];
    }
    return *out != NULL;
}

int metric_names_fail(struct cli *cli, const Besom__V1__Run *run, const char *pattern)
{
    const char **names = arena_calloc(&cli->arena, run->n_summaries + 1, sizeof *names);
    for (size_t i = 0; names != NULL && i < run->n_summaries; i++)
        names[i] = run->summaries[i]->name;
    const char *meant = names != NULL ? config_suggest(pattern, names, run->n_summaries) : NULL;
    if (meant != NULL)
        return cli_fail(CLI_NOT_FOUND, "run %s has no metric '%.80s' (did you mean '%.80s'?)", run->run_id,
                        pattern, meant);
    return cli_fail(CLI_NOT_FOUND, "run %s has no metric '%.80s' (see besom metrics %s)", run->run_id,
                    pattern, run->run_id);
}
