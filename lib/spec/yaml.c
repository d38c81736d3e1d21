/*
 * libyaml's events → nodes. Depth, number of nodes and what aliases and merge
 * keys add are bounded, so a hostile file costs no more than its size.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "spec/node.h"
#include "spec/yaml_problem.h"

#define TAG_PREFIX "tag:yaml.org,2002:"
#define TOO_DEEP "nested more than 100 deep"
#define DIRECTIVES_MAX 100 /* libyaml compares each with all before it */

/* In the reader's arena. */
struct anchor {
    const char *name;
    struct node *node;
    UT_hash_handle hh;
};

struct loader {
    struct reader *reader;
    yaml_parser_t parser;
    struct anchor *anchors; /* uthash; the newest of each name */
    size_t nodes;
    bool failed;
};

/* Growing array of children; moved into the arena when the collection ends. */
struct children {
    struct node **items; /* owned */
    size_t count;
    size_t capacity;
};

static void fail(struct loader *loader, yaml_mark_t mark, const char *text)
{
    if (!loader->failed)
        problems_add(loader->reader->problems, SPEC_ERROR, yaml_problem_place(mark), "%s", text);
    loader->failed = true;
}

static void fail_memory(struct loader *loader)
{
    loader->reader->out_of_memory = true;
    loader->failed = true;
}

static struct node *new_node(struct loader *loader, enum node_kind kind, yaml_mark_t mark)
{
    if (++loader->nodes > NODE_COUNT_MAX) {
        fail(loader, mark, "the file has too many values");
        return NULL;
    }
    struct node *node = arena_calloc(loader->reader->arena, 1, sizeof *node);
    if (node == NULL) {
        fail_memory(loader);
        return NULL;
    }
    node->kind = kind;
    node->place = yaml_problem_place(mark);
    return node;
}

static struct anchor *find_anchor(const struct loader *loader, const char *name)
{
    struct anchor *anchor = NULL;
    HASH_FIND_STR(loader->anchors, name, anchor);
    return anchor;
}

static void remember_anchor(struct loader *loader, const yaml_char_t *name, struct node *node)
{
    if (name == NULL)
        return;
    struct anchor *anchor = find_anchor(loader, (const char *)name);
    if (anchor != NULL) {
        anchor->node = node;
        return;
    }
    anchor = arena_calloc(loader->reader->arena, 1, sizeof *anchor);
    if (anchor == NULL || (anchor->name = arena_strdup(loader->reader->arena, (const char *)name)) == NULL) {
        fail_memory(loader);
        return;
    }
    anchor->node = node;
    HASH_ADD_KEYPTR(hh, loader->anchors, anchor->name, strlen(anchor->name), anchor);
}

static struct node *find_alias(struct loader *loader, const yaml_event_t *event)
{
    const struct anchor *anchor = find_anchor(loader, (const char *)event->data.alias.anchor);
    if (anchor != NULL && !anchor->node->open)
        return anchor->node;
    fail(loader, event->start_mark,
         anchor != NULL ? "this alias stands inside what it names"
                        : "this alias has no anchor of that name above it");
    return NULL;
}

static void apply_tag(struct loader *loader, struct node *node, const char *tag, yaml_mark_t mark)
{
    const char *name = strncmp(tag, TAG_PREFIX, strlen(TAG_PREFIX)) == 0 ? tag + strlen(TAG_PREFIX) : tag;
    struct scalar known = scalar_resolve(node->text);
    struct scalar number = scalar_read_number(node->text);
    if (strcmp(name, "str") == 0 || strcmp(name, "!") == 0)
        node->scalar = (struct scalar){.kind = SCALAR_TEXT};
    else if (strcmp(name, "null") == 0)
        node->scalar = (struct scalar){.kind = SCALAR_NULL};
    else if (strcmp(name, "bool") == 0 && known.kind == SCALAR_BOOL)
        node->scalar = known;
    else if (strcmp(name, "int") == 0 && known.kind == SCALAR_INTEGER)
        node->scalar = known;
    else if (strcmp(name, "float") == 0 && number.kind == SCALAR_REAL)
        node->scalar = number;
    else if (strcmp(name, "float") == 0 && number.kind == SCALAR_INTEGER)
        node->scalar = (struct scalar){.kind = SCALAR_REAL, .real = (double)number.integer};
    else
        fail(loader, mark,
             "this tag is not known here, or the value does not fit it (known: !!str, !!int, !!float, "
             "!!bool, !!null)");
}

