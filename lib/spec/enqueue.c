/*
 * `enqueue`: points to try first. Each value is looked at as its parameter
 * takes it, and put at its place in the file when it is wrong.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "space/given.h"
#include "spec/schema.h"

/* One point, while it is being read. */
struct entry {
    struct schema *schema;
    size_t number; /* from 1 */
    const char *names[SPACE_DEPTH_MAX];
    size_t depth;
    size_t values;
};

static bool wants_number(const struct distribution *kind)
{
    return kind->law != NULL || strcmp(kind->name, "int_uniform") == 0;
}

/* NULL after a problem was reported. */
static json_t *read_value(struct entry *entry, const struct node *value)
{
    struct schema *schema = entry->schema;
    const struct space *space = schema->spec->space;
    size_t index = given_find_parameter(space, entry->names, entry->depth);
    char fault[GIVEN_FAULT_MAX];
    json_t *taken = NULL;
    if (index == SIZE_MAX) {
        schema->reader.out_of_memory = true;
        return NULL;
    }
    json_t *given = wants_number(space_parameter_kind(space, index)) ? schema_number_to_json(schema, value)
                                                                     : node_to_json(&schema->reader, value);
    if (given == NULL)
        return NULL;
    bool on_grid = schema->spec->method == SPEC_METHOD_GRID;
    if (!given_take(space, index, given, on_grid, &taken, fault))
        schema->reader.out_of_memory = true;
    else if (taken == NULL)
        schema_error(schema, value, "point %zu of enqueue: %.100s %s", entry->number,
                     space_parameter_path(space, index), fault);
    json_decref(given);
    entry->values++;
    return taken;
}

static void report_stranger(struct entry *entry, const struct node *key, const json_t *definitions)
{
    size_t count = 0;
    const char **names = calloc(json_object_size(definitions) + 1, sizeof *names);
    const char *name;
    json_t *definition;
    if (names == NULL) {
        entry->schema->reader.out_of_memory = true;
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)definitions, name, definition) names[count++] = name;
    schema_error(entry->schema, key, "point %zu of enqueue: there is no parameter \"%.80s\"%s", entry->number,
                 key->text, problems_did_you_mean(entry->schema->reader.problems, key->text, names, count));
    free(names);
}

static void read_level(struct entry *entry, const struct node *map, const json_t *definitions, json_t *out);

static json_t *read_child(struct entry *entry, const struct node *value, const json_t *definition)
{
    const json_t *nested = json_object_get(definition, "parameters");
    if (nested == NULL)
        return read_value(entry, value);
    if (value->kind != NODE_MAP) {
        schema_error(entry->schema, value,
                     "point %zu of enqueue: %.80s holds parameters: give a map of them, not %s",
                     entry->number, entry->names[entry->depth - 1], node_describe(value));
        return NULL;
    }
    json_t *level = json_object();
    read_level(entry, value, nested, level);
    return level;
}

static void read_level(struct entry *entry, const struct node *map, const json_t *definitions, json_t *out)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct node_pair *pair = &map->pairs[i];
        const json_t *definition = json_object_get(definitions, pair->key->text);
        if (definition == NULL || entry->depth >= SPACE_DEPTH_MAX) {
            report_stranger(entry, pair->key, definitions);
            continue;
        }
        entry->names[entry->depth++] = pair->key->text;
        json_t *child = read_child(entry, pair->value, definition);
        entry->depth--;
        if (child != NULL && json_object_set_new(out, pair->key->text, child) != 0)
            entry->schema->reader.out_of_memory = true;
    }
}

/* A value for a parameter that is not there would be dropped without a word. */
static void check_conditions(struct entry *entry, const struct node *map, const json_t *given)
{
    struct schema *schema = entry->schema;
    const struct space *space = schema->spec->space;
    struct err err = ERR_INIT;
    bool *active = calloc(space_parameter_count(space) + 1, sizeof *active);
    if (active == NULL || space_active(space, given, active, &err) != STATUS_OK)
        schema->reader.out_of_memory = true;
    for (size_t i = 0; active != NULL && i < space_parameter_count(space); i++)
        if (!active[i] && space_config_get(space, i, given) != NULL)
            schema_error(schema, map,
                         "point %zu of enqueue: %.100s is only there when its conditions hold: give the "
                         "parameters that they name too, with values for which they do",
                         entry->number, space_parameter_path(space, i));
    free(active);
}

