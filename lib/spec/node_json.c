/*
 * Stored JSON → nodes, so that one reader serves sweep files and stored specs.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "space/canonical.h"
#include "spec/node.h"

static struct scalar scalar_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_NULL: return (struct scalar){.kind = SCALAR_NULL};
    case JSON_TRUE: return (struct scalar){.kind = SCALAR_BOOL, .flag = true};
    case JSON_FALSE: return (struct scalar){.kind = SCALAR_BOOL};
    case JSON_INTEGER: return (struct scalar){.kind = SCALAR_INTEGER, .integer = json_integer_value(value)};
    case JSON_REAL: return (struct scalar){.kind = SCALAR_REAL, .real = json_real_value(value)};
    default: return (struct scalar){.kind = SCALAR_TEXT};
    }
}

static const char *text_of(struct reader *reader, const json_t *value)
{
    if (json_is_string(value))
        return arena_strdup(reader->arena, json_string_value(value));
    CLEANUP(buffer_free) struct buffer text = BUFFER_INIT;
    canonical_write_json(&text, value);
    return text.failed ? NULL : arena_strdup(reader->arena, buffer_text(&text));
}

static struct node *from_list(struct reader *reader, struct node *node, const json_t *list)
{
    node->kind = NODE_LIST;
    node->items = arena_calloc(reader->arena, json_array_size(list) + 1, sizeof *node->items);
    if (node->items == NULL)
        return NULL;
    for (; node->count < json_array_size(list); node->count++) {
        node->items[node->count] = node_from_json(reader, json_array_get(list, node->count));
        if (node->items[node->count] == NULL)
            return NULL;
    }
    return node;
}

static struct node *from_object(struct reader *reader, struct node *node, const json_t *object)
{
    node->kind = NODE_MAP;
    node->pairs = arena_calloc(reader->arena, json_object_size(object) + 1, sizeof *node->pairs);
    if (node->pairs == NULL)
        return NULL;
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)object, name, member)
    {
        struct node *key = arena_calloc(reader->arena, 1, sizeof *key);
        struct node *value = node_from_json(reader, member);
        if (key == NULL || value == NULL || (key->text = arena_strdup(reader->arena, name)) == NULL)
            return NULL;
        node->pairs[node->count++] = (struct node_pair){key, value};
    }
    node_finish_map(reader, node, node->count);
    return node;
}

struct node *node_from_json(struct reader *reader, const json_t *value)
{
    struct node *node = arena_calloc(reader->arena, 1, sizeof *node);
    if (node == NULL)
        return NULL;
    node->flow = true;
    if (json_is_array(value))
        return from_list(reader, node, value);
    if (json_is_object(value))
        return from_object(reader, node, value);
    node->kind = NODE_SCALAR;
    node->scalar = scalar_of(value);
    node->text = text_of(reader, value);
    return node->text != NULL ? node : NULL;
}
