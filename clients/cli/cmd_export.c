// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "commands.h"
#include "connection.h"
#include "export_runs.h"
#include "meter.h"
#include "metric_stream.h"
#include "out_file.h"
#include "records.h"
#include "resolve.h"
#include "run_columns.h"

struct export_options {
    struct connection_options connection;
    const char *format;
    const char *output;
    const char *columns;
    bool metrics;
    bool json;
    struct run_query_options query;
};

/* One `besom export`. */
struct exporting {
    struct cli *cli;
    const struct export_options *options;
    besom_client *client;
    enum record_format format;
    struct run_query query;     /* owned */
    struct run_columns columns; /* count 0 = all */
    struct out_file file;       /* owned */
    struct meter meter;
    struct point_writer points; /* owned */
};

static int parse_format(const struct export_options *options, enum record_format *out)
{
    const char *format = options->format != NULL ? options->format : (options->json ? "json" : "csv");
    *out = strcmp(format, "json") == 0 ? RECORD_JSON : RECORD_CSV;
    if (*out == RECORD_CSV && strcmp(format, "csv") != 0)
        return cli_fail(CLI_USAGE, "export: --format: '%.40s' is none of csv, json", format);
    if (options->json && *out == RECORD_CSV)
        return cli_fail(CLI_USAGE, "export: --json and --format csv exclude each other");
    return CLI_OK;
}

/* What can be told without a server. */
static int prepare(struct exporting *exporting)
{
    const struct export_options *options = exporting->options;
    int code = parse_format(options, &exporting->format);
    if (code == CLI_OK)
        code = run_query_prepare(exporting->cli, "export", &options->query, &exporting->query);
    if (code == CLI_OK && options->columns != NULL && options->metrics)
        return cli_fail(CLI_USAGE,
                        "export: --columns is for rows of runs, not for --metrics (leave one out)");
    if (code == CLI_OK && options->columns != NULL)
        code = run_columns_parse(exporting->cli, "export", options->columns, &exporting->columns);
    return code;
}

/* ---- points ---- */

static bool write_points(void *context, int attempt, const Besom__V1__Series *piece)
{
    struct exporting *exporting = context;
    bool written = point_writer_add(&exporting->points, attempt, piece) || out_file_failed(&exporting->file);
    meter_add(&exporting->meter, (int64_t)piece->n_values);
    return written;
}

static int stream_failure(struct exporting *exporting)
{
    return ferror(exporting->file.stream) ? CLI_FAILED : CLI_OK;
}

/* The points of one run; of a named run a pattern must fit. */
static int write_run(struct exporting *exporting, const Besom__V1__Run *run, bool is_named)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    const struct config_result *given = exporting->cli->given;
    Besom__V1__ReadMetricsRequest request = BESOM__V1__READ_METRICS_REQUEST__INIT;
    const struct metric_sink sink = {.points = write_points, .context = exporting};
    const char **names = NULL, *missing = NULL;
    if (!metric_names_match(&arena, run, given->arguments + 1, given->argument_count - 1, &names,
                            &request.n_names, &missing))
        return cli_fail(CLI_FAILED, "out of memory");
    if (missing != NULL && is_named)
        return metric_names_fail(exporting->cli, run, missing);
    if (given->argument_count > 1 && request.n_names == 0)
        return CLI_OK;
    request.names = (char **)(uintptr_t)names;
    request.sweep_id = run->sweep_id;
    request.run_id = run->run_id;
    exporting->points.sweep_id = run->sweep_id;
    exporting->points.run_id = run->run_id;
    int code = metric_stream_read(exporting->client, &request, &sink);
    return code == CLI_OK ? stream_failure(exporting) : code;
}

static int visit_run(void *context, struct run_view *view)
{
    struct exporting *exporting = context;
    Besom__V1__GetRunResponse *whole CLEANUP(message_release) = NULL;
    int code = CLI_OK;
    if (view->run->attempt == 0)
        return CLI_OK;
    if (exporting->cli->given->argument_count > 1)
        code = run_query_whole(exporting->client, view, RUN_WHOLE_FOR_NAMES, &whole);
    return code == CLI_OK ? write_run(exporting, view->run, false) : code;
}

static int begin_points(struct exporting *exporting)
{
    exporting->points = (struct point_writer){
        .stream = exporting->file.stream, .format = exporting->format, .sweep_id = "", .run_id = ""};
    exporting->meter = meter_make("points written");
    exporting->query.quiet = true;
    return point_writer_begin(&exporting->points) || out_file_failed(&exporting->file) ? CLI_OK : CLI_FAILED;
}

static int export_points(struct exporting *exporting, const char *sweep_id)
{
    int code = begin_points(exporting);
    if (code == CLI_OK)
        code = run_query_each(&exporting->query, exporting->client, sweep_id, visit_run, exporting);
    meter_end(&exporting->meter);
    return code;
}

static int export_one(struct exporting *exporting, const Besom__V1__Run *run)
{
    int code = begin_points(exporting);
    if (code == CLI_OK)
        code = write_run(exporting, run, true);
    meter_end(&exporting->meter);
    return code;
}

/* ---- what ID is ---- */

static int conclude(struct exporting *exporting, int code, int64_t count, const char *noun)
{
    struct out_file *file = &exporting->file;
    if (code != CLI_OK && file->stream != NULL && ferror(file->stream))
        return out_file_fail(file);
    if (code == CLI_OK)
        code = out_file_finish(file);
    if (code == CLI_OK && file->path != NULL)
        cli_note("Wrote %lld %s to %s", (long long)count, noun, exporting->options->output);
    return code;
}

