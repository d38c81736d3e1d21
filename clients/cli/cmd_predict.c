// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "connection.h"
#include "entity.h"
#include "format.h"
#include "resolve.h"
#include "table.h"

struct predict_options {
    struct connection_options connection;
    bool json;
    const char *at;
    int64_t points; /* 0 = the service's choice */
};

static json_t *axis_json(const Besom__V1__SliceAxis *axis)
{
    json_t *values = json_array();
    for (size_t k = 0; k < axis->n_values_json; k++)
        json_array_append_new(values, entity_parsed_json(axis->values_json[k]));
    json_t *base = *axis->base_json != '\0' ? entity_parsed_json(axis->base_json) : json_null();
    return json_pack("{s:s,s:b,s:o,s:o}", "parameter", axis->path, "categorical", (int)axis->categorical,
                     "base", base, "values", values);
}

static int print_json(const Besom__V1__Sweep *sweep, const Besom__V1__Slice *slice)
{
    json_t *axes = json_array(), *means = json_array(), *deviations = json_array();
    for (size_t a = 0; a < slice->n_axes; a++)
        json_array_append_new(axes, axis_json(slice->axes[a]));
    for (size_t k = 0; k < slice->n_means && k < slice->n_deviations; k++) {
        json_array_append_new(means, entity_number_json(slice->means[k]));
        json_array_append_new(deviations, entity_number_json(slice->deviations[k]));
    }
    json_t *run = *slice->base_run_id != '\0' ? json_string(slice->base_run_id) : json_null();
    return entity_print_json(json_pack(
        "{s:s,s:s,s:s,s:I,s:o,s:o,s:o,s:o,s:o}", "sweep_id", sweep->sweep_id, "metric", sweep->metric, "goal",
        sweep->maximize ? "maximize" : "minimize", "runs", (json_int_t)slice->runs, "base_run_id", run,
        "base_params", entity_parsed_json(slice->base_params_json), "axes", axes, "means", means,
        "deviations", deviations));
}

/* ---- text ---- */

static bool is_better(const Besom__V1__Sweep *sweep, double mean, double other)
{
    return sweep->maximize ? mean > other : mean < other;
}

static size_t find_best(const Besom__V1__Sweep *sweep, const Besom__V1__Slice *slice)
{
    size_t best = 0;
    for (size_t k = 1; k < slice->n_means; k++)
        if (is_better(sweep, slice->means[k], slice->means[best]))
            best = k;
    return best;
}

/* "0.1", "adam": as short as it goes. */
static const char *shown(struct cli *cli, const char *value_json)
{
    json_t *value = entity_parsed_json(value_json);
    char number[FORMAT_SIZE];
    const char *text = value_json;
    if (json_is_string(value))
        text = arena_strdup(&cli->arena, json_string_value(value));
    else if (json_is_real(value))
        text = arena_strdup(&cli->arena, format_number(json_real_value(value), number));
    json_decref(value);
    return text != NULL ? text : value_json;
}

/* A row a combination: the values, what is expected, how sure that is. */
static void print_table(struct cli *cli, const Besom__V1__Sweep *sweep, const Besom__V1__Slice *slice)
{
    struct table_column columns[4];
    size_t axes = slice->n_axes, best = find_best(sweep, slice);
    char text[FORMAT_SIZE];
    for (size_t a = 0; a < axes; a++)
        columns[a] = (struct table_column){text_clean(&cli->arena, slice->axes[a]->path),
                                           !slice->axes[a]->categorical};
    columns[axes] = (struct table_column){"PREDICTED", true};
    columns[axes + 1] = (struct table_column){"±", true};
    struct table table = table_make(&cli->arena, columns, axes + 2);
    size_t last = slice->axes[axes - 1]->n_values_json;
    for (size_t k = 0; k < slice->n_means; k++) {
        enum style style = k == best ? STYLE_GOOD : STYLE_PLAIN;
        const size_t at[2] = {axes == 1 ? k : k / last, k % last};
        for (size_t a = 0; a < axes; a++)
            table_add_styled(&table, shown(cli, slice->axes[a]->values_json[at[a]]), style);
        table_add_styled(&table, format_number(slice->means[k], text), style);
        table_add_styled(&table, format_short(slice->deviations[k], text), STYLE_DIM);
    }
    table_print(&table);
}

