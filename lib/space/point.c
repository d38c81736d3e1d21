/*
 * Configurations of a space: points of its grid, random draws, the unit cube.
 * Inactive parameters are left out of all of them.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>

#include "base/random.h"
#include "space/compose.h"
#include "space/condition.h"
#include "space/grid.h"

#define INACTIVE_UNIT 0.5

static enum status out_of_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "making a configuration: out of memory");
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

/* Gives `config` to the caller when `status` is OK, else drops it. */
static enum status hand_over(enum status status, json_t *config, json_t **out)
{
    if (status == STATUS_OK)
        *out = config;
    else
        json_decref(config);
    return status;
}

/* ---- grid ---- */

enum status space_grid_count(const struct space *space, uint64_t *out, struct err *err)
{
    return grid_count(space->grid, out, err);
}

static enum status put_grid_values(const struct space *space, uint64_t index, uint64_t *values, bool *active,
                                   json_t *config, struct err *err)
{
    if (values == NULL || active == NULL)
        return out_of_memory(err);
    TRY(grid_locate(space, index, values, active, err));
    for (size_t i = 0; i < space->count; i++) {
        const struct leaf *leaf = &space->leaves[i];
        if (active[i])
            TRY(put(config, leaf, leaf->parameter.kind->grid_value(&leaf->parameter, values[i]), err));
    }
    return STATUS_OK;
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
    uint64_t *values = calloc(space->count, sizeof *values);
    bool *active = calloc(space->count, sizeof *active);
    enum status status = put_grid_values(space, index, values, active, config, err);
    free(values);
    free(active);
    return hand_over(status, config, out);
}

/* ---- activity ---- */

json_t *space_config_get(const struct space *space, size_t index, const json_t *config)
{
    const struct leaf *leaf = &space->leaves[index];
    const json_t *value = config;
    for (size_t i = 0; i < leaf->depth && value != NULL; i++)
        value = json_object_get(value, leaf->names[i]);
    return (json_t *)(uintptr_t)value;
}

enum status space_active(const struct space *space, const json_t *config, bool *out_active, struct err *err)
{
    json_t **values = calloc(space->count, sizeof(json_t *));
    bool *active = calloc(space_node_count(space), sizeof *active);
    if (values != NULL && active != NULL) {
        for (size_t i = 0; i < space->count; i++)
            values[i] = space_config_get(space, i, config);
        conditions_apply(space, values, active);
        for (size_t i = 0; i < space->count; i++)
            out_active[i] = active[i];
    }
    bool done = values != NULL && active != NULL;
    free(values);
    free(active);
    return done ? STATUS_OK : out_of_memory(err);
}

/* ---- draws ---- */

/* The values of all leaves, whether they will be active or not. */
struct draft {
    json_t **values; /* owned, as the values are */
    bool *active;    /* owned; by node */
};

static void draft_free(const struct space *space, struct draft *draft)
{
    for (size_t i = 0; i < space->count && draft->values != NULL; i++)
        json_decref(draft->values[i]);
    free(draft->values);
    free(draft->active);
}

/* units[i] is where leaf i stands. */
static enum status draw(const struct space *space, const double *units, struct draft *draft, struct err *err)
{
    for (size_t i = 0; i < space->count; i++) {
        const struct leaf *leaf = &space->leaves[i];
        if (!(units[i] >= 0 && units[i] <= 1))
            return err_set(err, STATUS_INVALID, "parameter %.100s: %g is outside the unit cube", leaf->path,
                           units[i]);
        draft->values[i] = leaf->parameter.kind->value_at(&leaf->parameter, units[i]);
        if (draft->values[i] == NULL)
            return out_of_memory(err);
    }
    return STATUS_OK;
}

static enum status put_draft(const struct space *space, const struct draft *draft, json_t *config,
                             struct err *err)
{
    conditions_apply(space, draft->values, draft->active);
    for (size_t i = 0; i < space->count; i++)
        if (draft->active[i])
            TRY(put(config, &space->leaves[i], json_incref(draft->values[i]), err));
    return STATUS_OK;
}

enum status compose_config(const struct space *space, json_t *const *values, json_t **out, struct err *err)
{
    bool *active = calloc(space_node_count(space) + 1, sizeof *active);
    json_t *config = json_object();
    enum status status = active != NULL ? STATUS_OK : out_of_memory(err);
    *out = NULL;
    if (status == STATUS_OK)
        conditions_apply(space, values, active);
    for (size_t i = 0; i < space->count && status == STATUS_OK; i++)
        if (active[i])
            status = put(config, &space->leaves[i], json_incref(values[i]), err);
    free(active);
    return hand_over(status, config, out);
}

enum status space_from_unit(const struct space *space, const double *units, json_t **out, struct err *err)
{
    *out = NULL;
    struct draft draft = {.values = calloc(space->count, sizeof(json_t *)),
                          .active = calloc(space_node_count(space), sizeof *draft.active)};
    json_t *config = json_object();
    enum status status = STATUS_OK;
    if (draft.values == NULL || draft.active == NULL)
        status = out_of_memory(err);
    if (status == STATUS_OK)
        status = draw(space, units, &draft, err);
    if (status == STATUS_OK)
        status = put_draft(space, &draft, config, err);
    draft_free(space, &draft);
    return hand_over(status, config, out);
}

enum status space_random_point(const struct space *space, uint64_t seed, uint64_t ordinal, json_t **out,
                               struct err *err)
{
    *out = NULL;
    double *units = calloc(space->count, sizeof *units);
    if (units == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < space->count; i++)
        units[i] = random_draw_unit(seed, ordinal, space->leaves[i].path, 0);
    enum status status = space_from_unit(space, units, out, err);
    free(units);
    return status;
}

static enum status leaf_unit(const struct space *space, size_t index, const json_t *config, double *out_unit,
                             struct err *err)
{
    const struct leaf *leaf = &space->leaves[index];
    const json_t *value = space_config_get(space, index, config);
    if (value == NULL)
        return err_set(err, STATUS_INVALID, "parameter %.100s: missing from the configuration", leaf->path);
    if (!leaf->parameter.kind->unit_of(&leaf->parameter, value, out_unit))
        return err_set(err, STATUS_INVALID, "parameter %.100s: not a value of %s", leaf->path,
                       leaf->parameter.kind->name);
    return STATUS_OK;
}

enum status space_to_unit(const struct space *space, const json_t *config, double *out_units, struct err *err)
{
    bool *active = calloc(space->count, sizeof *active);
    enum status status = active != NULL ? space_active(space, config, active, err) : out_of_memory(err);
    for (size_t i = 0; i < space->count && status == STATUS_OK; i++) {
        out_units[i] = INACTIVE_UNIT;
        if (active[i])
            status = leaf_unit(space, i, config, &out_units[i], err);
    }
    free(active);
    return status;
}
