// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "connection.h"
#include "sweep_file.h"

struct sample_options {
    struct sweep_flags flags;
    int64_t count;
    bool json; /* what it prints anyway */
};

static int print_points(const struct spec *spec, uint64_t count)
{
    struct sweep_points points CLEANUP(sweep_points_release) = {.spec = spec};
    struct err err = ERR_INIT;
    for (uint64_t i = 0; i < count; i++) {
        json_t *point = NULL;
        if (sweep_points_next(&points, &point, &err) != STATUS_OK)
            return cli_fail_err(&err, "cannot sample");
        char *text = space_config_text(point);
        json_decref(point);
        if (text == NULL)
            return cli_fail(CLI_FAILED, "out of memory");
        int written = puts(text);
        free(text);
        if (written == EOF) /* the reader has seen enough */
            return CLI_OK;
    }
    return CLI_OK;
}

/* How many points to print: what was asked for, at most what there are. */
static int count_points(const struct sample_options *options, const struct spec *spec, uint64_t *out)
{
    uint64_t points = 0;
    struct err err = ERR_INIT;
    *out = (uint64_t)options->count;
    if (sweep_points_count(spec, &points, &err) != STATUS_OK)
        return cli_fail_err(&err, "cannot sample");
    if (points == 0)
        return cli_fail(
            CLI_USAGE,
            "sample: method %s has no configurations before it has results: it chooses each by those "
            "before (besom check checks the file; method: random draws from the same space)",
            spec_method_name(spec->method));
    if (points == UINT64_MAX && options->count == 0)
        return cli_fail(CLI_USAGE, "sample: -n 0 means all points, and method %s never ends (give -n N)",
                        spec_method_name(spec->method));
    if (!sweep_file_has_points(spec) && *out > points)
        cli_note("these are the points of enqueue: method %s chooses each after them by the results before",
                 spec_method_name(spec->method));
    if (options->count == 0 || points < *out)
        *out = points;
    return CLI_OK;
}

static int run_sample(struct cli *cli, void *given)
{
    struct sample_options *options = given;
    options->flags.any_method = true;
    struct sweep_file file CLEANUP(sweep_file_free);
    uint64_t count = 0;
    int code = sweep_file_load(cli->given->arguments[0], &options->flags, true, &file);
    if (code == CLI_OK)
        code = count_points(options, file.spec, &count);
    return code == CLI_OK ? print_points(file.spec, count) : code;
}

static const struct config_key keys[] = {
    {.name = "count",
     .letter = 'n',
     .type = CONFIG_INT,
     .offset = offsetof(struct sample_options, count),
     .initial = "10",
     .value_name = "N",
     .min = 0,
     .max = 1000000000,
     .help = "how many; 0 = all points of a grid"},
    {.name = "seed",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct sample_options, flags.seed),
     .value_name = "N",
     .help = "seed of the draws; unset: the file's, else 0"},
    {.name = "json",
     .type = CONFIG_BOOL,
     .offset = offsetof(struct sample_options, json),
     .help = "accepted for symmetry: the output is JSON lines"},
};

const struct cli_command cmd_sample = {
    .name = "sample",
    .group = "Sweep",
    .usage = "besom sample FILE [-n N] [--seed S]",
    .summary = "Print configurations that a sweep file gives; needs no server\n"
               "One JSON object a line: the points of enqueue, then those of a grid in its order, or draws.",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .options_size = sizeof(struct sample_options),
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_sample,
};