static void print_base(struct cli *cli, const Besom__V1__Slice *slice, bool given)
{
    const char *params = text_clean(&cli->arena, entity_params_text(&cli->arena, slice->base_params_json));
    if (*slice->base_run_id == '\0')
        printf("Others as given: %s\n", params);
    else
        printf("Others as in run %s%s: %s\n", slice->base_run_id, given ? "" : ", which the model holds best",
               params);
}

/* ---- the command ---- */

static bool is_whole(const Besom__V1__Slice *slice)
{
    size_t count = 1;
    if (slice == NULL || slice->n_axes < 1 || slice->n_axes > 2)
        return false;
    for (size_t a = 0; a < slice->n_axes; a++)
        count *= slice->axes[a]->n_values_json;
    return count > 0 && count == slice->n_means && count == slice->n_deviations;
}

static int ask(struct cli *cli, const struct predict_options *options, besom_client *client,
               const char *sweep_id, Besom__V1__PredictResponse **out)
{
    Besom__V1__PredictRequest request = BESOM__V1__PREDICT_REQUEST__INIT;
    besom_error error = {.code = BESOM_OK};
    const char *run_id = NULL;
    char *paths[2] = {NULL, NULL};
    request.sweep_id = message_text(sweep_id);
    request.n_paths = cli->given->argument_count - 1;
    request.paths = paths;
    for (size_t a = 0; a < request.n_paths; a++)
        paths[a] = message_text(cli->given->arguments[a + 1]);
    request.points = (int32_t)options->points;
    if (options->at != NULL && options->at[0] == '{') {
        request.base_params_json = message_text(options->at);
    } else if (options->at != NULL) {
        int code = id_argument(options->at, "run", &run_id);
        if (code != CLI_OK)
            return code;
        request.base_run_id = message_text(run_id);
    }
    if (besom_predict(client, &request, out, &error) != BESOM_OK)
        return connection_fail(&error, "cannot predict sweep %s", sweep_id);
    return is_whole((*out)->slice)
               ? CLI_OK
               : cli_fail(CLI_FAILED, "cannot predict sweep %s: the answer is empty", sweep_id);
}

static int run_predict(struct cli *cli, void *given)
{
    const struct predict_options *options = given;
    besom_client *client CLEANUP(connection_close) = NULL;
    Besom__V1__GetSweepResponse *sweep CLEANUP(message_release) = NULL;
    Besom__V1__PredictResponse *response CLEANUP(message_release) = NULL;
    int code = resolve_whole_sweep(&options->connection, cli->given->arguments[0], &client, &sweep);
    if (code == CLI_OK)
        code = ask(cli, options, client, sweep->sweep->sweep_id, &response);
    if (code != CLI_OK)
        return code;
    if (options->json)
        return print_json(sweep->sweep, response->slice);
    print_table(cli, sweep->sweep, response->slice);
    print_base(cli, response->slice, options->at != NULL);
    return CLI_OK;
}

static const struct config_key keys[] = {
    {.name = "at",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct predict_options, at),
     .value_name = "RUN",
     .help = "run whose configuration the other parameters have, or a configuration as a JSON object; unset: "
             "the run that the model holds best"},
    {.name = "points",
     .letter = 'n',
     .type = CONFIG_INT,
     .offset = offsetof(struct predict_options, points),
     .value_name = "N",
     .min = 2,
     .max = 101,
     .help = "most values of each parameter, of two at most 31; unset: 21 of one, 11 of two; categories "
             "are all listed, up to 101"},
    JSON_KEY(struct predict_options),
    CONNECTION_KEYS(struct predict_options),
};

const struct cli_command cmd_predict = {
    .name = "predict",
    .group = "Look",
    .usage = "besom predict [--at RUN] [-n N] SWEEP PARAMETER [PARAMETER]",
    .summary = "Show what a model of the runs expects along one or two parameters",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct predict_options),
    .arguments_min = 2,
    .arguments_max = 3,
    .run = run_predict,
};
