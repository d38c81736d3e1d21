/*
 * The `parameters` of a sweep file: walks nested maps, turns each leaf into a
 * definition as lib/space takes it, and puts its faults at their places.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "spec/schema.h"

#define PATH_MAX_BYTES 300
#define NAME_MAX_BYTES 256

/* One leaf, while it is being checked. */
struct leaf_report {
    struct schema *schema;
    const struct node *name; /* the parameter's name in the file */
    const struct node *definition;
    const char *path;
    bool faulty;
};

static void report_fault(void *context, const char *key, const char *text)
{
    struct leaf_report *leaf = context;
    const struct node_pair *pair = key != NULL ? node_find(leaf->definition, key) : NULL;
    const struct node *at = leaf->name;
    if (pair != NULL)
        at = pair->value->kind == NODE_SCALAR && strcmp(key, "distribution") == 0 ? pair->value : pair->key;
    schema_error(leaf->schema, at, "parameter %.100s: %s", leaf->path, text);
    leaf->faulty = true;
}

/* Whether any kind wants a number, or a list of numbers, under this key. */
static bool wants(const char *key, bool list)
{
    for (size_t i = 0; i < distribution_count; i++) {
        const struct distribution_key *known = distribution_find_key(&distributions[i], key);
        if (known != NULL && list == (known->type == DISTRIBUTION_KEY_NUMBERS) &&
            (list || known->type == DISTRIBUTION_KEY_NUMBER || known->type == DISTRIBUTION_KEY_INTEGER))
            return true;
    }
    return false;
}

/* Quoted or not. */
json_t *schema_number_to_json(struct schema *schema, const struct node *value)
{
    bool is_text = value->kind == NODE_SCALAR && value->scalar.kind == SCALAR_TEXT;
    struct scalar meant = is_text ? scalar_read_number(value->text) : (struct scalar){.kind = SCALAR_NULL};
    if (is_text && meant.kind == SCALAR_INTEGER) {
        schema_warning(schema, value, "\"%.80s\" is text: read as the number", value->text);
        return json_integer((json_int_t)meant.integer);
    }
    double number;
    if (is_text && schema_number_of(schema, value, &number))
        return json_real(number);
    return node_to_json(&schema->reader, value);
}

