// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/suggestion/bayes_space.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "services/suggestion/bayes_levels.h"
#include "space/given.h"

#define NO_UNIT 0.5

struct bayes_space {
    const struct space *space; /* borrowed */
    struct arena arena;        /* owns the arrays */
    struct optim_space optim;
    struct bayes_levels *levels; /* by dimension */
    struct optim_dim *dims;
    size_t *parameters; /* by dimension */
    double *units;      /* scratch; by parameter */
    bool *active;       /* scratch; by parameter */
};

/* ---- leaves of the definition, in the space's order ---- */

struct leaves {
    const json_t **items;
    size_t count;
    size_t capacity;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum status collect_leaves(const json_t *parameters, struct leaves *leaves, struct arena *arena,
                                  struct err *err)
{
    size_t count = 0;
    const char **names = arena_alloc(arena, (json_object_size(parameters) + 1) * sizeof *names);
    const char *name;
    json_t *child;
    if (names == NULL)
        return err_set(err, STATUS_NO_MEMORY, "bayes: out of memory");
    json_object_foreach((json_t *)(uintptr_t)parameters, name, child) names[count++] = name;
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 0; i < count; i++) {
        child = json_object_get(parameters, names[i]);
        const json_t *nested = json_object_get(child, "parameters");
        if (nested != NULL)
            TRY(collect_leaves(nested, leaves, arena, err));
        else if (leaves->count < leaves->capacity)
            leaves->items[leaves->count++] = child;
    }
    return STATUS_OK;
}

/* ---- the dimensions ---- */

static void find_active(void *context, const double *point, bool *out_active)
{
    struct bayes_space *space = context;
    struct err err;
    json_t *config = NULL;
    for (size_t i = 0; i < space->optim.count; i++)
        space->units[space->parameters[i]] = bayes_levels_unit(&space->levels[i], point[i]);
    /* Without memory all count as active; the configuration is made by the space again anyway. */
    bool known = space_from_unit(space->space, space->units, &config, &err) == STATUS_OK;
    for (size_t i = 0; i < space->optim.count; i++)
        out_active[i] = !known || space_config_get(space->space, space->parameters[i], config) != NULL;
    json_decref(config);
}

static enum status add_dimension(struct bayes_space *space, size_t parameter, const json_t *definition,
                                 struct err *err)
{
    size_t at = space->optim.count;
    space->optim.count++;
    TRY(bayes_levels_make(definition, &space->levels[at], &space->arena, err));
    space->dims[at] = space->levels[at].dim;
    space->parameters[at] = parameter;
    return STATUS_OK;
}

static enum status add_dimensions(struct bayes_space *space, const struct leaves *leaves, struct err *err)
{
    for (size_t i = 0; i < leaves->count; i++)
        if (space_parameter_is_searched(space->space, i))
            TRY(add_dimension(space, i, leaves->items[i], err));
    if (space->optim.count > 0)
        return STATUS_OK;
    /* Lists of one value each: a space of one point. */
    space->levels[0] = (struct bayes_levels){.dim = {.kind = OPTIM_CATEGORY, .levels = 1}};
    space->dims[0] = space->levels[0].dim;
    space->parameters[0] = 0;
    space->optim.count = 1;
    return STATUS_OK;
}

static enum status allocate(struct bayes_space *space, struct leaves *leaves, struct err *err)
{
    size_t count = space_parameter_count(space->space) + 1;
    *leaves =
        (struct leaves){.items = arena_calloc(&space->arena, count, sizeof(json_t *)), .capacity = count - 1};
    space->levels = arena_calloc(&space->arena, count, sizeof *space->levels);
    space->dims = arena_calloc(&space->arena, count, sizeof *space->dims);
    space->parameters = arena_calloc(&space->arena, count, sizeof *space->parameters);
    space->units = arena_calloc(&space->arena, count, sizeof *space->units);
    space->active = arena_calloc(&space->arena, count, sizeof *space->active);
    if (leaves->items == NULL || space->levels == NULL || space->dims == NULL || space->parameters == NULL ||
        space->units == NULL || space->active == NULL)
        return err_set(err, STATUS_NO_MEMORY, "bayes: out of memory");
    for (size_t i = 0; i < count; i++)
        space->units[i] = NO_UNIT;
    return STATUS_OK;
}

