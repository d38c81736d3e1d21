// SPDX-License-Identifier: GPL-3.0-or-later
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "connection.h"
#include "entity.h"
#include "format.h"
#include "metric_stream.h"
#include "replay.h"
#include "resolve.h"
#include "rule_text.h"
#include "run_query.h"
#include "stop_table.h"
#include "table.h"

struct replay_options {
    struct connection_options connection;
    bool json;
    bool runs;
    const char *rule;
};

/* One rule and what it would have done. */
struct version {
    const char *name;        /* "none", "sweep", "given" */
    const struct spec *spec; /* NULL: stops nothing */
    struct replay_outcome *outcomes;
    struct replay_sums sums;
};

struct replaying {
    struct cli *cli;
    besom_client *client;
    const struct replay_options *options;
    const Besom__V1__Sweep *sweep;
    struct replay *replay; /* owned */
    struct version versions[3];
    size_t version_count;
    size_t reading;      /* rule whose resource is being read */
    int64_t run_time_ms; /* of the runs that were read */
    int64_t cut_short;   /* runs that were stopped early when they ran */
    struct err err;      /* of the callback on libbesom's thread, read after the stream's end */
    enum status status;
};

/* ---- reading ---- */

static struct replay_point point_of(int attempt, const Besom__V1__Series *piece, size_t i)
{
    return (struct replay_point){.attempt = attempt,
                                 .step = i < piece->n_steps ? piece->steps[i] : 0,
                                 .time_us = i < piece->n_times_us ? piece->times_us[i] : 0,
                                 .value = piece->values[i]};
}

static bool add_points(void *context, int attempt, const Besom__V1__Series *piece)
{
    struct replaying *replaying = context;
    for (size_t i = 0; i < piece->n_values && replaying->status == STATUS_OK; i++) {
        const struct replay_point point = point_of(attempt, piece, i);
        replaying->status = replay_add_row(replaying->replay, &point, &replaying->err);
    }
    return replaying->status == STATUS_OK;
}

static bool add_resource(void *context, int attempt, const Besom__V1__Series *piece)
{
    struct replaying *replaying = context;
    for (size_t i = 0; i < piece->n_values && replaying->status == STATUS_OK; i++) {
        const struct replay_point point = point_of(attempt, piece, i);
        replaying->status =
            replay_add_resource(replaying->replay, replaying->reading, &point, &replaying->err);
    }
    return replaying->status == STATUS_OK;
}

/* One metric of a run, from its first value to its last. */
static int read_metric(struct replaying *replaying, const Besom__V1__Run *run, const char *name,
                       bool (*points)(void *context, int attempt, const Besom__V1__Series *piece))
{
    char *names[] = {message_text(name)};
    const struct metric_sink sink = {.points = points, .context = replaying};
    Besom__V1__ReadMetricsRequest request = BESOM__V1__READ_METRICS_REQUEST__INIT;
    request.sweep_id = run->sweep_id;
    request.run_id = run->run_id;
    request.names = names;
    request.n_names = 1;
    return metric_stream_read(replaying->client, &request, &sink);
}

/* What the bands of the rules count, then the values that they judge. */
static int read_history(struct replaying *replaying, const Besom__V1__Run *run)
{
    int code = CLI_OK;
    for (size_t i = 0; i < replaying->version_count && code == CLI_OK; i++) {
        const struct spec *spec = replaying->versions[i].spec;
        replaying->reading = i;
        if (spec != NULL && spec->step_metric != NULL)
            code = read_metric(replaying, run, spec->step_metric, add_resource);
    }
    return code == CLI_OK ? read_metric(replaying, run, replaying->sweep->metric, add_points) : code;
}

static int read_run(void *context, struct run_view *view)
{
    struct replaying *replaying = context;
    const Besom__V1__Run *run = view->run;
    replaying->run_time_ms += run->run_time_ms;
    replaying->cut_short += run->state == BESOM__V1__RUN_STATE__RUN_STATE_STOPPED;
    replaying->status = replay_add_run(replaying->replay, run->run_id, &replaying->err);
    if (replaying->status == STATUS_OK && entity_run_has_objective(run)) {
        int code = read_history(replaying, run);
        if (code != CLI_OK)
            return code;
    }
    return replaying->status == STATUS_OK ? CLI_OK : cli_fail_err(&replaying->err, "cannot replay");
}