static int export_sweep(struct exporting *exporting, const char *sweep_id)
{
    const struct export_options *options = exporting->options;
    struct run_columns *columns = options->columns != NULL ? &exporting->columns : NULL;
    int64_t count = 0;
    if (exporting->cli->given->argument_count > 1 && !options->metrics)
        return cli_fail(CLI_USAGE,
                        "export: names of metrics go with --metrics, and %s is a sweep (add --metrics)",
                        sweep_id);
    int code = out_file_open(exporting->cli, options->output, &exporting->file);
    if (code != CLI_OK)
        return code;
    if (options->metrics)
        code = export_points(exporting, sweep_id);
    else
        code = export_runs(&exporting->query, exporting->client, sweep_id, columns, exporting->format,
                           &exporting->file, &count);
    if (code == CLI_OK)
        run_query_note_unknown(&exporting->query);
    return conclude(exporting, code, options->metrics ? exporting->points.count : count,
                    options->metrics ? "points" : "runs");
}

static int export_run(struct exporting *exporting, const char *id)
{
    const struct export_options *options = exporting->options;
    Besom__V1__GetRunRequest request = BESOM__V1__GET_RUN_REQUEST__INIT;
    Besom__V1__GetRunResponse *response CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_OK};
    request.run_id = message_text(id);
    besom_status status = besom_run_get(exporting->client, &request, &response, &error);
    if (status == BESOM_NOT_FOUND)
        return cli_fail(CLI_NOT_FOUND, "cannot export %s: there is no such sweep or run (see besom ls)", id);
    if (status != BESOM_OK)
        return connection_fail(&error, "cannot export %s", id);
    if (options->query.filter != NULL || options->query.states.count > 0 || options->columns != NULL)
        return cli_fail(
            CLI_USAGE, "export: --%s is for sweeps, and %s is a run (leave it out)",
            options->columns != NULL ? "columns" : (options->query.filter != NULL ? "filter" : "state"), id);
    int code = out_file_open(exporting->cli, options->output, &exporting->file);
    if (code == CLI_OK)
        code = export_one(exporting, response->run);
    return conclude(exporting, code, exporting->points.count, "points");
}

static int export_id(struct exporting *exporting, const char *id)
{
    Besom__V1__GetSweepRequest request = BESOM__V1__GET_SWEEP_REQUEST__INIT;
    Besom__V1__GetSweepResponse *response CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_OK};
    request.sweep_id = message_text(id);
    besom_status status = besom_sweep_get(exporting->client, &request, &response, &error);
    if (status == BESOM_NOT_FOUND)
        return export_run(exporting, id);
    return status == BESOM_OK ? export_sweep(exporting, id) : connection_fail(&error, "cannot export %s", id);
}

static int run_export(struct cli *cli, void *given)
{
    besom_client *client CLEANUP(connection_close) = NULL;
    struct exporting exporting = {.cli = cli, .options = given};
    const char *id = NULL;
    int code = id_argument(cli->given->arguments[0], "sweep or run", &id);
    if (code == CLI_OK)
        code = prepare(&exporting);
    if (code == CLI_OK)
        code = connection_open(&exporting.options->connection, &client);
    exporting.client = client;
    if (code == CLI_OK)
        code = export_id(&exporting, id);
    out_file_release(&exporting.file);
    point_writer_release(&exporting.points);
    run_query_release(&exporting.query);
    return code;
}

static const struct config_key keys[] = {
    {.name = "format",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct export_options, format),
     .value_name = "FORMAT",
     .help = "csv (RFC 4180) or json (one object a line); unset: csv"},
    {.name = "output",
     .letter = 'o',
     .type = CONFIG_TEXT,
     .offset = offsetof(struct export_options, output),
     .value_name = "FILE",
     .help = "write to this file, which appears when it is whole; unset: standard output"},
    {.name = "metrics",
     .letter = 'm',
     .type = CONFIG_BOOL,
     .offset = offsetof(struct export_options, metrics),
     .help = "a row for each point instead of each run: of the metrics named, or of all"},
    {.name = "columns",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct export_options, columns),
     .value_name = "NAME,...",
     .help = "these columns; params.*, summary.* and config.* are all of them"},
    RUN_FILTER_KEY(struct export_options),
    RUN_STATE_KEY(struct export_options),
    {.name = "json",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct export_options, json),
     .help = "as --format json"},
    CONNECTION_KEYS(struct export_options),
};

const struct cli_command cmd_export = {
    .name = "export",
    .group = "Look",
    .usage = "besom export SWEEP [--filter EXPR] [--columns NAME,...] | besom export SWEEP --metrics "
             "[METRIC...] | besom "
             "export RUN [METRIC...]",
    .summary = "Write runs or points of metrics as CSV or JSON\n"
               "Of a sweep a row for each run: id, ordinal, name, state, end_reason, attempt, exit_code, "
               "host, created,\n"
               "started, ended, runtime_s, objective, tags, notes, each parameter and each entry of the "
               "summary (in JSON\n"
               "as objects). With --metrics, or of a run, a row for each point: sweep, run, attempt, metric, "
               "step, time,\n"
               "value. In a METRIC * stands for any characters. Numbers and texts are exact, times are ISO "
               "8601 in UTC.",
    .footer = RUN_FILTER_HELP,
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct export_options),
    .arguments_min = 1,
    .arguments_max = (size_t)-1,
    .run = run_export,
};
