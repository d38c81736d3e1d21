// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/suggestion/bayes_levels.h"

#include <math.h>
#include <string.h>

#include "space/space.h"

#define TABLE_MAX 16384 /* levels of a multiple of q; more are searched as continuous, and rounded */
#define ORDERED_LEAST 3 /* numbers in a list that make an order */
#define LOGARITHMIC_FROM 10
#define UNEVEN_FROM 4
#define ONLY "p"

/* ---- one parameter as a space of its own ---- */

static enum status lone_space(const json_t *definition, struct space **out, struct err *err)
{
    json_t *leaf = json_copy((json_t *)(uintptr_t)definition);
    json_t *parameters = json_object();
    enum status status = STATUS_OK;
    (void)json_object_del(leaf, "when");
    if (json_object_set_new(parameters, ONLY, leaf) != 0)
        status = err_set(err, STATUS_NO_MEMORY, "levels: out of memory");
    else
        status = space_new(parameters, out, err);
    json_decref(parameters);
    return status;
}

/* Steals `value`. */
static enum status unit_of(const struct space *lone, json_t *value, double *out, struct err *err)
{
    json_t *config = json_object();
    enum status status = STATUS_OK;
    if (json_object_set_new(config, ONLY, value) != 0)
        status = err_set(err, STATUS_NO_MEMORY, "levels: out of memory");
    else
        status = space_to_unit(lone, config, out, err);
    json_decref(config);
    return status;
}

static enum status number_at(const struct space *lone, double unit, double *out, struct err *err)
{
    json_t *config = NULL;
    TRY(space_from_unit(lone, &unit, &config, err));
    *out = json_number_value(json_object_get(config, ONLY));
    json_decref(config);
    return STATUS_OK;
}

/* ---- multiples of q ---- */

static enum status fill_multiples(const struct space *lone, double first, double q, uint64_t count,
                                  double *units, uint64_t *kept, struct err *err)
{
    *kept = 0;
    for (uint64_t k = 0; k < count; k++) {
        double value = nearbyint(first / q + (double)k) * q;
        double back = 0;
        TRY(unit_of(lone, json_real(value), &units[*kept], err));
        TRY(number_at(lone, units[*kept], &back, err));
        /* Where the law has no digits left for them, neighbours fall together. */
        if (fabs(back - value) < q / 2)
            ++*kept;
    }
    return STATUS_OK;
}

/* The place of the multiple at a place; the place itself where the law has no digits left for multiples. */
static double snap(void *context, double place)
{
    struct err err;
    const struct space *lone = context;
    double value = 0, snapped = 0, again = 0;
    if (number_at(lone, place, &value, &err) != STATUS_OK ||
        unit_of(lone, json_real(value), &snapped, &err) != STATUS_OK ||
        number_at(lone, snapped, &again, &err) != STATUS_OK)
        return place;
    return again == value ? snapped : place;
}

static enum status make_multiples(const json_t *definition, struct bayes_levels *out, struct arena *arena,
                                  struct err *err)
{
    struct space *lone CLEANUP(space_free_at) = NULL;
    const json_t *given = json_object_get(definition, "q");
    double q = given == NULL ? 1 : json_number_value(given);
    double first = 0;
    double last = 0;
    TRY(lone_space(definition, &lone, err));
    TRY(number_at(lone, 0, &first, err));
    TRY(number_at(lone, 1, &last, err));
    double count = nearbyint((last - first) / q) + 1;
    out->dim.kind = OPTIM_FLOAT;
    if (!(count >= 1 && count <= TABLE_MAX)) {
        out->lone = lone;
        out->dim.snap = snap;
        out->dim.context = lone;
        lone = NULL;
        return STATUS_OK;
    }
    double *units = arena_alloc(arena, (size_t)count * sizeof *units);
    if (units == NULL)
        return err_set(err, STATUS_NO_MEMORY, "levels: out of memory");
    TRY(fill_multiples(lone, first, q, (uint64_t)count, units, &out->dim.levels, err));
    if (out->dim.levels == 0)
        return STATUS_OK;
    out->dim.kind = OPTIM_ORDERED;
    out->dim.positions = out->units = units;
    return STATUS_OK;
}

