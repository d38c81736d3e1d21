// SPDX-License-Identifier: GPL-3.0-or-later
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "connection.h"
#include "entity.h"
#include "stop/halving.h"
#include "stop/stop.h"
#include "stop_table.h"
#include "sweep_file.h"
#include "table.h"

struct check_options {
    bool json;
    struct sweep_flags flags;
};

/* What is told of a file that is right. */
struct findings {
    bool has_grid;
    uint64_t points;
    int64_t bands[STOP_BANDS_MAX];
    size_t band_count;
};

static struct findings look(const struct spec *spec)
{
    struct findings findings = {.has_grid = false};
    struct err err = ERR_INIT;
    if (spec->method == SPEC_METHOD_GRID)
        findings.has_grid = space_grid_count(spec->space, &findings.points, &err) == STATUS_OK;
    if (spec->has_early_terminate &&
        stop_bands(&spec->early_terminate, findings.bands, &findings.band_count, &err) != STATUS_OK)
        findings.band_count = 0;
    return findings;
}

static json_t *problems_json(const struct spec_problems *problems)
{
    json_t *array = json_array();
    for (size_t i = 0; i < problems->count; i++) {
        const struct spec_problem *problem = &problems->items[i];
        json_array_append_new(array, json_pack("{s:s,s:I,s:I,s:s}", "severity",
                                               problem->severity == SPEC_ERROR ? "error" : "warning", "line",
                                               (json_int_t)problem->line, "column",
                                               (json_int_t)problem->column, "text", problem->text));
    }
    return array;
}

/* Of a rule whose runs pause: each bracket with the runs at its rungs, the last at max_iter. */
static json_t *brackets_json(const struct stop_config *config, const struct findings *findings)
{
    struct halving_bracket brackets[HALVING_BRACKETS_MAX];
    size_t count = 0;
    struct err err = ERR_INIT;
    json_t *array = json_array();
    if (halving_brackets(config, brackets, &count, &err) != STATUS_OK)
        return array;
    for (size_t i = 0; i < count; i++) {
        json_t *rungs = json_array();
        int64_t runs = brackets[i].runs;
        for (size_t band = brackets[i].first_band; band <= findings->band_count; band++) {
            int64_t at = band < findings->band_count ? findings->bands[band] : config->max_iter;
            json_array_append_new(rungs, json_pack("[I, I]", (json_int_t)at, (json_int_t)runs));
            runs = halving_keeps(runs, config->eta);
        }
        json_array_append_new(array, json_pack("{s:I, s:I, s:o}", "bracket", (json_int_t)brackets[i].s,
                                               "runs", (json_int_t)brackets[i].runs, "rungs", rungs));
    }
    return array;
}

static void add_findings(json_t *object, const struct spec *spec)
{
    struct findings findings = look(spec);
    json_t *bands = json_array();
    for (size_t i = 0; i < findings.band_count; i++)
        json_array_append_new(bands, json_integer(findings.bands[i]));
    json_object_set_new(object, "bands", bands);
    if (spec->has_early_terminate && stop_type_pauses(spec->early_terminate.type))
        json_object_set_new(object, "brackets", brackets_json(&spec->early_terminate, &findings));
    json_object_set_new(object, "method", json_string(spec_method_name(spec->method)));
    json_object_set_new(object, "optimizer",
                        spec->method == SPEC_METHOD_BAYES ? json_string(spec_optimizer_name(spec->optimizer))
                                                          : json_null());
    json_object_set_new(object, "enqueued", json_integer((json_int_t)json_array_size(spec->enqueue)));
    json_object_set_new(object, "method_available", json_boolean(sweep_file_is_run(spec)));
    json_object_set_new(object, "metric",
                        spec->metric.name != NULL ? json_string(spec->metric.name) : json_null());
    json_object_set_new(object, "goal", json_string(spec_goal_name(spec->metric.goal)));
    json_object_set_new(object, "run_cap", json_integer(spec->run_cap));
    json_object_set_new(object, "grid_points",
                        findings.has_grid ? json_integer((json_int_t)findings.points) : json_null());
    json_object_set_new(object, "spec", spec_to_json(spec));
}

static int print_json(const struct sweep_file *file, int code)
{
    json_t *object = json_pack("{s:s,s:b,s:o}", "file", file->path, "ok", file->spec != NULL, "problems",
                               problems_json(&file->problems));
    if (file->spec != NULL && object != NULL)
        add_findings(object, file->spec);
    int printed = entity_print_json(object);
    return code != CLI_OK ? code : printed;
}