static int read_runs(struct replaying *replaying)
{
    const struct run_query_options all = {.limit = 0};
    struct run_query query CLEANUP(run_query_release) = {.cli = NULL};
    int code = run_query_prepare(replaying->cli, "replay", &all, &query);
    if (code != CLI_OK)
        return code;
    return run_query_each(&query, replaying->client, replaying->sweep->sweep_id, read_run, replaying);
}

static int judge(struct replaying *replaying)
{
    struct err err = ERR_INIT;
    for (size_t i = 0; i < replaying->version_count; i++) {
        struct version *version = &replaying->versions[i];
        if (replay_judge(replaying->replay, i, &replaying->cli->arena, &version->outcomes, &version->sums,
                         &err) != STATUS_OK)
            return cli_fail_err(&err, "cannot replay");
    }
    return CLI_OK;
}

/* ---- JSON ---- */

static json_t *outcome_json(const struct replay_outcome *outcome)
{
    if (!outcome->stop)
        return json_pack("{s:b,s:o}", "stop", 0, "best", entity_number_json(outcome->best));
    return json_pack("{s:b,s:I,s:o,s:o,s:I,s:I,s:I,s:o}", "stop", 1, "band", (json_int_t)outcome->band,
                     "value", entity_number_json(outcome->value), "threshold",
                     entity_number_json(outcome->threshold), "reached", (json_int_t)outcome->reached,
                     "rows_saved", (json_int_t)outcome->rows_saved, "run_time_saved_ms",
                     (json_int_t)(outcome->saved_us / 1000), "best", entity_number_json(outcome->best));
}

static json_t *run_json(const struct replaying *replaying, size_t run)
{
    const struct replay_history *history = replay_history(replaying->replay, run);
    json_t *rules = json_object();
    for (size_t i = 0; i < replaying->version_count; i++)
        json_object_set_new(rules, replaying->versions[i].name,
                            outcome_json(&replaying->versions[i].outcomes[run]));
    return json_pack("{s:s,s:I,s:o,s:o}", "run_id", history->run_id, "rows", (json_int_t)history->rows,
                     "best", entity_number_json(history->best), "rules", rules);
}

static json_t *version_json(const struct version *version)
{
    const struct replay_sums *sums = &version->sums;
    json_t *spec = version->spec != NULL ? spec_to_json(version->spec) : NULL;
    json_t *rule = json_incref(json_object_get(spec, "early_terminate"));
    json_decref(spec);
    return json_pack("{s:s,s:o,s:I,s:I,s:I,s:I,s:o,s:o}", "rule", version->name, "early_terminate",
                     rule != NULL ? rule : json_null(), "stopped", (json_int_t)sums->stopped, "rows",
                     (json_int_t)(sums->rows - sums->rows_saved), "rows_saved", (json_int_t)sums->rows_saved,
                     "run_time_saved_ms", (json_int_t)(sums->saved_us / 1000), "best_stopped",
                     sums->best == SIZE_MAX ? json_null() : json_boolean(sums->best_stopped), "best",
                     entity_number_json(sums->best_value));
}

static int print_json(const struct replaying *replaying)
{
    json_t *rules = json_array(), *runs = json_array();
    size_t best = replaying->versions[0].sums.best;
    for (size_t i = 0; i < replaying->version_count; i++)
        json_array_append_new(rules, version_json(&replaying->versions[i]));
    for (size_t i = 0; i < replay_run_count(replaying->replay); i++)
        json_array_append_new(runs, run_json(replaying, i));
    return entity_print_json(
        json_pack("{s:s,s:s,s:I,s:I,s:s?,s:o,s:o}", "sweep_id", replaying->sweep->sweep_id, "metric",
                  replaying->sweep->metric, "run_time_ms", (json_int_t)replaying->run_time_ms,
                  "stopped_when_run", (json_int_t)replaying->cut_short, "best_run",
                  best != SIZE_MAX ? replay_history(replaying->replay, best)->run_id : NULL, "rules", rules,
                  "runs", runs));
}

/* ---- text ---- */