/* ---- lists ---- */

struct list {
    const json_t *values;
    size_t count;   /* distinct values that can occur */
    size_t *places; /* of each in values, ascending */
    double *units;
    double *shares; /* NULL: equal */
};

/* The first of each value; with probabilities, those that have any. */
static enum status read_list(const json_t *definition, struct list *list, struct arena *arena,
                             struct err *err)
{
    struct space *lone CLEANUP(space_free_at) = NULL;
    const json_t *probabilities = json_object_get(definition, "probabilities");
    *list = (struct list){.values = json_object_get(definition, "values")};
    size_t size = json_array_size(list->values);
    TRY(lone_space(definition, &lone, err));
    list->places = arena_alloc(arena, (size + 1) * sizeof *list->places);
    list->units = arena_alloc(arena, (size + 1) * sizeof *list->units);
    list->shares = arena_alloc(arena, (size + 1) * sizeof *list->shares);
    if (list->places == NULL || list->units == NULL || list->shares == NULL)
        return err_set(err, STATUS_NO_MEMORY, "levels: out of memory");
    for (size_t i = 0; i < size; i++) {
        double unit = 0;
        double share = probabilities == NULL ? 1 : json_number_value(json_array_get(probabilities, i));
        TRY(unit_of(lone, json_incref(json_array_get(list->values, i)), &unit, err));
        bool repeated = list->count > 0 && unit <= list->units[list->count - 1];
        if (repeated || !(share > 0))
            continue;
        list->places[list->count] = i;
        list->shares[list->count] = share;
        list->units[list->count++] = unit;
    }
    if (probabilities == NULL)
        list->shares = NULL;
    return STATUS_OK;
}

static double list_number(const struct list *list, size_t k)
{
    return json_number_value(json_array_get(list->values, list->places[k]));
}

/* 1 ascending, -1 descending, 0 neither or no numbers. */
static int direction_of(const struct list *list)
{
    int direction = list->count < ORDERED_LEAST || list->shares != NULL ? 0
                    : list_number(list, 1) > list_number(list, 0)       ? 1
                                                                        : -1;
    for (size_t k = 0; k < list->count; k++) {
        if (!json_is_number(json_array_get(list->values, list->places[k])))
            return 0;
        if (k > 0 && !(direction * (list_number(list, k) - list_number(list, k - 1)) > 0))
            return 0;
    }
    return direction;
}

/* How numbers in order are placed: as they are, or by their logarithm, with a place for 0. */
struct scale {
    bool logarithmic;
    double log_zero;
};

static double scaled(const struct scale *scale, double number)
{
    return !scale->logarithmic ? number : number > 0 ? log(number) : scale->log_zero;
}

/* Whether the greatest step from a number to the next is UNEVEN_FROM times the smallest. */
static bool is_uneven(const struct list *list)
{
    double least = INFINITY;
    double most = 0;
    for (size_t k = 1; k < list->count; k++) {
        double step = fabs(list_number(list, k) - list_number(list, k - 1));
        least = fmin(least, step);
        most = fmax(most, step);
    }
    return most >= UNEVEN_FROM * least;
}

/*
 * The logarithm where numbers span a factor of LOGARITHMIC_FROM. A 0 beside them that is no even step away
 * ("none, 1e-5, 1e-4 or 1e-3 of it") stands as far below the least of them as they are from each other.
 */
static struct scale scale_of(const struct list *list, int direction)
{
    size_t least = direction > 0 ? 0 : list->count - 1;
    bool has_zero = fpclassify(list_number(list, least)) == FP_ZERO;
    double low = list_number(list, !has_zero ? least : direction > 0 ? 1 : least - 1);
    double high = list_number(list, list->count - 1 - least);
    bool logarithmic = low > 0 && high / low >= LOGARITHMIC_FROM && (!has_zero || is_uneven(list));
    double step = has_zero ? log(high / low) / (double)(list->count - 2) : 0;
    return (struct scale){.logarithmic = logarithmic, .log_zero = log(low) - step};
}

