// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/sweep_source.h"

#include <stdlib.h>
#include <string.h>

#define FILE_NAME_MAX_BYTES 1024
#define PROGRAM_MAX_BYTES 4096
#define DEFAULT_FILE_NAME "sweep.yaml"

const char *sweep_source_given(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

const char *sweep_source_first_of(const char *a, const char *b)
{
    return a != NULL ? a : b != NULL ? b : "";
}

/* As many problems as fit, one a line. */
static enum status tell_problems(const struct spec_problems *problems, const char *file_name, struct err *err)
{
    struct buffer lines CLEANUP(buffer_free) = BUFFER_INIT;
    for (size_t i = 0; i < problems->count; i++) {
        size_t before = lines.length;
        if (problems->items[i].severity != SPEC_ERROR)
            continue;
        spec_problem_format(&problems->items[i], file_name, &lines);
        if (lines.length < ERR_TEXT_MAX)
            continue;
        lines.length = before;
        lines.data[before] = '\0';
        break;
    }
    while (lines.length > 0 && lines.data[lines.length - 1] == '\n')
        lines.data[--lines.length] = '\0';
    return lines.length > 0 ? err_set(err, STATUS_INVALID, "%s", buffer_text(&lines)) : err->code;
}

static void keep_warnings(const struct spec_problems *problems, const char *file_name, struct buffer *out)
{
    for (size_t i = 0; i < problems->count; i++)
        if (problems->items[i].severity == SPEC_WARNING)
            spec_problem_format(&problems->items[i], file_name, out);
}

static enum status parse(const ProtobufCBinaryData *bytes, const char *file_name,
                         const struct spec_options *options, struct sweep_source *out, struct err *err)
{
    struct spec_problems problems CLEANUP(spec_problems_free);
    spec_problems_init(&problems);
    enum status status =
        spec_parse((const char *)bytes->data, bytes->len, file_name, options, &out->spec, &problems, err);
    if (status == STATUS_INVALID)
        return tell_problems(&problems, file_name, err);
    TRY(status);
    keep_warnings(&problems, file_name, &out->warnings);
    return STATUS_OK;
}

static enum status count_grid(struct sweep_source *source, struct err *err)
{
    uint64_t count;
    if (source->spec->method != SPEC_METHOD_GRID)
        return STATUS_OK;
    TRY(space_grid_count(source->spec->space, &count, err));
    source->has_grid_count = true;
    source->grid_count = count < INT64_MAX ? (int64_t)count : INT64_MAX;
    return STATUS_OK;
}

static enum status check_length(const char *what, const char *text, size_t most, struct err *err)
{
    if (text == NULL || strlen(text) <= most)
        return STATUS_OK;
    return err_set(err, STATUS_INVALID, "%s may have %zu bytes", what, most);
}

enum status sweep_source_read(const ProtobufCBinaryData *bytes, const char *file_name,
                              const struct spec_options *options, struct sweep_source *out, struct err *err)
{
    *out = (struct sweep_source){.warnings = BUFFER_INIT};
    if (bytes->len > SPEC_FILE_MAX)
        return err_set(err, STATUS_INVALID, "a sweep file may have 1 MiB");
    /* the file's name stands before each of its problems */
    TRY(check_length("file_name", file_name, FILE_NAME_MAX_BYTES, err));
    TRY(check_length("program", options->program, PROGRAM_MAX_BYTES, err));
    TRY(parse(bytes, file_name[0] != '\0' ? file_name : DEFAULT_FILE_NAME, options, out, err));
    TRY(check_length("the sweep's name", out->spec->name, SWEEP_NAME_MAX_BYTES, err));
    TRY(check_length("the project's name", out->spec->project, SWEEP_NAME_MAX_BYTES, err));
    TRY(count_grid(out, err));
    out->spec_json = spec_to_canonical_json(out->spec);
    return out->spec_json != NULL ? STATUS_OK : err_set(err, STATUS_NO_MEMORY, "out of memory");
}

void sweep_source_free(struct sweep_source *source)
{
    spec_free(source->spec);
    free(source->spec_json);
    buffer_free(&source->warnings);
}

enum status sweep_source_split_warnings(const struct sweep_source *source, struct arena *arena, char ***out,
                                        size_t *count, struct err *err)
{
    *count = 0;
    *out = arena_calloc(arena, SPEC_PROBLEMS_MAX, sizeof(**out));
    if (*out == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    for (const char *at = buffer_text(&source->warnings); *at != '\0' && *count < SPEC_PROBLEMS_MAX;) {
        size_t length = strcspn(at, "\n");
        char *line = arena_strndup(arena, at, length);
        if (line == NULL)
            return err_set(err, STATUS_NO_MEMORY, "out of memory");
        (*out)[(*count)++] = line;
        at += length + (at[length] == '\n');
    }
    return STATUS_OK;
}
