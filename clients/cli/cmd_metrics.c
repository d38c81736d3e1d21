// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "connection.h"
#include "entity.h"
#include "format.h"
#include "resolve.h"
#include "table.h"

struct metrics_options {
    struct connection_options connection;
    bool json;
    bool all;
    int64_t attempt;
};

/* Filled by the stream's thread, read after its end. */
struct collection {
    json_t *series; /* [{"name": "loss", "steps": [], "values": [], "times_us": []}] */
    besom_error end;
};

/* Pieces of a metric come one after the other. */
static json_t *series_of(struct collection *collection, const char *name)
{
    size_t count = json_array_size(collection->series);
    json_t *last = count > 0 ? json_array_get(collection->series, count - 1) : NULL;
    if (last != NULL && strcmp(json_string_value(json_object_get(last, "name")), name) == 0)
        return last;
    json_array_append_new(collection->series,
                          json_pack("{s:s,s:[],s:[],s:[]}", "name", name, "steps", "values", "times_us"));
    return json_array_get(collection->series, count);
}

static void on_message(void *context, const void *message)
{
    struct collection *collection = context;
    const Besom__V1__Series *part = ((const Besom__V1__ReadMetricsResponse *)message)->series;
    if (part == NULL)
        return;
    json_t *series = series_of(collection, part->name);
    for (size_t i = 0; i < part->n_steps; i++)
        json_array_append_new(json_object_get(series, "steps"), json_integer(part->steps[i]));
    for (size_t i = 0; i < part->n_values; i++)
        json_array_append_new(json_object_get(series, "values"), entity_number_json(part->values[i]));
    for (size_t i = 0; i < part->n_times_us; i++)
        json_array_append_new(json_object_get(series, "times_us"), json_integer(part->times_us[i]));
}

static void on_close(void *context, const besom_error *error)
{
    struct collection *collection = context;
    collection->end = *error;
}

static int collect(besom_client *client, Besom__V1__ReadMetricsRequest *request,
                   struct collection *collection)
{
    static const besom_stream_handler handler = {.on_message = on_message, .on_close = on_close};
    besom_stream *stream = NULL;
    if (besom_run_metrics(client, request, &handler, collection, &stream, &collection->end) == BESOM_OK) {
        if (besom_stream_wait(stream, -1) != BESOM_OK)
            collection->end.code = BESOM_INTERNAL;
        besom_stream_free(stream);
    }
    if (collection->end.code != BESOM_OK)
        return connection_fail(&collection->end, "cannot read the metrics of run %s", request->run_id);
    return CLI_OK;
}

static void print_points(struct cli *cli, const json_t *all)
{
    static const struct table_column columns[] = {{"METRIC", false}, {"STEP", true}, {"VALUE", true}};
    struct table table = table_make(&cli->arena, columns, ARRAY_LEN(columns));
    for (size_t n = 0; n < json_array_size(all); n++) {
        const json_t *series = json_array_get(all, n);
        const json_t *steps = json_object_get(series, "steps"), *values = json_object_get(series, "values");
        for (size_t i = 0; i < json_array_size(values); i++) {
            char text[FORMAT_SIZE];
            const json_t *value = json_array_get(values, i);
            table_add(&table, json_string_value(json_object_get(series, "name")));
            snprintf(text, sizeof text, "%lld", (long long)json_integer_value(json_array_get(steps, i)));
            table_add(&table, text);
            table_add(&table, json_is_string(value) ? json_string_value(value)
                                                    : format_number(json_number_value(value), text));
        }
    }
    table_print(&table);
}

static int print_summaries(struct cli *cli, const Besom__V1__Run *run)
{
    static const struct table_column columns[] = {{"METRIC", false}, {"POINTS", true}, {"LAST", true},
                                                  {"STEP", true},    {"MIN", true},    {"MAX", true}};
    struct table table = table_make(&cli->arena, columns, ARRAY_LEN(columns));
    if (run->n_summaries == 0) {
        cli_note("Run %s has logged no metric", run->run_id);
        return CLI_OK;
    }
    for (size_t i = 0; i < run->n_summaries; i++) {
        const Besom__V1__Summary *summary = run->summaries[i];
        char text[FORMAT_SIZE];
        table_add(&table, summary->name);
        snprintf(text, sizeof text, "%lld", (long long)summary->count);
        table_add(&table, text);
        table_add(&table, format_number(summary->last, text));
        snprintf(text, sizeof text, "%lld", (long long)summary->last_step);
        table_add(&table, text);
        table_add(&table, format_number(summary->min, text));
        table_add(&table, format_number(summary->max, text));
    }
    table_print(&table);
    return CLI_OK;
}

static int print_series(struct cli *cli, const struct metrics_options *options, besom_client *client,
                        const Besom__V1__Run *run)
{
    Besom__V1__ReadMetricsRequest request = BESOM__V1__READ_METRICS_REQUEST__INIT;
    struct collection collection = {.series = json_array(), .end = {.code = BESOM_OK}};
    size_t count = cli->given->argument_count - 1;
    char **names = arena_calloc(&cli->arena, count + 1, sizeof *names);
    for (size_t i = 0; names != NULL && i < count; i++)
        names[i] = message_text(cli->given->arguments[i + 1]);
    request.sweep_id = run->sweep_id;
    request.run_id = run->run_id;
    request.attempt = (int32_t)options->attempt;
    request.names = names;
    request.n_names = names != NULL ? count : 0;
    int code = collect(client, &request, &collection);
    if (code == CLI_OK && options->json)
        return entity_print_json(json_pack("{s:s,s:s,s:o}", "run_id", run->run_id, "sweep_id", run->sweep_id,
                                           "series", collection.series));
    if (code == CLI_OK)
        print_points(cli, collection.series);
    json_decref(collection.series);
    return code;
}

static int run_metrics(struct cli *cli, void *given)
{
    const struct metrics_options *options = given;
    besom_client *client CLEANUP(connection_close) = NULL;
    Besom__V1__GetRunResponse *found CLEANUP(message_release) = NULL;
    int code = resolve_run(cli, &options->connection, cli->given->arguments[0], &client, &found);
    if (code != CLI_OK)
        return code;
    if (options->json || options->all || cli->given->argument_count > 1)
        return print_series(cli, options, client, found->run);
    return print_summaries(cli, found->run);
}

static const struct config_key keys[] = {
    {.name = "all",
     .letter = 'a',
     .type = CONFIG_BOOL,
     .offset = offsetof(struct metrics_options, all),
     .help = "every point of every metric"},
    {.name = "attempt",
     .type = CONFIG_INT,
     .offset = offsetof(struct metrics_options, attempt),
     .value_name = "N",
     .min = 0,
     .max = 1000000,
     .help = "which attempt of the run; 0 = the last"},
    JSON_KEY(struct metrics_options),
    CONNECTION_KEYS(struct metrics_options),
};

const struct cli_command cmd_metrics = {
    .name = "metrics",
    .group = "Look",
    .usage = "besom metrics RUN [METRIC...]",
    .summary =
        "Show what a run has logged\n"
        "A table of all metrics; every point of those that are named, and of all with --all or --json.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct metrics_options),
    .arguments_min = 1,
    .arguments_max = (size_t)-1,
    .run = run_metrics,
};