static enum status build(struct bayes_space *space, const json_t *definition, struct err *err)
{
    struct leaves leaves;
    if (definition == NULL)
        return err_set(err, STATUS_NO_MEMORY, "bayes: out of memory");
    TRY(allocate(space, &leaves, err));
    TRY(collect_leaves(definition, &leaves, &space->arena, err));
    if (leaves.count != space_parameter_count(space->space))
        return err_set(err, STATUS_INTERNAL, "bayes: the space and its definition differ");
    space->optim = (struct optim_space){.dims = space->dims, .context = space};
    if (space_has_conditions(space->space))
        space->optim.active = find_active;
    return add_dimensions(space, &leaves, err);
}

enum status bayes_space_new(const struct space *space, struct bayes_space **out, struct err *err)
{
    *out = NULL;
    size_t searched = space_searched_count(space);
    if (searched > SPEC_SEARCHED_MAX)
        return err_set(err, STATUS_INVALID, "a model takes at most %d searched parameters, there are %zu",
                       SPEC_SEARCHED_MAX, searched);
    struct bayes_space *made = calloc(1, sizeof *made);
    if (made == NULL)
        return err_set(err, STATUS_NO_MEMORY, "bayes: out of memory");
    made->space = space;
    made->arena = arena_make(0);
    json_t *definition = space_to_json(space);
    enum status status = build(made, definition, err);
    json_decref(definition);
    if (status == STATUS_OK)
        *out = made;
    else
        bayes_space_free(made);
    return status;
}

void bayes_space_free(struct bayes_space *space)
{
    if (space == NULL)
        return;
    for (size_t i = 0; i < space->optim.count; i++)
        bayes_levels_release(&space->levels[i]);
    arena_free(&space->arena);
    free(space);
}

size_t bayes_space_bytes(const struct bayes_space *space)
{
    return sizeof *space + space->arena.used;
}

const struct optim_space *bayes_space_dims(const struct bayes_space *space)
{
    return &space->optim;
}

const char *bayes_space_path(const struct bayes_space *space, size_t dim)
{
    return space_parameter_path(space->space, space->parameters[dim]);
}

size_t bayes_space_parameter(const struct bayes_space *space, size_t dim)
{
    return space->parameters[dim];
}

/* ---- configurations ---- */

enum status bayes_space_to_point(struct bayes_space *space, const json_t *params, double *out_point,
                                 struct err *err)
{
    TRY(space_active(space->space, params, space->active, err));
    TRY(space_to_unit(space->space, params, space->units, err));
    for (size_t i = 0; i < space->optim.count; i++) {
        size_t parameter = space->parameters[i];
        out_point[i] = space->active[parameter]
                           ? bayes_levels_value(&space->levels[i], space->units[parameter])
                           : OPTIM_INACTIVE;
    }
    return STATUS_OK;
}

enum status bayes_space_adopt(struct bayes_space *space, const json_t *params, double *out_point,
                              struct err *err)
{
    json_t *adopted = NULL;
    enum status status = given_adopt(space->space, params, &adopted, err);
    if (status == STATUS_OK)
        status = bayes_space_to_point(space, adopted, out_point, err);
    json_decref(adopted);
    return status;
}

enum status bayes_space_to_params(struct bayes_space *space, const double *point, json_t **out,
                                  struct err *err)
{
    for (size_t i = 0; i < space->optim.count; i++)
        space->units[space->parameters[i]] =
            point[i] == OPTIM_INACTIVE ? NO_UNIT : bayes_levels_unit(&space->levels[i], point[i]);
    return space_from_unit(space->space, space->units, out, err);
}