static json_t *numbers_to_json(struct schema *schema, const struct node *value)
{
    if (value->kind != NODE_LIST)
        return node_to_json(&schema->reader, value);
    json_t *list = json_array();
    for (size_t i = 0; i < value->count; i++) {
        json_t *item = schema_number_to_json(schema, value->items[i]);
        if (item == NULL || json_array_append_new(list, item) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *key_to_json(struct schema *schema, const char *key, const struct node *value)
{
    if (strcmp(key, "when") == 0)
        return schema_when_to_json(schema, value);
    if (wants(key, false))
        return schema_number_to_json(schema, value);
    return wants(key, true) ? numbers_to_json(schema, value) : node_to_json(&schema->reader, value);
}

/* NULL after a problem was reported. */
static json_t *definition_to_json(struct schema *schema, const struct node *definition)
{
    if (definition->kind != NODE_MAP)
        return node_to_json(&schema->reader, definition);
    json_t *object = json_object();
    for (size_t i = 0; i < definition->count; i++) {
        const char *key = definition->pairs[i].key->text;
        json_t *value = key_to_json(schema, key, definition->pairs[i].value);
        if (value == NULL || json_object_set_new(object, key, value) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static void warn_exponents(const struct leaf_report *leaf, const struct distribution *kind,
                           const json_t *definition)
{
    bool inverse = strncmp(kind->name, "inv_", 4) == 0;
    if (strcmp(kind->name, "log_uniform") != 0 && strcmp(kind->name, "q_log_uniform") != 0 &&
        strcmp(kind->name, "inv_log_uniform") != 0)
        return;
    double min = json_number_value(json_object_get(definition, "min"));
    double max = json_number_value(json_object_get(definition, "max"));
    double low = exp(inverse ? -max : min);
    double high = exp(inverse ? -min : max);
    bool misused = (min > 0 && max < 1) || (!inverse && high > 1e3);
    schema_warning(
        leaf->schema, leaf->name,
        "parameter %.100s: %s takes exponents of e, so values from %.4g to %.4g will be drawn%s%s%s",
        leaf->path, kind->name, low, high, misused ? " (did you mean " : "", misused ? kind->name : "",
        misused ? "_values?)" : "");
}

/* W&B's client refuses bounds of which one is an integer; floats are what they can only mean. */
static void warn_mixed_bounds(const struct leaf_report *leaf, const json_t *definition)
{
    const json_t *min = json_object_get(definition, "min");
    const json_t *max = json_object_get(definition, "max");
    if (json_object_get(definition, "distribution") == NULL && json_is_integer(min) != json_is_integer(max))
        schema_warning(leaf->schema, leaf->name,
                       "parameter %.100s: one bound is an integer, the other is not: read as uniform between "
                       "floats (write both alike, or name the distribution)",
                       leaf->path);
}

static const struct node *grid_fault_place(const struct leaf_report *leaf)
{
    const struct node_pair *named = node_find(leaf->definition, "distribution");
    return named != NULL ? named->value : leaf->name;
}

static void check_grid(const struct leaf_report *leaf, const struct distribution *kind)
{
    if (leaf->schema->has_method && leaf->schema->spec->method == SPEC_METHOD_GRID &&
        kind->grid_count == NULL)
        schema_error(leaf->schema, grid_fault_place(leaf),
                     "parameter %.100s: a grid cannot enumerate %s (give values, or use method: random)",
                     leaf->path, kind->name);
}

static void check_leaf(struct leaf_report *leaf, json_t *definition)
{
    const struct distribution *kind = distribution_check(definition, report_fault, leaf);
    if (kind == NULL || leaf->faulty)
        return;
    if (strcmp(kind->name, "uniform") == 0)
        warn_mixed_bounds(leaf, definition);
    warn_exponents(leaf, kind, definition);
    check_grid(leaf, kind);
    if (json_object_set_new(definition, "distribution", json_string(kind->name)) != 0)
        leaf->schema->reader.out_of_memory = true;
}

/* `parameters` beside other keys. True when the definition cannot be read further. */
static bool refuse_reserved(struct leaf_report *leaf)
{
    const struct node_pair *nested = node_find(leaf->definition, "parameters");
    if (nested != NULL)
        schema_error(leaf->schema, nested->key,
                     "parameter %.100s: parameters must be its only key, or stand beside when alone",
                     leaf->path);
    return nested != NULL;
}

static json_t *read_leaf(struct schema *schema, const struct node_pair *pair, const char *path)
{
    struct leaf_report leaf = {.schema = schema, .name = pair->key, .definition = pair->value, .path = path};
    if (refuse_reserved(&leaf))
        return NULL;
    json_t *definition = definition_to_json(schema, pair->value);
    if (definition != NULL)
        check_leaf(&leaf, definition);
    return definition;
}

static bool is_name(const char *name)
{
    if (!isalpha((unsigned char)*name) && *name != '_')
        return false;
    for (; *name != '\0'; name++)
        if (!isalnum((unsigned char)*name) && strchr("_.-", *name) == NULL)
            return false;
    return true;
}

static void check_name(struct schema *schema, const struct node *name, size_t depth)
{
    if (name->text[0] == '\0' || (depth == 1 && !is_name(name->text)))
        schema_error(
            schema, name,
            "parameter name \"%.80s\" must begin with a letter or _ and go on with letters, digits, _ . -",
            name->text);
    if (strlen(name->text) > NAME_MAX_BYTES)
        schema_error(schema, name, "a parameter name may have %d bytes", NAME_MAX_BYTES);
}

static json_t *read_level(struct schema *schema, const struct node *parameters, const char *prefix,
                          size_t depth);

static bool is_nested(const struct node *definition)
{
    size_t others = node_find(definition, "when") != NULL ? 1 : 0;
    return definition->kind == NODE_MAP && definition->count == 1 + others &&
           node_find(definition, "parameters") != NULL;
}

/* NULL after a problem was reported. */
static json_t *read_group(struct schema *schema, const struct node *definition, const char *path,
                          size_t depth)
{
    const struct node_pair *when = node_find(definition, "when");
    json_t *condition = when != NULL ? schema_when_to_json(schema, when->value) : NULL;
    json_t *inner = read_level(schema, node_find(definition, "parameters")->value, path, depth + 1);
    if (inner == NULL || (when != NULL && condition == NULL)) {
        json_decref(inner);
        json_decref(condition);
        return NULL;
    }
    return condition != NULL ? json_pack("{s:o,s:o}", "parameters", inner, "when", condition)
                             : json_pack("{s:o}", "parameters", inner);
}

/* The definition as it is stored; NULL after a problem was reported. */
static json_t *read_parameter(struct schema *schema, const struct node_pair *pair, const char *prefix,
                              size_t depth)
{
    char path[PATH_MAX_BYTES];
    snprintf(path, sizeof path, "%s%s%s", prefix, *prefix != '\0' ? "." : "", pair->key->text);
    check_name(schema, pair->key, depth);
    if (!is_nested(pair->value))
        return read_leaf(schema, pair, path);
    if (depth >= SPACE_DEPTH_MAX) {
        schema_error(schema, pair->key, "parameters are nested more than %d deep", SPACE_DEPTH_MAX);
        return NULL;
    }
    return read_group(schema, pair->value, path, depth);
}

static json_t *read_level(struct schema *schema, const struct node *parameters, const char *prefix,
                          size_t depth)
{
    if (parameters->kind != NODE_MAP || parameters->count == 0) {
        schema_error(schema, parameters, "parameters must be a map of at least one parameter, not %s",
                     parameters->kind == NODE_MAP ? "an empty one" : node_describe(parameters));
        return NULL;
    }
    json_t *level = json_object();
    for (size_t i = 0; i < parameters->count; i++) {
        json_t *definition = read_parameter(schema, &parameters->pairs[i], prefix, depth);
        if (definition != NULL && json_object_set_new(level, parameters->pairs[i].key->text, definition) != 0)
            schema->reader.out_of_memory = true;
    }
    return level;
}

void schema_read_parameters(struct schema *schema, const struct node *value, void *field)
{
    (void)field;
    size_t before = schema->reader.problems->error_count;
    json_decref(schema->parameters);
    schema->parameters = read_level(schema, value, "", 1);
    if (schema->reader.problems->error_count == before)
        return;
    json_decref(schema->parameters);
    schema->parameters = NULL;
}
