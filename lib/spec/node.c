// SPDX-License-Identifier: GPL-3.0-or-later
#include "spec/node.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COMPARE_BUDGET 1000

struct ranked_pair {
    struct node_pair pair;
    size_t rank; /* order of precedence */
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked_pair *x = a;
    const struct ranked_pair *y = b;
    int order = strcmp(x->pair.key->text, y->pair.key->text);
    if (order != 0)
        return order;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static bool equal_nodes(const struct node *a, const struct node *b, size_t *budget)
{
    if (a == b)
        return true;
    if (*budget == 0 || a->kind != b->kind || a->count != b->count)
        return false;
    --*budget;
    if (a->kind == NODE_SCALAR)
        return strcmp(a->text, b->text) == 0 && a->scalar.kind == b->scalar.kind;
    for (size_t i = 0; i < a->count; i++) {
        if (a->kind == NODE_LIST && !equal_nodes(a->items[i], b->items[i], budget))
            return false;
        if (a->kind == NODE_MAP && (strcmp(a->pairs[i].key->text, b->pairs[i].key->text) != 0 ||
                                    !equal_nodes(a->pairs[i].value, b->pairs[i].value, budget)))
            return false;
    }
    return true;
}

static void report_repeat(struct reader *reader, const struct node_pair *first, const struct node_pair *again)
{
    size_t budget = COMPARE_BUDGET;
    bool harmless = equal_nodes(first->value, again->value, &budget);
    problems_add(reader->problems, harmless ? SPEC_WARNING : SPEC_ERROR, again->key->place,
                 "key \"%.80s\" is there twice (first on line %zu)%s", again->key->text,
                 first->key->place.line, harmless ? "" : ": keep one of them");
}

void node_finish_map(struct reader *reader, struct node *map, size_t own_count)
{
    struct ranked_pair *ranked = calloc(map->count + 1, sizeof *ranked);
    if (ranked == NULL) {
        reader->out_of_memory = true;
        map->count = 0;
        return;
    }
    for (size_t i = 0; i < map->count; i++)
        ranked[i] = (struct ranked_pair){.pair = map->pairs[i], .rank = i};
    qsort(ranked, map->count, sizeof *ranked, compare_ranked);
    size_t kept = 0;
    for (size_t i = 0; i < map->count; i++) {
        bool repeat = kept > 0 && strcmp(map->pairs[kept - 1].key->text, ranked[i].pair.key->text) == 0;
        if (!repeat)
            map->pairs[kept++] = ranked[i].pair;
        else if (ranked[i].rank < own_count)
            report_repeat(reader, &map->pairs[kept - 1], &ranked[i].pair);
    }
    map->count = kept;
    free(ranked);
}

static int compare_key(const void *key, const void *pair)
{
    return strcmp(key, ((const struct node_pair *)pair)->key->text);
}

const struct node_pair *node_find(const struct node *map, const char *key)
{
    if (map == NULL || map->kind != NODE_MAP || map->count == 0)
        return NULL;
    return bsearch(key, map->pairs, map->count, sizeof *map->pairs, compare_key);
}

static json_t *text_to_json(struct reader *reader, const struct node *node)
{
    /* 08 stays text: only a point or an exponent says that a number was meant */
    bool number_like = node->plain && strpbrk(node->text, ".eE") != NULL;
    struct scalar meant = number_like ? scalar_read_number(node->text) : node->scalar;
    if (meant.kind != SCALAR_REAL || !isfinite(meant.real))
        return json_string(node->text);
    if (reader->is_json)
        return json_real(meant.real);
    problems_add(reader->problems, SPEC_WARNING, node->place,
                 "%.80s is text in YAML 1.1: read as the number %g (quote it to keep the text)", node->text,
                 meant.real);
    return json_real(meant.real);
}

static json_t *real_to_json(struct reader *reader, const struct node *node)
{
    if (isfinite(node->scalar.real))
        return json_real(node->scalar.real);
    const char *text = isnan(node->scalar.real) ? "nan" : node->scalar.real > 0 ? "inf" : "-inf";
    problems_add(reader->problems, SPEC_WARNING, node->place,
                 "%.80s is no number in JSON: programs get the text \"%s\"", node->text, text);
    return json_string(text);
}

static json_t *scalar_to_json(struct reader *reader, const struct node *node)
{
    switch (node->scalar.kind) {
    case SCALAR_NULL: return json_null();
    case SCALAR_BOOL: return json_boolean(node->scalar.flag);
    case SCALAR_INTEGER: return json_integer((json_int_t)node->scalar.integer);
    case SCALAR_REAL: return real_to_json(reader, node);
    case SCALAR_TOO_LARGE:
        problems_add(reader->problems, SPEC_ERROR, node->place,
                     "%.80s is beyond 64 bits (write it as text in quotes, or as a real number)", node->text);
        return NULL;
    case SCALAR_TEXT: return text_to_json(reader, node);
    }
    return NULL;
}

static json_t *list_to_json(struct reader *reader, const struct node *node)
{
    json_t *list = json_array();
    for (size_t i = 0; i < node->count; i++) {
        json_t *item = node_to_json(reader, node->items[i]);
        if (item == NULL || json_array_append_new(list, item) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* A key as Python's json module writes it: 0x10 is "16", yes is "true". */
static json_t *set_member(json_t *object, const struct node *key, json_t *value)
{
    char number[32];
    const char *name = key->text;
    if (key->scalar.kind == SCALAR_NULL)
        name = "null";
    else if (key->scalar.kind == SCALAR_BOOL)
        name = key->scalar.flag ? "true" : "false";
    else if (key->scalar.kind == SCALAR_INTEGER) {
        snprintf(number, sizeof number, "%lld", (long long)key->scalar.integer);
        name = number;
    }
    return json_object_set_new(object, name, value) == 0 ? object : NULL;
}

static json_t *map_to_json(struct reader *reader, const struct node *node)
{
    json_t *object = json_object();
    for (size_t i = 0; i < node->count; i++) {
        json_t *value = node_to_json(reader, node->pairs[i].value);
        if (value == NULL || set_member(object, node->pairs[i].key, value) == NULL) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

json_t *node_to_json(struct reader *reader, const struct node *node)
{
    if (reader->budget == 0) {
        problems_add(reader->problems, SPEC_ERROR, node->place,
                     "aliases expand to more than %d values: write fewer of them", NODE_COUNT_MAX);
        return NULL;
    }
    reader->budget--;
    switch (node->kind) {
    case NODE_SCALAR: return scalar_to_json(reader, node);
    case NODE_LIST: return list_to_json(reader, node);
    case NODE_MAP: return map_to_json(reader, node);
    }
    return NULL;
}

const char *node_describe(const struct node *node)
{
    static const char *const scalars[] = {
        [SCALAR_TEXT] = "text",          [SCALAR_NULL] = "nothing",
        [SCALAR_BOOL] = "true or false", [SCALAR_REAL] = "a number",
        [SCALAR_INTEGER] = "a number",   [SCALAR_TOO_LARGE] = "a number beyond 64 bits"};
    if (node->kind == NODE_LIST)
        return "a list";
    return node->kind == NODE_MAP ? "a map" : scalars[node->scalar.kind];
}
