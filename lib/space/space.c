// SPDX-License-Identifier: GPL-3.0-or-later
#include "space/space.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "space/condition.h"
#include "space/grid.h"
#include "space/law.h"

/* The levels above the one that is being read. */
struct level {
    const struct level *outer;
    const char *name;
    size_t depth;     /* 1 for a top parameter */
    size_t condition; /* the innermost so far */
};

struct first_fault {
    const char *path;
    struct err *err;
    bool found;
};

static enum status out_of_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "building a search space: out of memory");
}

static void keep_first_fault(void *context, const char *key, const char *text)
{
    struct first_fault *first = context;
    (void)key;
    if (first->found)
        return;
    first->found = true;
    err_set(first->err, STATUS_INVALID, "parameter %.100s: %s", first->path, text);
}

static struct leaf *add_leaf(struct space *space)
{
    if (space->count == space->capacity) {
        size_t capacity = space->capacity == 0 ? 16 : space->capacity * 2;
        struct leaf *grown = realloc(space->leaves, capacity * sizeof *grown);
        if (grown == NULL)
            return NULL;
        space->leaves = grown;
        space->capacity = capacity;
    }
    struct leaf *leaf = &space->leaves[space->count++];
    memset(leaf, 0, sizeof *leaf);
    return leaf;
}

static void names_of(const struct level *level, const char **names)
{
    for (const struct level *at = level; at != NULL; at = at->outer)
        names[at->depth - 1] = at->name;
}

static enum status set_place(struct leaf *leaf, const struct level *level, struct err *err)
{
    leaf->depth = level->depth;
    leaf->condition = level->condition;
    leaf->names = calloc(level->depth, sizeof *leaf->names);
    if (leaf->names == NULL)
        return out_of_memory(err);
    names_of(level, leaf->names);
    struct buffer path = BUFFER_INIT;
    for (size_t i = 0; i < leaf->depth; i++)
        buffer_printf(&path, "%s%s", i > 0 ? "." : "", leaf->names[i]);
    leaf->path = buffer_take(&path);
    buffer_free(&path);
    return leaf->path != NULL ? STATUS_OK : out_of_memory(err);
}

static enum status read_leaf(struct space *space, const struct level *level, const json_t *definition,
                             struct err *err)
{
    struct leaf *leaf = add_leaf(space);
    if (leaf == NULL)
        return out_of_memory(err);
    TRY(set_place(leaf, level, err));
    struct first_fault first = {.path = leaf->path, .err = err};
    const struct distribution *kind = distribution_check(definition, keep_first_fault, &first);
    if (first.found)
        return STATUS_INVALID;
    return parameter_init(&leaf->parameter, kind, definition, err);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* NULL without memory. */
static const char **sorted_names(const json_t *object)
{
    const char **names = calloc(json_object_size(object) + 1, sizeof *names);
    if (names == NULL)
        return NULL;
    size_t count = 0;
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)object, name, member) names[count++] = name;
    qsort(names, count, sizeof *names, compare_names);
    return names;
}

static bool is_nested(const json_t *definition)
{
    size_t others = json_object_get(definition, "when") != NULL ? 1 : 0;
    return json_object_size(definition) == 1 + others &&
           json_is_object(json_object_get(definition, "parameters"));
}

static enum status read_level(struct space *space, const struct level *outer, const json_t *parameters,
                              struct err *err);

static enum status read_when(struct space *space, struct level *level, const json_t *definition,
                             struct err *err)
{
    const char *names[SPACE_DEPTH_MAX];
    const json_t *when = json_object_get(definition, "when");
    if (when == NULL)
        return STATUS_OK;
    names_of(level, names);
    return condition_add(space, level->condition, when, names, level->depth, &level->condition, err);
}

static enum status read_parameter(struct space *space, struct level *level, const json_t *definition,
                                  struct err *err)
{
    bool nested = is_nested(definition);
    if (level->depth > SPACE_DEPTH_MAX || (nested && level->depth == SPACE_DEPTH_MAX))
        return err_set(err, STATUS_INVALID, "parameter %.100s: nested more than %d deep", level->name,
                       SPACE_DEPTH_MAX);
    TRY(read_when(space, level, definition, err));
    if (!nested)
        return read_leaf(space, level, definition, err);
    return read_level(space, level, json_object_get(definition, "parameters"), err);
}

