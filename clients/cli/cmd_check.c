// SPDX-License-Identifier: GPL-3.0-or-later
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "connection.h"
#include "entity.h"
#include "stop/stop.h"
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

static void add_findings(json_t *object, const struct spec *spec)
{
    struct findings findings = look(spec);
    json_t *bands = json_array();
    for (size_t i = 0; i < findings.band_count; i++)
        json_array_append_new(bands, json_integer(findings.bands[i]));
    json_object_set_new(object, "bands", bands);
    json_object_set_new(object, "method", json_string(spec_method_name(spec->method)));
    json_object_set_new(object, "method_available", json_boolean(sweep_file_is_run(spec)));
    json_object_set_new(object, "metric",
                        spec->metric.name != NULL ? json_string(spec->metric.name) : json_null());
    json_object_set_new(object, "goal", json_string(spec_goal_name(spec->metric.goal)));
    json_object_set_new(object, "run_cap", json_integer(spec->run_cap));
    json_object_set_new(object, "grid_points",
                        findings.has_grid ? json_integer((json_int_t)findings.points) : json_null());
    json_object_set_new(object, "spec", spec_to_json(spec));
}

static int print_json(const char *path, const struct spec *spec, const struct spec_problems *problems,
                      int code)
{
    json_t *object =
        json_pack("{s:s,s:b,s:o}", "file", path, "ok", spec != NULL, "problems", problems_json(problems));
    if (spec != NULL && object != NULL)
        add_findings(object, spec);
    int printed = entity_print_json(object);
    return code != CLI_OK ? code : printed;
}

static void print_space(struct cli *cli, const struct spec *spec)
{
    static const struct table_column columns[] = {
        {"PARAMETER", false}, {"DISTRIBUTION", false}, {"SEARCHED", false}};
    struct table table = table_make(&cli->arena, columns, ARRAY_LEN(columns));
    for (size_t i = 0; i < space_parameter_count(spec->space); i++) {
        table_add(&table, space_parameter_path(spec->space, i));
        table_add(&table, space_parameter_kind(spec->space, i)->name);
        table_add(&table, space_parameter_is_searched(spec->space, i) ? "yes" : "no");
    }
    table_print(&table);
}

static void print_findings(struct cli *cli, const char *path, const struct spec *spec)
{
    struct findings findings = look(spec);
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    buffer_printf(&text, "%s is right: %s", path, spec_method_name(spec->method));
    if (findings.has_grid)
        buffer_printf(&text, " of %" PRIu64 " point%s", findings.points, findings.points == 1 ? "" : "s");
    if (spec->run_cap > 0)
        buffer_printf(&text, ", at most %" PRId64 " run%s", spec->run_cap, spec->run_cap == 1 ? "" : "s");
    if (spec->metric.name != NULL)
        buffer_printf(&text, ", %s %s", spec_goal_name(spec->metric.goal), spec->metric.name);
    cli_say("%s", buffer_text(&text));
    if (findings.band_count > 0) {
        buffer_clear(&text);
        sweep_file_bands(findings.bands, findings.band_count, &text);
        cli_say("Early termination after logged rows: %s", buffer_text(&text));
    }
    print_space(cli, spec);
}

static int run_check(struct cli *cli, void *given)
{
    struct check_options *options = given;
    options->flags.any_method = true;
    const char *path = cli->given->arguments[0];
    struct buffer bytes CLEANUP(buffer_free) = BUFFER_INIT;
    struct spec *spec CLEANUP(spec_free_at) = NULL;
    struct spec_problems problems CLEANUP(spec_problems_free);
    spec_problems_init(&problems);
    int code = sweep_file_read(path, &bytes);
    if (code != CLI_OK)
        return code;
    code = sweep_file_parse(path, &bytes, &options->flags, !options->json, &spec, &problems);
    if (options->json)
        return print_json(path, spec, &problems, code);
    if (code != CLI_OK)
        return code;
    if (!sweep_file_is_run(spec))
        cli_note("%s: the file is right, but this version cannot run method %s yet (it runs grid and random)",
                 path, spec_method_name(spec->method));
    print_findings(cli, path, spec);
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
