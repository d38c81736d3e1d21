// SPDX-License-Identifier: GPL-3.0-or-later
#include "spec/spec.h"

#include <stdlib.h>
#include <string.h>

#include "spec/json_text.h"
#include "spec/schema.h"

#define ARENA_MAX ((size_t)256 << 20)

static const struct spec_options no_options = {.methods = 0};

static struct spec *new_spec(void)
{
    struct spec *spec = calloc(1, sizeof *spec);
    if (spec == NULL)
        return NULL;
    spec->arena = arena_make(0);
    spec->metric.impute_while_running = SPEC_IMPUTE_NONE;
    spec->retry = (struct spec_retry){.max = 3, .on = SPEC_RETRY_LOST | SPEC_RETRY_PREEMPTED};
    spec->stop_grace_ms = -1;
    spec->lost_after_ms = -1;
    return spec;
}

void spec_free(struct spec *spec)
{
    if (spec == NULL)
        return;
    space_free(spec->space);
    json_decref(spec->enqueue);
    arena_free(&spec->arena);
    free(spec);
}

void spec_free_at(struct spec **spec)
{
    spec_free(*spec);
    *spec = NULL;
}

const char *spec_method_name(enum spec_method method)
{
    return schema_method_names[method];
}

const char *spec_optimizer_name(enum spec_optimizer optimizer)
{
    return schema_optimizer_names[optimizer];
}

bool spec_method_learns(enum spec_method method)
{
    return schema_method_learns[method];
}

bool spec_learns_rungs(const struct spec *spec)
{
    return spec_method_learns(spec->method) && spec->has_early_terminate &&
           spec->early_terminate.type == STOP_BOHB;
}

const char *spec_goal_name(enum spec_goal goal)
{
    return schema_goal_names[goal];
}

static enum status first_error(const struct spec_problems *problems, const char *filename, struct err *err)
{
    for (size_t i = 0; i < problems->count; i++)
        if (problems->items[i].severity == SPEC_ERROR)
            return err_set(err, STATUS_INVALID, "%s:%zu:%zu: %s", filename, problems->items[i].line,
                           problems->items[i].column, problems->items[i].text);
    return err_set(err, STATUS_INVALID, "%s: %zu errors", filename, problems->error_count);
}

static enum status out_of_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "reading a sweep file: out of memory");
}

/* Fills a new spec from the tree; *out is NULL unless all is well. */
static enum status read_tree(struct reader *reader, const struct node *root,
                             const struct spec_options *options, const char *filename, struct spec **out,
                             struct err *err)
{
    CLEANUP(spec_free_at) struct spec *spec = new_spec();
    if (spec == NULL)
        return out_of_memory(err);
    struct schema schema = {.reader = *reader, .spec = spec, .options = options, .root = root};
    schema_read_file(&schema);
    json_decref(schema.parameters);
    if (schema.reader.out_of_memory)
        return out_of_memory(err);
    if (reader->problems->error_count > 0)
        return STATUS_INVALID;
    if (spec->space == NULL)
        return err_set(err, STATUS_INTERNAL, "%s: no search space was built", filename);
    *out = spec;
    spec = NULL;
    return STATUS_OK;
}

static enum status check_size(size_t length, struct spec_problems *problems)
{
    if (length <= SPEC_FILE_MAX)
        return STATUS_OK;
    problems_add(problems, SPEC_ERROR, (struct place){1, 1},
                 "the file has %zu bytes: a sweep file may have %u", length, SPEC_FILE_MAX);
    return STATUS_INVALID;
}

static enum status parse(const char *bytes, size_t length, const char *filename,
                         const struct spec_options *options, struct spec **out,
                         struct spec_problems *problems, struct err *err)
{
    TRY(check_size(length, problems));
    CLEANUP(arena_free) struct arena arena = arena_make(ARENA_MAX);
    CLEANUP(buffer_free) struct buffer rewritten = BUFFER_INIT;
    struct reader reader = {.arena = &arena, .problems = problems, .budget = NODE_COUNT_MAX};
    bool is_rewritten = json_text_to_yaml(bytes, length, &rewritten);
    const struct node *root = is_rewritten
                                  ? node_read_yaml(&reader, buffer_text(&rewritten), rewritten.length)
                                  : node_read_yaml(&reader, bytes, length);
    if (reader.out_of_memory)
        return out_of_memory(err);
    if (root == NULL)
        return STATUS_INVALID;
    return read_tree(&reader, root, options, filename, out, err);
}

enum status spec_parse(const char *bytes, size_t length, const char *filename,
                       const struct spec_options *options, struct spec **out, struct spec_problems *problems,
                       struct err *err)
{
    *out = NULL;
    enum status status =
        parse(bytes, length, filename, options != NULL ? options : &no_options, out, problems, err);
    problems_sort(problems);
    return status == STATUS_INVALID ? first_error(problems, filename, err) : status;
}

static enum status rebuild(const json_t *stored, struct spec_problems *problems, struct spec **out,
                           struct err *err)
{
    static const struct spec_options any_method = {.methods = ~0u};
    CLEANUP(arena_free) struct arena arena = arena_make(ARENA_MAX);
    struct reader reader = {.arena = &arena, .problems = problems, .budget = NODE_COUNT_MAX};
    const struct node *root = node_from_json(&reader, stored);
    if (root == NULL)
        return out_of_memory(err);
    return read_tree(&reader, root, &any_method, "stored spec", out, err);
}

enum status spec_from_canonical_json(const char *text, size_t length, struct spec **out, struct err *err)
{
    *out = NULL;
    json_error_t error;
    json_t *stored = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (stored == NULL)
        return err_set(err, STATUS_INVALID, "stored spec: %s", error.text);
    struct spec_problems *problems = malloc(sizeof *problems);
    if (problems == NULL) {
        json_decref(stored);
        return out_of_memory(err);
    }
    spec_problems_init(problems);
    enum status status = rebuild(stored, problems, out, err);
    if (status == STATUS_INVALID)
        status = first_error(problems, "stored spec", err);
    spec_problems_free(problems);
    free(problems);
    json_decref(stored);
    return status;
}
