// SPDX-License-Identifier: GPL-3.0-or-later
#include "sweep_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/id.h"
#include "base/random.h"
#include "connection.h"
#include "format.h"
#include "resolve.h"

#define RUN_METHODS ((1u << SPEC_METHOD_GRID) | (1u << SPEC_METHOD_RANDOM) | (1u << SPEC_METHOD_BAYES))

static int read_bytes(const char *path, struct buffer *out)
{
    struct err err = ERR_INIT;
    const char *source = strcmp(path, "-") == 0 ? "/dev/stdin" : path;
    enum status status = file_read(source, SPEC_FILE_MAX, out, &err);
    if (status == STATUS_OK)
        return CLI_OK;
    return cli_fail(CLI_USAGE, "%s", err.text);
}

int sweep_flags_seed(const struct sweep_flags *flags, bool *has, uint64_t *out)
{
    *has = flags->seed != NULL;
    *out = 0;
    if (!*has)
        return CLI_OK;
    char *end = NULL;
    errno = 0;
    *out = strtoull(flags->seed, &end, 10);
    if (errno != 0 || *out > INT64_MAX || *end != '\0' || *flags->seed < '0' || *flags->seed > '9')
        return cli_fail(CLI_USAGE, "--seed: '%.40s' is no whole number from 0 to 2^63 - 1", flags->seed);
    return CLI_OK;
}

static void tell_problems(const char *path, const struct spec_problems *problems)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    for (size_t i = 0; i < problems->count; i++) {
        struct buffer line CLEANUP(buffer_free) = BUFFER_INIT;
        spec_problem_format(&problems->items[i], path, &line);
        if (line.length > 0)
            line.data[line.length - 1] = '\0'; /* its line break */
        fprintf(stderr, "%s\n", text_clean(&arena, buffer_text(&line)));
    }
    if (problems->dropped > 0)
        cli_note("%zu more problems are not shown", problems->dropped);
}

int sweep_file_parse(struct sweep_file *file, const struct sweep_flags *flags, bool tell)
{
    struct spec_options options = {.program = flags->program, .name = flags->name, .project = flags->project};
    options.methods = flags->any_method ? ~0u : RUN_METHODS;
    struct err err = ERR_INIT;
    int code = sweep_flags_seed(flags, &options.has_seed, &options.seed);
    if (code != CLI_OK)
        return code;
    enum status status = spec_parse(buffer_text(&file->bytes), file->bytes.length, file->path, &options,
                                    &file->spec, &file->problems, &err);
    if (tell)
        tell_problems(file->path, &file->problems);
    if (status == STATUS_OK)
        return CLI_OK;
    if (status == STATUS_INVALID && file->problems.error_count > 0)
        return CLI_USAGE;
    return cli_fail_err(&err, "%s", file->path);
}

int sweep_file_load(const char *path, const struct sweep_flags *flags, bool tell, struct sweep_file *out)
{
    *out = (struct sweep_file){.path = path, .bytes = BUFFER_INIT};
    spec_problems_init(&out->problems);
    int code = read_bytes(path, &out->bytes);
    return code == CLI_OK ? sweep_file_parse(out, flags, tell) : code;
}

void sweep_file_free(struct sweep_file *file)
{
    buffer_free(&file->bytes);
    spec_free(file->spec);
    spec_problems_free(&file->problems);
}

static void fill_request(Besom__V1__CreateSweepRequest *request, const struct sweep_file *file,
                         const struct sweep_flags *flags)
{
    request->source.data = (uint8_t *)file->bytes.data;
    request->source.len = file->bytes.length;
    request->file_name = message_text(file->path);
    if (flags->project != NULL)
        request->project = message_text(flags->project);
    if (flags->name != NULL)
        request->name = message_text(flags->name);
    if (flags->program != NULL)
        request->program = message_text(flags->program);
}

int sweep_file_create(besom_client *client, const struct sweep_file *file, const struct sweep_flags *flags,
                      const struct config_list *prior_runs, Besom__V1__CreateSweepResponse **out)
{
    Besom__V1__CreateSweepRequest request = BESOM__V1__CREATE_SWEEP_REQUEST__INIT;
    besom_error error = {.code = BESOM_OK};
    bool has_seed = false;
    char request_id[ID_SIZE];
    int code = sweep_flags_seed(flags, &has_seed, &request.seed);
    if (code != CLI_OK)
        return code;
    if (has_seed)
        request.seed_choice_case = BESOM__V1__CREATE_SWEEP_REQUEST__SEED_CHOICE_SEED;
    id_make(&random_system, request_id);
    request.request_id = request_id;
    fill_request(&request, file, flags);
    if (prior_runs != NULL) {
        request.prior_runs = (char **)(uintptr_t)prior_runs->items;
        request.n_prior_runs = prior_runs->count;
    }
    if (besom_sweep_create(client, &request, out, &error) != BESOM_OK)
        return connection_fail(&error, "cannot create a sweep from %s", file->path);
    if ((*out)->sweep == NULL)
        return cli_fail(CLI_FAILED, "cannot create a sweep from %s: the answer is empty", file->path);
    return CLI_OK;
}

bool sweep_file_is_run(const struct spec *spec)
{
    return (RUN_METHODS & (1u << spec->method)) != 0;
}

bool sweep_file_has_points(const struct spec *spec)
{
    return spec->method == SPEC_METHOD_GRID || spec->method == SPEC_METHOD_RANDOM;
}

void sweep_file_tell_warnings(const struct sweep_file *file, char *const *warnings, size_t count)
{
    struct arena arena CLEANUP(arena_free) = arena_make(0);
    for (size_t i = 0; i < count; i++)
        if (strncmp(warnings[i], "warning: ", strlen("warning: ")) == 0)
            fprintf(stderr, "%s: %s\n", file->path, text_clean(&arena, warnings[i]));
}

int sweep_file_update(besom_client *client, const char *sweep_id, const struct sweep_file *file,
                      const struct sweep_flags *flags, Besom__V1__UpdateSweepResponse **out)
{
    Besom__V1__UpdateSweepRequest request = BESOM__V1__UPDATE_SWEEP_REQUEST__INIT;
    besom_error error = {.code = BESOM_OK};
    request.sweep_id = message_text(sweep_id);
    request.source.data = (uint8_t *)file->bytes.data;
    request.source.len = file->bytes.length;
    request.file_name = message_text(file->path);
    if (flags->name != NULL)
        request.name = message_text(flags->name);
    if (flags->program != NULL)
        request.program = message_text(flags->program);
    if (besom_sweep_update(client, &request, out, &error) != BESOM_OK)
        return connection_fail(&error, "cannot update sweep %s from %s", sweep_id, file->path);
    if ((*out)->sweep == NULL)
        return cli_fail(CLI_FAILED, "cannot update sweep %s: the answer is empty", sweep_id);
    return CLI_OK;
}