/* Where numbers in order stand: half a mean gap from the ends, as the middles of equal cells would. */
static void place_numbers(const struct list *list, int direction, double *positions)
{
    double ends[2] = {list_number(list, 0), list_number(list, list->count - 1)};
    struct scale scale = scale_of(list, direction);
    double from = scaled(&scale, fmin(ends[0], ends[1]));
    double width = scaled(&scale, fmax(ends[0], ends[1])) - from;
    double margin = 0.5 / (double)list->count;
    for (size_t k = 0; k < list->count; k++) {
        double share = (scaled(&scale, list_number(list, k)) - from) / width;
        if (!isfinite(share))
            share = (double)k / (double)(list->count - 1);
        positions[k] = margin + (1 - 2 * margin) * (direction > 0 ? share : 1 - share);
    }
}

static enum status make_list(const json_t *definition, struct bayes_levels *out, struct arena *arena,
                             struct err *err)
{
    struct list list;
    TRY(read_list(definition, &list, arena, err));
    int direction = direction_of(&list);
    double *positions = arena_alloc(arena, (list.count + 1) * sizeof *positions);
    if (positions == NULL)
        return err_set(err, STATUS_NO_MEMORY, "levels: out of memory");
    *out = (struct bayes_levels){.dim = {.kind = OPTIM_CATEGORY, .levels = list.count, .shares = list.shares},
                                 .units = list.units};
    if (direction != 0) {
        place_numbers(&list, direction, positions);
        out->dim.kind = OPTIM_ORDERED;
        out->dim.positions = positions;
    }
    return STATUS_OK;
}

static void make_integers(const json_t *definition, struct bayes_levels *out)
{
    double low = json_number_value(json_object_get(definition, "min"));
    double high = json_number_value(json_object_get(definition, "max"));
    double count = high - low + 1;
    bool few = count <= (double)OPTIM_LEVELS_MAX;
    out->dim.kind = few ? OPTIM_ORDERED : OPTIM_FLOAT;
    out->dim.levels = few ? (uint64_t)count : 0;
}

enum status bayes_levels_make(const json_t *definition, struct bayes_levels *out, struct arena *arena,
                              struct err *err)
{
    const char *name = json_string_value(json_object_get(definition, "distribution"));
    const struct distribution *kind = name == NULL ? NULL : distribution_find(name);
    *out = (struct bayes_levels){.units = NULL};
    if (kind == NULL)
        return err_set(err, STATUS_INTERNAL, "levels: a definition without distribution");
    if (json_object_get(definition, "values") != NULL)
        return make_list(definition, out, arena, err);
    if (kind->quantised)
        return make_multiples(definition, out, arena, err);
    if (kind->law != NULL)
        out->dim.kind = OPTIM_FLOAT;
    else
        make_integers(definition, out);
    return STATUS_OK;
}

void bayes_levels_release(struct bayes_levels *levels)
{
    space_free(levels->lone);
    levels->lone = NULL;
}

/* ---- levels and places ---- */

double bayes_levels_unit(const struct bayes_levels *levels, double value)
{
    if (levels->dim.kind == OPTIM_FLOAT)
        return value;
    return levels->units != NULL ? levels->units[(uint64_t)value]
                                 : (value + 0.5) / (double)levels->dim.levels;
}

double bayes_levels_value(const struct bayes_levels *levels, double unit)
{
    /* Units ascend as positions do: the same search serves. */
    const struct optim_dim by_unit = {
        .kind = OPTIM_ORDERED, .levels = levels->dim.levels, .positions = levels->units};
    return levels->dim.kind == OPTIM_FLOAT ? unit : (double)dims_level_near(&by_unit, unit);
}