static void add_share(struct table *table, int64_t part, int64_t whole)
{
    char text[FORMAT_SIZE];
    (void)snprintf(text, sizeof text, "%" PRId64 " (%.0f%%)", part,
                   whole > 0 ? 100 * (double)part / (double)whole : 0.0);
    table_add(table, text);
}

static void add_version(struct table *table, const struct replaying *replaying, const struct version *version)
{
    char text[FORMAT_SIZE];
    const struct replay_sums *sums = &version->sums;
    table_add(table, version->name);
    add_share(table, (int64_t)sums->stopped, (int64_t)replay_run_count(replaying->replay));
    add_share(table, sums->rows_saved, sums->rows);
    table_add(table, format_duration(sums->saved_us / 1000, text));
    if (sums->best == SIZE_MAX)
        table_add(table, "-");
    else
        table_add_styled(table, sums->best_stopped ? "stopped" : "kept",
                         sums->best_stopped ? STYLE_BAD : STYLE_GOOD);
    table_add(table, isnan(sums->best_value) ? "-" : format_number(sums->best_value, text));
}

static void print_versions(const struct replaying *replaying)
{
    static const struct table_column columns[] = {{"RULE", false},      {"STOPPED", true},
                                                  {"ROWS SAVED", true}, {"TIME SAVED", true},
                                                  {"THE BEST", false},  {"BEST LEFT", true}};
    struct table table = table_make(&replaying->cli->arena, columns, ARRAY_LEN(columns));
    for (size_t i = 0; i < replaying->version_count; i++)
        add_version(&table, replaying, &replaying->versions[i]);
    table_print(&table);
}

static void print_names(const struct replaying *replaying)
{
    for (size_t i = 0; i < replaying->version_count; i++) {
        struct buffer name CLEANUP(buffer_free) = BUFFER_INIT;
        if (replaying->versions[i].spec == NULL)
            continue;
        stop_rule_name(&replaying->versions[i].spec->early_terminate, &name);
        printf("%-6s %s\n", replaying->versions[i].name, buffer_text(&name));
    }
}

/* What the last rule would have stopped. */
static void print_runs(const struct replaying *replaying)
{
    static const struct table_column columns[] = {{"RUN", false},       {"BAND", true},
                                                  {"VALUE", true},      {"THRESHOLD", true},
                                                  {"ROWS SAVED", true}, {"TIME SAVED", true}};
    const struct version *version = &replaying->versions[replaying->version_count - 1];
    struct table table = table_make(&replaying->cli->arena, columns, ARRAY_LEN(columns));
    for (size_t i = 0; i < replay_run_count(replaying->replay); i++) {
        const struct replay_outcome *outcome = &version->outcomes[i];
        char text[FORMAT_SIZE];
        if (!outcome->stop)
            continue;
        table_add(&table, replay_history(replaying->replay, i)->run_id);
        (void)snprintf(text, sizeof text, "%" PRId64, outcome->band);
        table_add(&table, text);
        table_add(&table, format_number(outcome->value, text));
        table_add(&table, format_number(outcome->threshold, text));
        (void)snprintf(text, sizeof text, "%" PRId64, outcome->rows_saved);
        table_add(&table, text);
        table_add(&table, format_duration(outcome->saved_us / 1000, text));
    }
    if (version->sums.stopped > 0) {
        puts("");
        table_print(&table);
    }
}

static void print_text(const struct replaying *replaying)
{
    const struct replay_sums *sums = &replaying->versions[0].sums;
    char time[FORMAT_SIZE], best[FORMAT_SIZE];
    printf("sweep %s: %zu runs, %" PRId64 " rows, %s of run time", replaying->sweep->sweep_id,
           replay_run_count(replaying->replay), sums->rows, format_duration(replaying->run_time_ms, time));
    if (sums->best != SIZE_MAX)
        printf(", best %s %s (run %s)", text_clean(&replaying->cli->arena, replaying->sweep->metric),
               format_number(sums->best_value, best), replay_history(replaying->replay, sums->best)->run_id);
    puts("");
    print_names(replaying);
    puts("");
    print_versions(replaying);
    if (replaying->options->runs)
        print_runs(replaying);
    puts("\nRows are logged values of the metric; time saved is from the value that stops a run to its last "
         "one.");
    if (replaying->cut_short > 0)
        printf("%" PRId64 " of the runs were stopped early when they ran: what they would have logged is not "
               "known and not\nin these figures.\n",
               replaying->cut_short);
}

