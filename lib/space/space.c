// SPDX-License-Identifier: GPL-3.0-or-later
#include "space/space.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/random.h"
#include "space/law.h"
#include "space/parameter.h"

/* A leaf with its place. Names point into the space's own copy of the definitions. */
struct leaf {
    struct parameter parameter;
    char *path;         /* owned; dotted */
    const char **names; /* owned array of borrowed names, outermost first */
    size_t depth;
};

struct space {
    json_t *source; /* owned; the definitions, whose keys leaves borrow */
    struct leaf *leaves;
    size_t count;
    size_t capacity;
};

/* The levels above the one that is being read. */
struct level {
    const struct level *outer;
    const char *name;
    size_t depth; /* 1 for a top parameter */
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

static enum status set_place(struct leaf *leaf, const struct level *level, struct err *err)
{
    leaf->depth = level->depth;
    leaf->names = calloc(level->depth, sizeof *leaf->names);
    if (leaf->names == NULL)
        return out_of_memory(err);
    for (const struct level *at = level; at != NULL; at = at->outer)
        leaf->names[at->depth - 1] = at->name;
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
    return json_object_size(definition) == 1 && json_is_object(json_object_get(definition, "parameters"));
}

static enum status read_level(struct space *space, const struct level *outer, const json_t *parameters,
                              struct err *err);

static enum status read_parameter(struct space *space, const struct level *level, const json_t *definition,
                                  struct err *err)
{
    if (!is_nested(definition))
        return read_leaf(space, level, definition, err);
    if (level->depth >= SPACE_DEPTH_MAX)
        return err_set(err, STATUS_INVALID, "parameter %.100s: nested more than %d deep", level->name,
                       SPACE_DEPTH_MAX);
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
        struct level level = {
            .outer = outer, .name = names[i], .depth = outer == NULL ? 1 : outer->depth + 1};
        status = read_parameter(space, &level, json_object_get(parameters, names[i]), err);
    }
    free(names);
    return status;
}

enum status space_new(const json_t *parameters, struct space **out, struct err *err)
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

/* The object at `name`, made when it is not there. Borrowed. */
static json_t *child_object(json_t *object, const char *name)
{
    json_t *child = json_object_get(object, name);
    if (child != NULL)
        return child;
    child = json_object();
    return json_object_set_new(object, name, child) == 0 ? child : NULL;
}

/* Takes the reference to `value`. */
static enum status put(json_t *config, const struct leaf *leaf, json_t *value, struct err *err)
{
    json_t *object = config;
    for (size_t i = 0; i + 1 < leaf->depth && object != NULL; i++)
        object = child_object(object, leaf->names[i]);
    if (object == NULL || value == NULL) {
        json_decref(value);
        return out_of_memory(err);
    }
    if (json_object_set_new(object, leaf->names[leaf->depth - 1], value) != 0)
        return out_of_memory(err);
    return STATUS_OK;
}

/* As `put` for a definition tree: each level of names lies under `parameters`. */
static json_t *definition_parent(json_t *root, const struct leaf *leaf)
{
    json_t *object = root;
    for (size_t i = 0; i + 1 < leaf->depth && object != NULL; i++) {
        object = child_object(object, leaf->names[i]);
        if (object != NULL)
            object = child_object(object, "parameters");
    }
    return object;
}

json_t *space_to_json(const struct space *space)
{
    json_t *root = json_object();
    for (size_t i = 0; i < space->count; i++) {
        const struct leaf *leaf = &space->leaves[i];
        json_t *parent = definition_parent(root, leaf);
        if (parent == NULL ||
            json_object_set(parent, leaf->names[leaf->depth - 1], leaf->parameter.definition) != 0) {
            json_decref(root);
            return NULL;
        }
    }
    return root;
}

static enum status leaf_grid_count(const struct leaf *leaf, uint64_t *out, struct err *err)
{
    if (!parameter_is_enumerable(&leaf->parameter))
        return err_set(err, STATUS_INVALID,
                       "parameter %.100s: a grid cannot enumerate %s (give values, or use method random)",
                       leaf->path, leaf->parameter.kind->name);
    if (!leaf->parameter.kind->grid_count(&leaf->parameter, out))
        return err_set(err, STATUS_INVALID, "parameter %.100s: the grid has too many points", leaf->path);
    return STATUS_OK;
}

