// SPDX-License-Identifier: GPL-3.0-or-later
#include "space/given.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "space/compose.h"
#include "space/condition.h"
#include "space/law.h"
#include "space/leaf.h"

#define BOUND_TOLERANCE 1e-12 /* of the bounds' size: what a logarithm there and back leaves */
#define STEP_TOLERANCE 1e-9   /* of q: 0.3 is meant to be 3 * 0.1 */
#define EXACT_INTEGER_LIMIT 0x1p63

/* ---- which parameter ---- */

/* Leaves stand sorted by their names, level by level. */
static int compare_ways(const char *const *names, size_t depth, const struct leaf *leaf)
{
    for (size_t i = 0; i < depth && i < leaf->depth; i++) {
        int order = strcmp(names[i], leaf->names[i]);
        if (order != 0)
            return order;
    }
    return depth < leaf->depth ? -1 : depth > leaf->depth;
}

size_t given_find_parameter(const struct space *space, const char *const *names, size_t depth)
{
    size_t low = 0;
    size_t high = space->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_ways(names, depth, &space->leaves[middle]);
        if (order == 0)
            return middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return SIZE_MAX;
}

/* ---- one value ---- */

struct taking {
    const struct parameter *parameter;
    const json_t *value;
    bool on_grid;
    char *fault;
};

#define REFUSE(taking, ...) ((void)snprintf((taking)->fault, GIVEN_FAULT_MAX, __VA_ARGS__), NULL)

static bool is_never_drawn(const struct parameter *parameter, uint64_t place)
{
    if (parameter->cumulative == NULL)
        return false;
    size_t index = parameter->distinct[place];
    return !(parameter->cumulative[index] > (index > 0 ? parameter->cumulative[index - 1] : 0));
}

/* Of kinds whose values can be counted. */
static json_t *take_listed(const struct taking *taking)
{
    const struct parameter *parameter = taking->parameter;
    const struct distribution *kind = parameter->kind;
    uint64_t place = 0;
    uint64_t count = 0;
    if (!kind->locate(parameter, taking->value, &place)) {
        if (kind->law == NULL && parameter->values == NULL && strcmp(kind->name, "constant") != 0)
            return REFUSE(taking, "must be a whole number from %lld to %lld", (long long)parameter->low,
                          (long long)parameter->high);
        return REFUSE(taking, kind->law != NULL           ? "is not on the grid"
                              : parameter->values != NULL ? "is not one of its values"
                                                          : "is a constant of another value");
    }
    if (is_never_drawn(parameter, place))
        return REFUSE(taking, "has probability 0");
    if (kind->grid_value == NULL)
        return json_incref(json_array_get(parameter->values, parameter->distinct[place]));
    if (!kind->grid_count(parameter, &count) || place >= count)
        return REFUSE(taking, "is not on the grid");
    return kind->grid_value(parameter, place);
}

/* Of an unquantised law; onto a bound that is missed by rounding alone. */
static json_t *take_number(const struct taking *taking, double x)
{
    const struct parameter *parameter = taking->parameter;
    double low = parameter->kind->law->quantile(parameter->arguments, 0);
    double high = parameter->kind->law->quantile(parameter->arguments, 1);
    double slack = BOUND_TOLERANCE * fmax(fabs(low), fabs(high));
    if (!(x >= low - slack && x <= high + slack))
        return REFUSE(taking, "is %.10g, and must be from %.10g to %.10g", x, low, high);
    return json_real(fmin(fmax(x, low), high));
}

static json_t *take_multiple(const struct taking *taking, double x)
{
    const struct parameter *parameter = taking->parameter;
    double q = parameter->arguments[2];
    double first = nearbyint(parameter->kind->law->quantile(parameter->arguments, 0) / q) * q;
    double last = nearbyint(parameter->kind->law->quantile(parameter->arguments, 1) / q) * q;
    double near = nearbyint(x / q) * q;
    if (!(near >= first && near <= last))
        return REFUSE(taking, "is %.10g, and must be from %.10g to %.10g", x, first, last);
    if (!(fabs(x - near) <= q * STEP_TOLERANCE))
        return REFUSE(taking, "is %.10g, which is no multiple of q = %.10g (the nearest is %.10g)", x, q,
                      near);
    return parameter->whole[2] && fabs(near) < EXACT_INTEGER_LIMIT ? json_integer((json_int_t)near)
                                                                   : json_real(near);
}

