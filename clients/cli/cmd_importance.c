// SPDX-License-Identifier: GPL-3.0-or-later
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "connection.h"
#include "entity.h"
#include "format.h"
#include "resolve.h"
#include "table.h"

#define LITTLE 0.5 /* explained; below, shares are not worth much */

struct importance_options {
    struct connection_options connection;
    bool json;
};

static json_t *effect_json(const Besom__V1__EffectShare *effect)
{
    if (effect == NULL)
        return json_null();
    return json_pack("{s:o,s:o,s:o}", "value", entity_number_json(effect->value), "low",
                     entity_number_json(effect->low), "high", entity_number_json(effect->high));
}

static int print_json(const Besom__V1__Sweep *sweep, const Besom__V1__Importance *importance)
{
    json_t *parameters = json_array();
    for (size_t i = 0; i < importance->n_parameters; i++) {
        const Besom__V1__ParameterImportance *one = importance->parameters[i];
        json_array_append_new(
            parameters,
            json_pack("{s:s,s:o,s:o,s:o,s:I}", "parameter", one->path, "total", effect_json(one->total),
                      "first_order", effect_json(one->first_order), "correlation",
                      one->has_correlation ? entity_number_json(one->correlation) : json_null(), "runs",
                      (json_int_t)one->runs));
    }
    return entity_print_json(json_pack(
        "{s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:o,s:o,s:o}", "sweep_id", sweep->sweep_id, "metric", sweep->metric,
        "goal", sweep->maximize ? "maximize" : "minimize", "runs", (json_int_t)importance->runs, "runs_used",
        (json_int_t)importance->runs_used, "runs_left_out", (json_int_t)importance->runs_left_out,
        "runs_bounded", (json_int_t)importance->runs_bounded, "explained",
        entity_number_json(importance->explained), "coverage", entity_number_json(importance->coverage),
        "parameters", parameters));
}

/* A share and half the width of its interval. */
static void add_effect(struct table *table, const Besom__V1__EffectShare *effect)
{
    static const Besom__V1__EffectShare none = BESOM__V1__EFFECT_SHARE__INIT;
    const Besom__V1__EffectShare *shown = effect != NULL ? effect : &none;
    char text[FORMAT_SIZE];
    (void)snprintf(text, sizeof text, "%.3f", shown->value);
    table_add(table, text);
    (void)snprintf(text, sizeof text, "%.3f", (shown->high - shown->low) / 2);
    table_add_styled(table, text, STYLE_DIM);
}

static void print_table(struct cli *cli, const Besom__V1__Importance *importance)
{
    static const struct table_column columns[] = {
        {"PARAMETER", false}, {"TOTAL", true},       {"±", true},   {"ALONE", true},
        {"±", true},          {"CORRELATION", true}, {"RUNS", true}};
    struct table table = table_make(&cli->arena, columns, ARRAY_LEN(columns));
    for (size_t i = 0; i < importance->n_parameters; i++) {
        const Besom__V1__ParameterImportance *one = importance->parameters[i];
        char text[FORMAT_SIZE];
        table_add(&table, one->path);
        add_effect(&table, one->total);
        add_effect(&table, one->first_order);
        (void)snprintf(text, sizeof text, "%+.3f", one->correlation);
        table_add(&table, one->has_correlation ? text : "-");
        (void)snprintf(text, sizeof text, "%" PRId64, one->runs);
        table_add(&table, text);
    }
    table_print(&table);
}

static void print_remarks(const Besom__V1__Importance *importance)
{
    printf("Of %" PRId64 " runs with a value", importance->runs);
    if (importance->runs_left_out > 0)
        printf(" (%" PRId64 " that failed, have none or are none of this space left out)",
               importance->runs_left_out);
    if (importance->runs_used < importance->runs)
        printf(", %" PRId64 " of them drawn at random", importance->runs_used);
    if (importance->runs_bounded > 0)
        printf(", %" PRId64 " of them far out and moved to a bound", importance->runs_bounded);
    if (importance->explained > 0)
        printf(".\nThe model explains %.0f%% of what it has not seen", 100 * importance->explained);
    else
        printf(".\nThe model explains nothing of what it has not seen");
    puts(importance->explained < LITTLE ? ": noise, or too few runs. Take the shares as hints." : ".");
}

static int run_importance(struct cli *cli, void *given)
{
    const struct importance_options *options = given;
    besom_client *client CLEANUP(connection_close) = NULL;
    Besom__V1__GetSweepResponse *sweep CLEANUP(message_release) = NULL;
    Besom__V1__GetImportanceRequest request = BESOM__V1__GET_IMPORTANCE_REQUEST__INIT;
    Besom__V1__GetImportanceResponse *response CLEANUP(message_release) = NULL;
    besom_error error = {.code = BESOM_OK};
    int code = resolve_whole_sweep(&options->connection, cli->given->arguments[0], &client, &sweep);
    if (code != CLI_OK)
        return code;
    request.sweep_id = sweep->sweep->sweep_id;
    if (besom_importance_get(client, &request, &response, &error) != BESOM_OK)
        return connection_fail(&error, "cannot tell what matters to sweep %s", request.sweep_id);
    if (response->importance == NULL)
        return cli_fail(CLI_FAILED, "cannot tell what matters to sweep %s: the answer is empty",
                        request.sweep_id);
    if (options->json)
        return print_json(sweep->sweep, response->importance);
    print_table(cli, response->importance);
    print_remarks(response->importance);
    return CLI_OK;
}

static const struct config_key keys[] = {
    JSON_KEY(struct importance_options),
    CONNECTION_KEYS(struct importance_options),
};

const struct cli_command cmd_importance = {
    .name = "importance",
    .group = "Look",
    .usage = "besom importance SWEEP",
    .summary =
        "Show how much each parameter matters to the metric\n"
        "Shares of the metric's variance over the whole space, by a model of all runs with a value: TOTAL\n"
        "with its interplay with others, ALONE without. ± is half of an interval that holds nine in ten of\n"
        "what the model holds possible. CORRELATION is Pearson's, as W&B shows it.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct importance_options),
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_importance,
};