enum status space_grid_count(const struct space *space, uint64_t *out, struct err *err)
{
    uint64_t product = 1;
    for (size_t i = 0; i < space->count; i++) {
        uint64_t count = 0;
        TRY(leaf_grid_count(&space->leaves[i], &count, err));
        if (__builtin_mul_overflow(product, count, &product))
            return err_set(err, STATUS_INVALID, "the grid has too many points (2^64 or more)");
    }
    *out = product;
    return STATUS_OK;
}

static enum status build_grid_point(const struct space *space, uint64_t index, json_t *config,
                                    struct err *err)
{
    for (size_t i = space->count; i-- > 0;) {
        const struct leaf *leaf = &space->leaves[i];
        uint64_t count = 0;
        TRY(leaf_grid_count(leaf, &count, err));
        json_t *value = leaf->parameter.kind->grid_value(&leaf->parameter, index % count);
        TRY(put(config, leaf, value, err));
        index /= count;
    }
    return STATUS_OK;
}

/* Gives `config` to the caller when `status` is OK, else drops it. */
static enum status hand_over(enum status status, json_t *config, json_t **out)
{
    if (status == STATUS_OK)
        *out = config;
    else
        json_decref(config);
    return status;
}

enum status space_grid_point(const struct space *space, uint64_t index, json_t **out, struct err *err)
{
    *out = NULL;
    uint64_t count = 0;
    TRY(space_grid_count(space, &count, err));
    if (index >= count)
        return err_set(err, STATUS_INVALID, "grid point %llu is past the end (%llu points)",
                       (unsigned long long)index, (unsigned long long)count);
    json_t *config = json_object();
    return hand_over(build_grid_point(space, index, config, err), config, out);
}

static enum status put_at_unit(json_t *config, const struct leaf *leaf, double u, struct err *err)
{
    if (!(u >= 0 && u <= 1))
        return err_set(err, STATUS_INVALID, "parameter %.100s: %g is outside the unit cube", leaf->path, u);
    return put(config, leaf, leaf->parameter.kind->value_at(&leaf->parameter, u), err);
}

enum status space_from_unit(const struct space *space, const double *units, json_t **out, struct err *err)
{
    *out = NULL;
    json_t *config = json_object();
    enum status status = STATUS_OK;
    for (size_t i = 0; i < space->count && status == STATUS_OK; i++)
        status = put_at_unit(config, &space->leaves[i], units[i], err);
    return hand_over(status, config, out);
}

enum status space_random_point(const struct space *space, uint64_t seed, uint64_t ordinal, json_t **out,
                               struct err *err)
{
    *out = NULL;
    json_t *config = json_object();
    enum status status = STATUS_OK;
    for (size_t i = 0; i < space->count && status == STATUS_OK; i++) {
        const struct leaf *leaf = &space->leaves[i];
        status = put_at_unit(config, leaf, random_draw_unit(seed, ordinal, leaf->path, 0), err);
    }
    return hand_over(status, config, out);
}

json_t *space_config_get(const struct space *space, size_t index, const json_t *config)
{
    const struct leaf *leaf = &space->leaves[index];
    const json_t *value = config;
    for (size_t i = 0; i < leaf->depth && value != NULL; i++)
        value = json_object_get(value, leaf->names[i]);
    return (json_t *)(uintptr_t)value;
}

enum status space_to_unit(const struct space *space, const json_t *config, double *out_units, struct err *err)
{
    for (size_t i = 0; i < space->count; i++) {
        const struct leaf *leaf = &space->leaves[i];
        const json_t *value = space_config_get(space, i, config);
        if (value == NULL)
            return err_set(err, STATUS_INVALID, "parameter %.100s: missing from the configuration",
                           leaf->path);
        if (!leaf->parameter.kind->unit_of(&leaf->parameter, value, &out_units[i]))
            return err_set(err, STATUS_INVALID, "parameter %.100s: not a value of %s", leaf->path,
                           leaf->parameter.kind->name);
    }
    return STATUS_OK;
}