static enum status read_level(struct space *space, const struct level *outer, const json_t *parameters,
                              struct err *err)
{
    const char **names = sorted_names(parameters);
    if (names == NULL)
        return out_of_memory(err);
    enum status status = STATUS_OK;
    for (size_t i = 0; names[i] != NULL && status == STATUS_OK; i++) {
        struct level level = {.outer = outer,
                              .name = names[i],
                              .depth = outer == NULL ? 1 : outer->depth + 1,
                              .condition = outer == NULL ? NO_CONDITION : outer->condition};
        status = read_parameter(space, &level, json_object_get(parameters, names[i]), err);
    }
    free(names);
    return status;
}

static void keep_first_condition(void *context, const struct space_fault *fault)
{
    struct first_fault *first = context;
    if (!first->found)
        err_set(first->err, STATUS_INVALID, "%s", fault->text);
    first->found = true;
}

enum status space_new(const json_t *parameters, struct space **out, struct err *err)
{
    struct err found = ERR_INIT;
    struct first_fault first = {.err = &found};
    enum status status = space_new_reporting(parameters, keep_first_condition, &first, out, err);
    return first.found ? err_set(err, STATUS_INVALID, "%s", found.text) : status;
}

enum status space_new_reporting(const json_t *parameters, space_report *report, void *context,
                                struct space **out, struct err *err)
{
    *out = NULL;
    if (!json_is_object(parameters) || json_object_size(parameters) == 0)
        return err_set(err, STATUS_INVALID, "parameters must be a map of at least one parameter");
    law_prepare();
    CLEANUP(space_free_at) struct space *space = calloc(1, sizeof *space);
    if (space == NULL || (space->source = json_deep_copy(parameters)) == NULL)
        return out_of_memory(err);
    TRY(read_level(space, NULL, space->source, err));
    if (space->count == 0)
        return err_set(err, STATUS_INVALID, "parameters must hold at least one parameter");
    TRY(conditions_resolve(space, report, context, err));
    TRY(grid_new(space, &space->grid, err));
    *out = space;
    space = NULL;
    return STATUS_OK;
}

void space_free(struct space *space)
{
    if (space == NULL)
        return;
    for (size_t i = 0; i < space->count; i++) {
        parameter_release(&space->leaves[i].parameter);
        free(space->leaves[i].path);
        free(space->leaves[i].names);
    }
    free(space->leaves);
    conditions_release(space);
    grid_free(space->grid);
    json_decref(space->source);
    free(space);
}

void space_free_at(struct space **space)
{
    space_free(*space);
    *space = NULL;
}

size_t space_parameter_count(const struct space *space)
{
    return space->count;
}

const char *space_parameter_path(const struct space *space, size_t index)
{
    return space->leaves[index].path;
}

const struct distribution *space_parameter_kind(const struct space *space, size_t index)
{
    return space->leaves[index].parameter.kind;
}

bool space_parameter_is_searched(const struct space *space, size_t index)
{
    const struct parameter *parameter = &space->leaves[index].parameter;
    uint64_t count;
    return !parameter_is_enumerable(parameter) || !parameter->kind->grid_count(parameter, &count) ||
           count != 1;
}

size_t space_searched_count(const struct space *space)
{
    size_t count = 0;
    for (size_t i = 0; i < space_parameter_count(space); i++)
        count += space_parameter_is_searched(space, i);
    return count;
}

bool space_has_conditions(const struct space *space)
{
    return space->condition_count > 0;
}

/* The definition of a leaf in a copy of the source. Borrowed. */
static json_t *parent_in(json_t *root, const struct leaf *leaf)
{
    json_t *object = root;
    for (size_t i = 0; i + 1 < leaf->depth; i++)
        object = json_object_get(json_object_get(object, leaf->names[i]), "parameters");
    return object;
}

json_t *space_to_json(const struct space *space)
{
    json_t *root = json_deep_copy(space->source);
    for (size_t i = 0; i < space->count; i++) {
        const struct leaf *leaf = &space->leaves[i];
        if (json_object_set(parent_in(root, leaf), leaf->names[leaf->depth - 1],
                            leaf->parameter.definition) != 0) {
            json_decref(root);
            return NULL;
        }
    }
    return root;
}
