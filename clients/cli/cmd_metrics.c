// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "connection.h"
#include "format.h"
#include "metric_stream.h"
#include "records.h"
#include "resolve.h"
#include "series_json.h"
#include "table.h"

struct metrics_options {
    struct connection_options connection;
    bool json;
    bool all;
    int64_t attempt;
    int64_t buckets;
    const char *from, *to;
    const char *format;
};

enum shape { SHAPE_TABLE, SHAPE_CSV, SHAPE_JSON };

/* A table being filled. */
struct listing {
    struct table table;
    bool has_attempts; /* more than one */
};

static int parse_shape(const struct metrics_options *options, enum shape *out)
{
    static const char *const names[] = {[SHAPE_TABLE] = "table", [SHAPE_CSV] = "csv", [SHAPE_JSON] = "json"};
    *out = options->json ? SHAPE_JSON : SHAPE_TABLE;
    for (size_t i = 0; options->format != NULL && i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i], options->format) != 0)
            continue;
        if (options->json && i != SHAPE_JSON)
            return cli_fail(CLI_USAGE, "metrics: --json and --format %s exclude each other", names[i]);
        *out = (enum shape)i;
        return CLI_OK;
    }
    return options->format == NULL
               ? CLI_OK
               : cli_fail(CLI_USAGE, "metrics: --format: '%.40s' is none of table, csv, json",
                          options->format);
}

static int parse_step(const char *flag, const char *text, bool *has, int64_t *out)
{
    char *end = NULL;
    *has = text != NULL;
    if (text == NULL)
        return CLI_OK;
    errno = 0;
    *out = strtoll(text, &end, 10);
    if (errno != 0 || *text == '\0' || *end != '\0')
        return cli_fail(CLI_USAGE, "metrics: %s: '%.40s' is no whole number", flag, text);
    return CLI_OK;
}

static int fill_request(const struct metrics_options *options, Besom__V1__ReadMetricsRequest *request)
{
    bool has_first = false, has_last = false;
    int code = parse_step("--from", options->from, &has_first, &request->first_step);
    if (code == CLI_OK)
        code = parse_step("--to", options->to, &has_last, &request->last_step);
    if (has_first)
        request->first_choice_case = BESOM__V1__READ_METRICS_REQUEST__FIRST_CHOICE_FIRST_STEP;
    if (has_last)
        request->last_choice_case = BESOM__V1__READ_METRICS_REQUEST__LAST_CHOICE_LAST_STEP;
    request->attempt = (int32_t)options->attempt;
    request->buckets = (int32_t)options->buckets;
    return code;
}

/* ---- tables ---- */

static void add_number(struct table *table, int64_t value)
{
    char text[FORMAT_SIZE];
    snprintf(text, sizeof text, "%" PRId64, value);
    table_add(table, text);
}

static bool list_points(void *context, int attempt, const Besom__V1__Series *piece)
{
    struct listing *listing = context;
    char text[FORMAT_SIZE];
    for (size_t i = 0; i < piece->n_steps && i < piece->n_values; i++) {
        table_add(&listing->table, piece->name);
        if (listing->has_attempts)
            add_number(&listing->table, attempt);
        add_number(&listing->table, piece->steps[i]);
        table_add(&listing->table, format_exact(piece->values[i], text));
    }
    return true;
}

static bool list_buckets(void *context, const Besom__V1__Buckets *piece)
{
    struct listing *listing = context;
    char text[2 * FORMAT_SIZE];
    for (size_t i = 0; i < piece->n_counts; i++) {
        table_add(&listing->table, piece->name);
        snprintf(text, sizeof text, "%" PRId64 "-%" PRId64, piece->first_steps[i], piece->last_steps[i]);
        table_add(&listing->table, text);
        add_number(&listing->table, piece->counts[i]);
        table_add(&listing->table, format_exact(piece->mins[i], text));
        table_add(&listing->table, format_exact(piece->maxs[i], text));
        table_add(&listing->table, format_exact(piece->lasts[i], text));
    }
    return true;
}

static int print_table(struct cli *cli, besom_client *client, const Besom__V1__Run *run,
                       const Besom__V1__ReadMetricsRequest *request)
{
    static const struct table_column points[] = {{"METRIC", false}, {"STEP", true}, {"VALUE", true}};
    static const struct table_column attempts[] = {
        {"METRIC", false}, {"TRY", true}, {"STEP", true}, {"VALUE", true}};
    static const struct table_column buckets[] = {{"METRIC", false}, {"STEPS", true}, {"POINTS", true},
                                                  {"MIN", true},     {"MAX", true},   {"LAST", true}};
    struct listing listing = {.has_attempts = run->attempt > 1};
    if (request->buckets > 0)
        listing.table = table_make(&cli->arena, buckets, ARRAY_LEN(buckets));
    else if (listing.has_attempts)
        listing.table = table_make(&cli->arena, attempts, ARRAY_LEN(attempts));
    else
        listing.table = table_make(&cli->arena, points, ARRAY_LEN(points));
    const struct metric_sink sink = {.points = list_points, .buckets = list_buckets, .context = &listing};
    int code = metric_stream_read(client, request, &sink);
    if (code == CLI_OK && listing.table.cell_count == 0)
        cli_note("No points");
    else if (code == CLI_OK)
        table_print(&listing.table);
    return code;
}

