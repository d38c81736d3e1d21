// SPDX-License-Identifier: GPL-3.0-or-later
#include "dry_run.h"

#include <assert.h>
#include <besom/command.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "command_line.h"
#include "entity.h"
#include "format.h"
#include "stop/stop.h"
#include "stop_table.h"
#include "sweep_file.h"

struct dry_run {
    struct cli *cli;
    const char *path;
    const struct spec *spec;
    bool has_points;
    uint64_t points; /* of a grid */
    int64_t bands[STOP_BANDS_MAX];
    size_t band_count;
    uint64_t shown;  /* configurations to print */
    bool needs_file; /* one of the commands has ${args_json_file} */
};

/* One configuration and what would be started for it. */
struct start {
    char *params_json; /* owned, by free() */
    char **argv;       /* owned */
};

static void start_free(struct start *start)
{
    free(start->params_json);
    besom_command_free(start->argv);
}

static int look(struct dry_run *run, uint64_t wanted)
{
    const struct spec *spec = run->spec;
    struct err err = ERR_INIT;
    enum status status = STATUS_OK;
    run->has_points = spec->method == SPEC_METHOD_GRID;
    if (run->has_points)
        status = space_grid_count(spec->space, &run->points, &err);
    if (status == STATUS_OK && spec->has_early_terminate)
        status = stop_bands(&spec->early_terminate, run->bands, &run->band_count, &err);
    if (status != STATUS_OK)
        return cli_fail_err(&err, "%s", run->path);
    uint64_t known = 0;
    if (sweep_points_count(spec, &known, &err) != STATUS_OK)
        return cli_fail_err(&err, "%s", run->path);
    run->shown = known < wanted ? known : wanted;
    if (spec->run_cap > 0 && (uint64_t)spec->run_cap < run->shown)
        run->shown = (uint64_t)spec->run_cap;
    return CLI_OK;
}

