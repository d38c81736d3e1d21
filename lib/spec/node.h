/*
 * The tree of a sweep file: each node knows its place. Built from YAML text or
 * from stored JSON; aliases share nodes, so it is a graph without cycles.
 * Private to lib/spec.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SPEC_NODE_H
#define BESOM_SPEC_NODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "spec/problems.h"
#include "spec/scalar.h"

#define NODE_DEPTH_MAX 100
#define NODE_COUNT_MAX 200000

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node;

struct node_pair {
    struct node *key; /* a scalar */
    struct node *value;
};

struct node {
    enum node_kind kind;
    struct place place;
    const char *text;     /* of a scalar, as written without quotes */
    struct scalar scalar; /* what it means */
    bool plain;           /* written without quotes or tag */
    bool flow;            /* a list or map in brackets */
    bool open;            /* its end has not been read yet */
    size_t height;        /* of what is in it, aliases followed; 0 for a scalar */
    union {
        struct node **items;     /* of a list */
        struct node_pair *pairs; /* of a map; sorted by key, distinct */
    };
    size_t count;
};

/* One file being read. */
struct reader {
    struct arena *arena;
    struct spec_problems *problems;
    size_t budget; /* nodes that may still be visited when aliases are followed */
    bool is_json;  /* the file is JSON, where 1e-5 is a number */
    bool out_of_memory;
};

/* NULL after a problem was reported. */
struct node *node_read_yaml(struct reader *reader, const char *bytes, size_t length);
/* From a JSON value, with place 0:0. NULL without memory. */
struct node *node_from_json(struct reader *reader, const json_t *value);

/* Sorts and checks a map's pairs: own ones stand above merged ones, which come after `own_count`. */
void node_finish_map(struct reader *reader, struct node *map, size_t own_count);

/* The pair of that key, NULL when there is none or the node is no map. */
const struct node_pair *node_find(const struct node *map, const char *key);

/* The value as JSON. Numbers that YAML 1.1 takes for text (1e-5) become numbers with a warning, infinities
 * and NaN text with a warning. NULL after a problem was reported. New reference. */
json_t *node_to_json(struct reader *reader, const struct node *node);

/* "a list", "a map", "text", "a number", … */
const char *node_describe(const struct node *node);

#endif