static struct node *load_scalar(struct loader *loader, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    struct node *node = new_node(loader, NODE_SCALAR, event->start_mark);
    if (node == NULL)
        return NULL;
    if (memchr(value, '\0', length) != NULL) {
        fail(loader, event->start_mark, "a text holds a NUL character");
        return NULL;
    }
    node->text = arena_strndup(loader->reader->arena, value, length);
    if (node->text == NULL) {
        fail_memory(loader);
        return NULL;
    }
    node->plain = event->data.scalar.plain_implicit != 0;
    if (node->plain)
        node->scalar = scalar_resolve(node->text);
    else if (event->data.scalar.tag != NULL)
        apply_tag(loader, node, (const char *)event->data.scalar.tag, event->start_mark);
    remember_anchor(loader, event->data.scalar.anchor, node);
    return node;
}

static bool append(struct loader *loader, struct children *children, struct node *node)
{
    if (children->count == children->capacity) {
        size_t capacity = children->capacity == 0 ? 16 : children->capacity * 2;
        struct node **grown = realloc(children->items, capacity * sizeof *grown);
        if (grown == NULL) {
            fail_memory(loader);
            return false;
        }
        children->items = grown;
        children->capacity = capacity;
    }
    children->items[children->count++] = node;
    return true;
}

static bool is_merge_key(const struct node *key)
{
    return key->kind == NODE_SCALAR && key->plain && strcmp(key->text, "<<") == 0;
}

static void check_key(struct loader *loader, const struct node *key)
{
    if (key->kind != NODE_SCALAR)
        problems_add(loader->reader->problems, SPEC_ERROR, key->place, "a key must be a word, not %s%s",
                     node_describe(key), key->kind == NODE_MAP ? " (text with { needs quotes)" : "");
    loader->failed |= key->kind != NODE_SCALAR;
}

/* Appends key and value pointers of what a merge key names. */
static void merge_from(struct loader *loader, struct children *merged, const struct node *source,
                       yaml_mark_t mark)
{
    if (source->kind == NODE_LIST) {
        for (size_t i = 0; i < source->count && !loader->failed; i++) {
            if (source->items[i]->kind == NODE_LIST)
                fail(loader, mark, "a merge key (<<) takes a map or a list of maps");
            else
                merge_from(loader, merged, source->items[i], mark);
        }
        return;
    }
    if (source->kind != NODE_MAP) {
        fail(loader, mark, "a merge key (<<) takes a map or a list of maps");
        return;
    }
    loader->nodes += source->count;
    if (loader->nodes > NODE_COUNT_MAX)
        fail(loader, mark, "merge keys make the file too large");
    for (size_t i = 0; i < source->count && !loader->failed; i++)
        if (append(loader, merged, source->pairs[i].key))
            append(loader, merged, source->pairs[i].value);
}

static void take_pairs(struct loader *loader, struct node *map, const struct children *own,
                       const struct children *merged)
{
    map->pairs =
        arena_calloc(loader->reader->arena, own->count / 2 + merged->count / 2 + 1, sizeof *map->pairs);
    if (map->pairs == NULL) {
        fail_memory(loader);
        return;
    }
    for (size_t i = 0; i + 1 < own->count; i += 2)
        if (!is_merge_key(own->items[i]))
            map->pairs[map->count++] = (struct node_pair){own->items[i], own->items[i + 1]};
    size_t own_count = map->count;
    for (size_t i = 0; i + 1 < merged->count; i += 2)
        map->pairs[map->count++] = (struct node_pair){merged->items[i], merged->items[i + 1]};
    node_finish_map(loader->reader, map, own_count);
}

static void finish_map(struct loader *loader, struct node *map, const struct children *own, yaml_mark_t mark)
{
    struct children merged = {.items = NULL};
    for (size_t i = 0; i + 1 < own->count && !loader->failed; i += 2) {
        check_key(loader, own->items[i]);
        if (!loader->failed && is_merge_key(own->items[i]))
            merge_from(loader, &merged, own->items[i + 1], mark);
    }
    if (!loader->failed)
        take_pairs(loader, map, own, &merged);
    free(merged.items);
}

static void finish_list(struct loader *loader, struct node *list, const struct children *own)
{
    list->items = arena_calloc(loader->reader->arena, own->count + 1, sizeof *list->items);
    if (list->items == NULL) {
        fail_memory(loader);
        return;
    }
    if (own->count > 0)
        memcpy(list->items, own->items, own->count * sizeof *list->items);
    list->count = own->count;
}

/* Aliases nest without nesting in the text: what they name counts as deep as it is. */
static void note_height(struct loader *loader, struct node *node, yaml_mark_t mark)
{
    for (size_t i = 0; i < node->count; i++) {
        const struct node *child = node->kind == NODE_MAP ? node->pairs[i].value : node->items[i];
        if (child->height >= node->height)
            node->height = child->height + 1;
    }
    if (node->height > NODE_DEPTH_MAX)
        fail(loader, mark, TOO_DEEP);
}

static struct node *load_node(struct loader *loader, const yaml_event_t *event, size_t depth);