/* Appends "optimizer=adam" or "layers in (2, 3)" of each term. */
static void append_when(struct buffer *out, const json_t *when)
{
    const char *name;
    json_t *wanted;
    json_object_foreach((json_t *)(uintptr_t)when, name, wanted)
    {
        char *text = json_is_string(wanted) ? strdup(json_string_value(wanted)) : space_config_text(wanted);
        bool one = !json_is_array(wanted);
        buffer_printf(out, "%s%s%s%s", out->length > 0 ? ", " : "", name, one ? "=" : " in ",
                      text != NULL ? text : "?");
        free(text);
    }
}

/* Every condition above the parameter of a dotted path, and its own. */
static void append_conditions(struct buffer *out, const json_t *parameters, const char *path)
{
    const char *name;
    json_t *entry;
    json_object_foreach((json_t *)(uintptr_t)parameters, name, entry)
    {
        size_t length = strlen(name);
        if (strncmp(path, name, length) != 0 || (path[length] != '\0' && path[length] != '.'))
            continue;
        const json_t *inner = json_object_get(entry, "parameters");
        if ((path[length] == '.') != (inner != NULL))
            continue;
        append_when(out, json_object_get(entry, "when"));
        if (inner != NULL)
            append_conditions(out, inner, path + length + 1);
    }
}

static void print_space(struct cli *cli, const struct spec *spec)
{
    static const struct table_column columns[] = {
        {"PARAMETER", false}, {"DISTRIBUTION", false}, {"SEARCHED", false}, {"WHEN", false}};
    bool conditional = space_has_conditions(spec->space);
    json_t *parameters = conditional ? space_to_json(spec->space) : NULL;
    struct table table = table_make(&cli->arena, columns, ARRAY_LEN(columns) - (conditional ? 0 : 1));
    for (size_t i = 0; i < space_parameter_count(spec->space); i++) {
        struct buffer when CLEANUP(buffer_free) = BUFFER_INIT;
        table_add(&table, space_parameter_path(spec->space, i));
        table_add(&table, space_parameter_kind(spec->space, i)->name);
        table_add(&table, space_parameter_is_searched(spec->space, i) ? "yes" : "no");
        append_conditions(&when, parameters, space_parameter_path(spec->space, i));
        if (conditional)
            table_add(&table, buffer_text(&when));
    }
    json_decref(parameters);
    table_print(&table);
}

static void print_findings(struct cli *cli, const char *path, const struct spec *spec)
{
    struct findings findings = look(spec);
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    buffer_printf(&text, "%s is right: %s", path, spec_method_name(spec->method));
    if (spec->method == SPEC_METHOD_BAYES)
        buffer_printf(&text, " by %s", spec_optimizer_name(spec->optimizer));
    if (findings.has_grid)
        buffer_printf(&text, " of %" PRIu64 " point%s", findings.points, findings.points == 1 ? "" : "s");
    if (spec->enqueue != NULL)
        buffer_printf(&text, ", %zu point%s tried first", json_array_size(spec->enqueue),
                      json_array_size(spec->enqueue) == 1 ? "" : "s");
    if (spec->run_cap > 0)
        buffer_printf(&text, ", at most %" PRId64 " run%s", spec->run_cap, spec->run_cap == 1 ? "" : "s");
    if (spec->metric.name != NULL)
        buffer_printf(&text, ", %s %s", spec_goal_name(spec->metric.goal), spec->metric.name);
    cli_say("%s", buffer_text(&text));
    stop_table_print(&cli->arena, spec);
    print_space(cli, spec);
}

static int run_check(struct cli *cli, void *given)
{
    struct check_options *options = given;
    options->flags.any_method = true;
    struct sweep_file file CLEANUP(sweep_file_free);
    int code = sweep_file_load(cli->given->arguments[0], &options->flags, !options->json, &file);
    if (options->json && (code == CLI_OK || file.problems.count > 0))
        return print_json(&file, code);
    if (code != CLI_OK)
        return code;
    if (!sweep_file_is_run(file.spec))
        cli_note("%s: the file is right, but this version cannot run method %s yet (it runs grid, random and "
                 "bayes)",
                 file.path, spec_method_name(file.spec->method));
    print_findings(cli, file.path, file.spec);
    return CLI_OK;
}

static const struct config_key keys[] = {
    SWEEP_FLAG_KEYS(struct check_options),
    JSON_KEY(struct check_options),
};

const struct cli_command cmd_check = {
    .name = "check",
    .group = "Sweep",
    .usage = "besom check FILE",
    .summary =
        "Check a sweep file; needs no server\n"
        "Every problem is printed as FILE:LINE:COL: message; the exit code is 2 when there is an error.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct check_options),
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_check,
};