/* The point as it is stored; NULL after a problem was reported. */
static json_t *read_point(struct schema *schema, const struct node *map, size_t number)
{
    struct entry entry = {.schema = schema, .number = number};
    size_t before = schema->reader.problems->error_count;
    if (map->kind != NODE_MAP) {
        schema_error(schema, map, "point %zu of enqueue must be a map of parameters and values, not %s",
                     number, node_describe(map));
        return NULL;
    }
    json_t *given = json_object();
    read_level(&entry, map, schema->parameters, given);
    if (entry.values == 0 && schema->reader.problems->error_count == before)
        schema_error(schema, map, "point %zu of enqueue says no value: give one at least", number);
    if (space_has_conditions(schema->spec->space) && schema->reader.problems->error_count == before)
        check_conditions(&entry, map, given);
    if (schema->reader.problems->error_count == before)
        return given;
    json_decref(given);
    return NULL;
}

/* Points that stand there twice. */
struct repeats {
    json_t *seen;              /* owned; texts to the numbers of points */
    const struct node *node;   /* the first repeat */
    size_t count, first, same; /* its number, and that of the point that it repeats */
};

static void note_repeat(struct schema *schema, const struct node *map, const json_t *given, size_t number,
                        struct repeats *repeats)
{
    char *text = space_config_text(given);
    const json_t *same = text != NULL ? json_object_get(repeats->seen, text) : NULL;
    if (same != NULL && repeats->count++ == 0) {
        repeats->node = map;
        repeats->first = number;
        repeats->same = (size_t)json_integer_value(same);
    } else if (same == NULL && (text == NULL || json_object_set_new(repeats->seen, text,
                                                                    json_integer((json_int_t)number)) != 0)) {
        schema->reader.out_of_memory = true;
    }
    free(text);
}

static void warn_repeats(struct schema *schema, const struct repeats *repeats)
{
    char more[64] = "";
    if (repeats->count > 1)
        (void)snprintf(more, sizeof more, ", and %zu more stand there again", repeats->count - 1);
    if (repeats->count > 0)
        schema_warning(schema, repeats->node, "point %zu of enqueue is point %zu again%s: %s", repeats->first,
                       repeats->same, more,
                       schema->spec->method == SPEC_METHOD_GRID ? "a grid hands each out once"
                                                                : "such are tried again");
}

static void check_cap(struct schema *schema, const struct node *key, size_t count)
{
    int64_t cap = schema->spec->run_cap;
    if (cap > 0 && (uint64_t)cap < count)
        schema_warning(schema, key, "run_cap is %lld: the last %lld of %zu points will not be tried",
                       (long long)cap, (long long)count - (long long)cap, count);
}

static json_t *read_points(struct schema *schema, const struct node *list)
{
    json_t *points = json_array();
    struct repeats repeats = {.seen = json_object()};
    for (size_t i = 0; i < list->count; i++) {
        json_t *given = read_point(schema, list->items[i], i + 1);
        if (given == NULL)
            continue;
        note_repeat(schema, list->items[i], given, i + 1, &repeats);
        if (json_array_append_new(points, given) != 0)
            schema->reader.out_of_memory = true;
    }
    warn_repeats(schema, &repeats);
    json_decref(repeats.seen);
    return points;
}

void schema_read_enqueue(struct schema *schema)
{
    const struct node_pair *pair = node_find(schema->root, "enqueue");
    if (pair == NULL)
        return;
    if (pair->value->kind != NODE_LIST) {
        schema_error(schema, pair->value,
                     "enqueue must be a list of points, each a map of parameters and values, not %s",
                     node_describe(pair->value));
        return;
    }
    if (pair->value->count > SPEC_ENQUEUE_MAX) {
        schema_error(schema, pair->key, "enqueue has %zu points, and may have %d", pair->value->count,
                     SPEC_ENQUEUE_MAX);
        return;
    }
    if (schema->spec->space == NULL || pair->value->count == 0)
        return;
    check_cap(schema, pair->key, pair->value->count);
    schema->spec->enqueue = read_points(schema, pair->value);
}