static int print_figures(struct cli *cli, const Besom__V1__Run *run)
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
        add_number(&table, summary->count);
        table_add(&table, format_number(summary->last, text));
        add_number(&table, summary->last_step);
        table_add(&table, format_number(summary->min, text));
        table_add(&table, format_number(summary->max, text));
    }
    table_print(&table);
    return CLI_OK;
}

/* ---- for programs ---- */

static bool write_points(void *context, int attempt, const Besom__V1__Series *piece)
{
    return point_writer_add(context, attempt, piece);
}

static bool write_buckets(void *context, const Besom__V1__Buckets *piece)
{
    return bucket_writer_add(context, piece);
}

static int print_csv(besom_client *client, const Besom__V1__ReadMetricsRequest *request)
{
    struct point_writer writer CLEANUP(point_writer_release) = {.stream = stdout, .format = RECORD_CSV};
    const struct metric_sink sink = {.points = write_points, .buckets = write_buckets, .context = &writer};
    bool begun = request->buckets > 0 ? bucket_writer_begin(&writer) : point_writer_begin(&writer);
    return begun ? metric_stream_read(client, request, &sink) : CLI_OK;
}

static bool write_json_points(void *context, int attempt, const Besom__V1__Series *piece)
{
    return series_json_points(context, attempt, piece);
}

static bool write_json_buckets(void *context, const Besom__V1__Buckets *piece)
{
    return series_json_buckets(context, piece);
}

static int print_json(besom_client *client, const Besom__V1__Run *run,
                      const Besom__V1__ReadMetricsRequest *request)
{
    struct series_json writer CLEANUP(series_json_release) = {.stream = stdout, .run = run};
    const struct metric_sink sink = {
        .points = write_json_points, .buckets = write_json_buckets, .context = &writer};
    int code = metric_stream_read(client, request, &sink);
    if (code == CLI_OK)
        (void)series_json_end(&writer); /* main sees what became of stdout */
    return code;
}

static int print_series(struct cli *cli, enum shape shape, besom_client *client, const Besom__V1__Run *run,
                        Besom__V1__ReadMetricsRequest *request)
{
    const char **names = NULL, *missing = NULL;
    size_t count = 0;
    if (!metric_names_match(&cli->arena, run, cli->given->arguments + 1, cli->given->argument_count - 1,
                            &names, &count, &missing))
        return cli_fail(CLI_FAILED, "out of memory");
    if (missing != NULL)
        return metric_names_fail(cli, run, missing);
    request->sweep_id = run->sweep_id;
    request->run_id = run->run_id;
    request->names = (char **)(uintptr_t)names;
    request->n_names = count;
    switch (shape) {
    case SHAPE_CSV: return print_csv(client, request);
    case SHAPE_JSON: return print_json(client, run, request);
    case SHAPE_TABLE: break;
    }
    return print_table(cli, client, run, request);
}

static int run_metrics(struct cli *cli, void *given)
{
    const struct metrics_options *options = given;
    besom_client *client CLEANUP(connection_close) = NULL;
    Besom__V1__GetRunResponse *found CLEANUP(message_release) = NULL;
    Besom__V1__ReadMetricsRequest request = BESOM__V1__READ_METRICS_REQUEST__INIT;
    enum shape shape = SHAPE_TABLE;
    int code = parse_shape(options, &shape);
    if (code == CLI_OK)
        code = fill_request(options, &request);
    if (code == CLI_OK)
        code = resolve_run(&options->connection, cli->given->arguments[0], &client, &found);
    if (code != CLI_OK)
        return code;
    bool points = options->all || cli->given->argument_count > 1 || options->from != NULL ||
                  options->to != NULL || options->buckets > 0 || options->attempt > 0 || shape != SHAPE_TABLE;
    return points ? print_series(cli, shape, client, found->run, &request) : print_figures(cli, found->run);
}

static const struct config_key keys[] = {
    {.name = "all",
     .letter = 'a',
     .type = CONFIG_BOOL,
     .offset = offsetof(struct metrics_options, all),
     .help = "every point of every metric"},
    {.name = "from",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct metrics_options, from),
     .value_name = "STEP",
     .help = "only points of this step on"},
    {.name = "to",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct metrics_options, to),
     .value_name = "STEP",
     .help = "only points up to this step"},
    {.name = "buckets",
     .type = CONFIG_INT,
     .offset = offsetof(struct metrics_options, buckets),
     .value_name = "N",
     .min = 1,
     .max = 100000,
     .help = "sum the points of each metric up in at most N stretches"},
    {.name = "attempt",
     .type = CONFIG_INT,
     .offset = offsetof(struct metrics_options, attempt),
     .value_name = "N",
     .min = 0,
     .max = 1000000,
     .help = "what this attempt of the run logged; 0 = all, each up to where the next goes on"},
    {.name = "format",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct metrics_options, format),
     .value_name = "FORMAT",
     .help = "table, csv or json; unset: table"},
    JSON_KEY(struct metrics_options),
    CONNECTION_KEYS(struct metrics_options),
};

const struct cli_command cmd_metrics = {
    .name = "metrics",
    .group = "Look",
    .usage = "besom metrics RUN [METRIC...]",
    .summary =
        "Show what a run has logged\n"
        "A table of all metrics with their figures; with names or one of --all, --from, --to, --buckets and\n"
        "--attempt, and in CSV and JSON, the points. In a METRIC * stands for any characters: 'val/*'.",
    .footer =
        "Values of points are exact: the shortest numbers that read back the same, NaN, Infinity, -Infinity.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct metrics_options),
    .arguments_min = 1,
    .arguments_max = (size_t)-1,
    .run = run_metrics,
};