/* ---- the command ---- */

/* none, the sweep's own rule when it has one, and the given one. */
static int choose_versions(struct replaying *replaying, const struct spec *own, const struct spec *given)
{
    struct replay_rule rules[ARRAY_LEN(replaying->versions)];
    struct err err = ERR_INIT;
    replaying->versions[replaying->version_count++] = (struct version){.name = "none"};
    if (own->has_early_terminate)
        replaying->versions[replaying->version_count++] = (struct version){.name = "sweep", .spec = own};
    if (given != NULL)
        replaying->versions[replaying->version_count++] = (struct version){.name = "given", .spec = given};
    for (size_t i = 0; i < replaying->version_count; i++) {
        const struct spec *spec = replaying->versions[i].spec;
        rules[i] = (struct replay_rule){.config = spec != NULL ? &spec->early_terminate : NULL,
                                        .by_resource = spec != NULL && spec->step_metric != NULL};
    }
    if (replay_new(rules, replaying->version_count, replaying->sweep->maximize, &replaying->replay, &err) !=
        STATUS_OK)
        return cli_fail_err(&err, "cannot replay sweep %s", replaying->sweep->sweep_id);
    return CLI_OK;
}

static int replay_sweep(struct cli *cli, const struct replay_options *options, besom_client *client,
                        const Besom__V1__Sweep *sweep, const struct spec *given)
{
    struct spec *own CLEANUP(spec_free_at) = NULL;
    struct err err = ERR_INIT;
    struct replaying replaying = {.cli = cli, .client = client, .options = options, .sweep = sweep};
    if (*sweep->metric == '\0')
        return cli_fail(CLI_FAILED, "sweep %s has no metric to judge its runs by", sweep->sweep_id);
    if (spec_from_canonical_json(sweep->spec_json, strlen(sweep->spec_json), &own, &err) != STATUS_OK)
        return cli_fail_err(&err, "cannot read the file of sweep %s", sweep->sweep_id);
    int code = choose_versions(&replaying, own, given);
    if (code == CLI_OK)
        code = read_runs(&replaying);
    if (code == CLI_OK)
        code = judge(&replaying);
    if (code == CLI_OK && options->json)
        code = print_json(&replaying);
    else if (code == CLI_OK)
        print_text(&replaying);
    replay_free(replaying.replay);
    return code;
}

static int run_replay(struct cli *cli, void *given)
{
    const struct replay_options *options = given;
    besom_client *client CLEANUP(connection_close) = NULL;
    struct spec *rule CLEANUP(spec_free_at) = NULL;
    Besom__V1__GetSweepResponse *response CLEANUP(message_release) = NULL;
    int code = options->rule != NULL ? rule_text_read(options->rule, &rule) : CLI_OK;
    if (code == CLI_OK)
        code = resolve_whole_sweep(&options->connection, cli->given->arguments[0], &client, &response);
    return code == CLI_OK ? replay_sweep(cli, options, client, response->sweep, rule) : code;
}

static const struct config_key keys[] = {
    {.name = "early-terminate",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct replay_options, rule),
     .value_name = "RULE",
     .help =
         "a file with early_terminate or the rule alone, or such as 'type: asha, max_iter: 81'; unset: the "
         "sweep's own"},
    {.name = "runs",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct replay_options, runs),
     .help = "list the runs that the rule would have stopped"},
    JSON_KEY(struct replay_options),
    CONNECTION_KEYS(struct replay_options),
};

const struct cli_command cmd_replay = {
    .name = "replay",
    .group = "Look",
    .usage = "besom replay [--early-terminate RULE] [--runs] SWEEP",
    .summary =
        "Tell what an early-stopping rule would have done to a sweep\n"
        "Reads what its runs logged, decides in the order of the times, and says what the rule would have\n"
        "stopped and saved, and whether it would have stopped the best run; beside no stopping and the\n"
        "sweep's own rule. Changes nothing.",
    .footer = "A rule sees of a run that it has stopped nothing more. Histories are those of the runs as "
              "they were:\n"
              "a sweep that ran without early_terminate tells most.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct replay_options),
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_replay,
};