static json_t *take(const struct taking *taking)
{
    const struct distribution *kind = taking->parameter->kind;
    double x = json_number_value(taking->value);
    if (kind->locate != NULL && (kind->law == NULL || taking->on_grid))
        return take_listed(taking);
    if (!json_is_number(taking->value))
        return REFUSE(taking, "must be a number");
    return kind->quantised ? take_multiple(taking, x) : take_number(taking, x);
}

bool given_take(const struct space *space, size_t index, const json_t *value, bool on_grid, json_t **out,
                char fault[GIVEN_FAULT_MAX])
{
    const struct taking taking = {
        .parameter = &space->leaves[index].parameter, .value = value, .on_grid = on_grid, .fault = fault};
    fault[0] = '\0';
    *out = take(&taking);
    return *out != NULL || fault[0] != '\0';
}

/* ---- a whole configuration ---- */

static json_t *draw_value(const struct parameter *parameter, double u, bool on_grid)
{
    uint64_t count = 0;
    if (!on_grid || parameter->kind->grid_value == NULL || !parameter->kind->grid_count(parameter, &count))
        return parameter->kind->value_at(parameter, u);
    double place = fmin(floor(u * (double)count), (double)(count - 1));
    return parameter->kind->grid_value(parameter, (uint64_t)place);
}

enum status given_complete(const struct space *space, const json_t *given, uint64_t seed, uint64_t ordinal,
                           bool on_grid, json_t **out, struct err *err)
{
    json_t **values = calloc(space->count + 1, sizeof(json_t *));
    *out = NULL;
    for (size_t i = 0; values != NULL && i < space->count; i++) {
        const struct leaf *leaf = &space->leaves[i];
        values[i] = json_incref(space_config_get(space, i, given));
        if (values[i] == NULL)
            values[i] = draw_value(&leaf->parameter, random_draw_unit(seed, ordinal, leaf->path, 0), on_grid);
    }
    enum status status = values != NULL
                             ? compose_config(space, values, out, err)
                             : err_set(err, STATUS_NO_MEMORY, "making a configuration: out of memory");
    for (size_t i = 0; values != NULL && i < space->count; i++)
        json_decref(values[i]);
    free(values);
    return status;
}

/* ---- a configuration from elsewhere ---- */

static enum status adopt_value(const struct space *space, size_t i, json_t **value, struct err *err)
{
    char fault[GIVEN_FAULT_MAX];
    json_t *taken = NULL;
    bool is_constant = strcmp(space->leaves[i].parameter.kind->name, "constant") == 0;
    if (*value == NULL)
        return err_set(err, STATUS_INVALID, "parameter %.100s: missing from the configuration",
                       space->leaves[i].path);
    if (is_constant) /* says nothing about the search, whatever it was there */
        return STATUS_OK;
    if (!given_take(space, i, *value, false, &taken, fault))
        return err_set(err, STATUS_NO_MEMORY, "reading a configuration: out of memory");
    if (taken == NULL)
        return err_set(err, STATUS_INVALID, "parameter %.100s %s", space->leaves[i].path, fault);
    json_decref(*value);
    *value = taken;
    return STATUS_OK;
}

static enum status adopt_values(const struct space *space, json_t **values, bool *active, json_t **out,
                                struct err *err)
{
    conditions_apply(space, values, active);
    for (size_t i = 0; i < space->count; i++)
        if (active[i])
            TRY(adopt_value(space, i, &values[i], err));
    return compose_config(space, values, out, err);
}

enum status given_adopt(const struct space *space, const json_t *config, json_t **out, struct err *err)
{
    json_t **values = calloc(space->count + 1, sizeof(json_t *));
    bool *active = calloc(space_node_count(space) + 1, sizeof *active);
    enum status status = STATUS_OK;
    *out = NULL;
    if (values == NULL || active == NULL)
        status = err_set(err, STATUS_NO_MEMORY, "reading a configuration: out of memory");
    for (size_t i = 0; i < space->count && status == STATUS_OK; i++) {
        const struct parameter *parameter = &space->leaves[i].parameter;
        values[i] = json_incref(space_config_get(space, i, config));
        if (values[i] == NULL && strcmp(parameter->kind->name, "constant") == 0)
            values[i] = parameter->kind->value_at(parameter, 0);
    }
    if (status == STATUS_OK)
        status = adopt_values(space, values, active, out, err);
    for (size_t i = 0; values != NULL && i < space->count; i++)
        json_decref(values[i]);
    free(values);
    free(active);
    return status;
}