static bool next_event(struct loader *loader, yaml_event_t *event)
{
    if (!loader->failed && yaml_parser_parse(&loader->parser, event) != 0)
        return true;
    memset(event, 0, sizeof *event);
    return false;
}

/* Reads children up to the event that ends the collection; *end is its place. */
static void load_children(struct loader *loader, struct children *children, yaml_event_type_t last,
                          size_t depth, yaml_mark_t *end)
{
    bool done = false;
    while (!done && !loader->failed) {
        yaml_event_t event;
        if (!next_event(loader, &event)) {
            loader->failed = true;
            return;
        }
        *end = event.start_mark;
        done = event.type == last;
        struct node *child = done ? NULL : load_node(loader, &event, depth + 1);
        if (child != NULL)
            append(loader, children, child);
        yaml_event_delete(&event);
    }
}

static struct node *load_collection(struct loader *loader, const yaml_event_t *event, size_t depth)
{
    bool is_map = event->type == YAML_MAPPING_START_EVENT;
    if (depth >= NODE_DEPTH_MAX) {
        fail(loader, event->start_mark, TOO_DEEP);
        return NULL;
    }
    struct node *node = new_node(loader, is_map ? NODE_MAP : NODE_LIST, event->start_mark);
    if (node == NULL)
        return NULL;
    node->open = true;
    node->flow = is_map ? event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE
                        : event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
    remember_anchor(loader, is_map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor,
                    node);
    struct children children = {.items = NULL};
    yaml_mark_t end = event->end_mark;
    load_children(loader, &children, is_map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT, depth, &end);
    if (!loader->failed && is_map)
        finish_map(loader, node, &children, end);
    else if (!loader->failed)
        finish_list(loader, node, &children);
    note_height(loader, node, event->start_mark);
    node->open = false;
    free(children.items);
    return node;
}

static struct node *load_node(struct loader *loader, const yaml_event_t *event, size_t depth)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT: return find_alias(loader, event);
    case YAML_SCALAR_EVENT: return load_scalar(loader, event);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT: return load_collection(loader, event, depth);
    default: fail(loader, event->start_mark, "a value is missing here"); return NULL;
    }
}

/* The only document of the stream. */
static struct node *load_stream(struct loader *loader)
{
    struct node *root = NULL;
    for (;;) {
        yaml_event_t event;
        if (!next_event(loader, &event)) {
            loader->failed = true;
            return root;
        }
        bool end = event.type == YAML_STREAM_END_EVENT;
        if (event.type == YAML_DOCUMENT_START_EVENT && root != NULL)
            fail(loader, event.start_mark, "a second document begins here: a sweep file holds one");
        else if (!end && event.type != YAML_STREAM_START_EVENT && event.type != YAML_DOCUMENT_START_EVENT &&
                 event.type != YAML_DOCUMENT_END_EVENT)
            root = load_node(loader, &event, 0);
        yaml_event_delete(&event);
        if (end || loader->failed)
            return root;
    }
}

/* Lines that begin with %TAG or %YAML. False after a problem was reported. */
static bool check_directives(struct reader *reader, const char *bytes, size_t length)
{
    size_t line = 1;
    size_t directives = 0;
    const char *end = bytes + length;
    for (const char *at = bytes; at < end; line++) {
        if (end - at > 5 && (memcmp(at, "%TAG", 4) == 0 || memcmp(at, "%YAML", 5) == 0))
            directives++;
        if (directives > DIRECTIVES_MAX) {
            problems_add(reader->problems, SPEC_ERROR, (struct place){line, 1}, "too many directives (%%)");
            return false;
        }
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        at = newline != NULL ? newline + 1 : end;
    }
    return true;
}

struct node *node_read_yaml(struct reader *reader, const char *bytes, size_t length)
{
    struct loader loader = {.reader = reader};
    if (!check_directives(reader, bytes, length))
        return NULL;
    if (yaml_parser_initialize(&loader.parser) == 0) {
        reader->out_of_memory = true;
        return NULL;
    }
    /* bytes of a message without any are NULL, which the parser does not take */
    yaml_parser_set_input_string(&loader.parser, (const unsigned char *)(length > 0 ? bytes : ""), length);
    struct node *root = load_stream(&loader);
    if (loader.parser.error != YAML_NO_ERROR) {
        yaml_problem_report(reader, &loader.parser, bytes, length);
        loader.failed = true;
    } else if (root == NULL && !loader.failed)
        problems_add(reader->problems, SPEC_ERROR, (struct place){1, 1}, "the file is empty");
    HASH_CLEAR(hh, loader.anchors);
    yaml_parser_delete(&loader.parser);
    if (loader.failed || root == NULL)
        return NULL;
    reader->is_json = root->kind == NODE_MAP && root->flow;
    return root;
}