static int make_start(struct dry_run *run, struct sweep_points *points, uint64_t index, struct start *start)
{
    const struct spec *spec = run->spec;
    struct err err = ERR_INIT;
    char what[40];
    bool needs_file = false;
    json_t *point = NULL;
    if (sweep_points_next(points, &point, &err) != STATUS_OK)
        return cli_fail_err(&err, "%s", run->path);
    start->params_json = space_config_text(point);
    json_decref(point);
    if (start->params_json == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    const struct command_line line = {.items = spec->command,
                                      .item_count = spec->command_count,
                                      .program = spec->program,
                                      .params_json = start->params_json};
    snprintf(what, sizeof what, "configuration %" PRIu64, index + 1);
    int code = command_line_expand(run->cli, &line, what, &start->argv, &needs_file);
    run->needs_file = run->needs_file || needs_file;
    return code;
}

/* A variable of the environment may hold anything; JSON holds UTF-8. */
static json_t *word_json(struct cli *cli, const char *text)
{
    json_t *value = json_string(text);
    return value != NULL ? value : json_string(text_clean(&cli->arena, text));
}

static json_t *start_json(struct dry_run *run, uint64_t index, const struct start *start)
{
    struct buffer line CLEANUP(buffer_free) = BUFFER_INIT;
    json_t *argv = json_array();
    assert(start->argv != NULL);
    for (char **item = start->argv; *item != NULL; item++)
        json_array_append_new(argv, word_json(run->cli, *item));
    command_line_quote(start->argv, &line);
    return json_pack("{s:I,s:o,s:o,s:o}", "ordinal", (json_int_t)index, "params",
                     entity_parsed_json(start->params_json), "argv", argv, "command",
                     word_json(run->cli, buffer_text(&line)));
}

static json_t *facts_json(const struct dry_run *run)
{
    const struct spec *spec = run->spec;
    json_t *bands = json_array();
    for (size_t i = 0; i < run->band_count; i++)
        json_array_append_new(bands, json_integer(run->bands[i]));
    return json_pack("{s:s,s:b,s:s,s:s?,s:s,s:o,s:I,s:o,s:I,s:o}", "file", run->path, "dry_run", 1, "method",
                     spec_method_name(spec->method), "metric", spec->metric.name, "goal",
                     spec_goal_name(spec->metric.goal), "grid_points",
                     run->has_points ? json_integer((json_int_t)run->points) : json_null(), "run_cap",
                     (json_int_t)spec->run_cap, "bands", bands, "enqueued",
                     (json_int_t)json_array_size(spec->enqueue), "seed",
                     spec->has_seed ? json_integer((json_int_t)spec->seed) : json_null());
}

static int print_json(struct dry_run *run)
{
    struct sweep_points points CLEANUP(sweep_points_release) = {.spec = run->spec};
    json_t *starts = json_array();
    int code = CLI_OK;
    for (uint64_t i = 0; i < run->shown && code == CLI_OK; i++) {
        struct start start CLEANUP(start_free) = {.argv = NULL};
        code = make_start(run, &points, i, &start);
        if (code == CLI_OK)
            json_array_append_new(starts, start_json(run, i, &start));
    }
    if (code != CLI_OK) {
        json_decref(starts);
        return code;
    }
    json_t *object = facts_json(run);
    json_object_set_new(object, "configurations", starts);
    return entity_print_json(object);
}

static void say_count(const struct dry_run *run)
{
    const struct spec *spec = run->spec;
    if (run->has_points)
        cli_say("Points: %" PRIu64, run->points);
    else
        cli_say("Points: unbounded, method %s never ends by itself", spec_method_name(spec->method));
    if (spec->run_cap > 0)
        cli_say("Runs: at most %" PRId64 " (run_cap)", spec->run_cap);
    else if (!run->has_points)
        cli_say("Runs: unbounded (add run_cap, or give the agents --count)");
}

static void say_facts(const struct dry_run *run)
{
    const struct spec *spec = run->spec;
    cli_say("Dry run of %s: nothing is created", run->path);
    say_count(run);
    stop_table_print(&run->cli->arena, spec);
    if (spec->enqueue != NULL)
        cli_say("Tried first: %zu points of the file", json_array_size(spec->enqueue));
    if (!sweep_file_has_points(spec))
        cli_say("Configurations: method %s chooses each%s by the results before it",
                spec_method_name(spec->method), spec->enqueue != NULL ? " of the others" : "");
    else if (spec->method == SPEC_METHOD_RANDOM && spec->has_seed)
        cli_say("Seed: %" PRIu64 ", so these are the sweep's own draws", spec->seed);
    else if (spec->method == SPEC_METHOD_RANDOM)
        cli_say("Seed: none is given, so the server draws one and its draws will differ (--seed fixes them)");
}

static int print_starts(struct dry_run *run)
{
    struct sweep_points points CLEANUP(sweep_points_release) = {.spec = run->spec};
    for (uint64_t i = 0; i < run->shown; i++) {
        struct start start CLEANUP(start_free) = {.argv = NULL};
        struct buffer line CLEANUP(buffer_free) = BUFFER_INIT;
        int code = make_start(run, &points, i, &start);
        if (code != CLI_OK)
            return code;
        command_line_quote(start.argv, &line);
        if (printf("\n%s\n%s\n", start.params_json, buffer_text(&line)) < 0) /* the reader has seen enough */
            return CLI_OK;
    }
    return CLI_OK;
}

int dry_run_print(struct cli *cli, const char *path, const struct spec *spec, uint64_t count, bool json)
{
    struct dry_run run = {.cli = cli, .path = path, .spec = spec};
    int code = look(&run, count);
    if (code != CLI_OK)
        return code;
    if (json)
        return print_json(&run);
    say_facts(&run);
    code = print_starts(&run);
    if (code == CLI_OK && run.needs_file)
        cli_note("%s stands for a file that the agent writes for each run", COMMAND_LINE_PARAMS_FILE);
    return code;
}
