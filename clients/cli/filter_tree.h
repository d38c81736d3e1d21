/*
 * A parsed filter. Private to filter.c, which makes it, and filter_ask.c.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_FILTER_TREE_H
#define BESOM_CLI_FILTER_TREE_H

#include <regex.h>

#include "filter.h"

enum filter_operation {
    OP_EQUAL,
    OP_UNEQUAL,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_GREATER,
    OP_GREATER_EQUAL,
    OP_MATCH,
    OP_NO_MATCH,
    OP_IN,
    OP_NOT_IN,
    OP_TRUTH /* a name alone */
};

enum filter_node_type { NODE_ALL, NODE_ANY, NODE_NOT, NODE_COMPARE };

struct filter_operand {
    bool is_name;
    struct filter_name name;
    struct value value;
    struct filter_operand *next; /* of a list */
};

struct filter_node {
    enum filter_node_type type;
    struct filter_node *first, *next; /* children; the next of the parent's */
    enum filter_operation operation;
    struct filter_name name;
    const struct filter_field *field;
    struct filter_operand *operands;
    regex_t *pattern;
    bool seen;                      /* the name has had a value */
    struct filter_node *comparison; /* list of all comparisons */
};

struct filter {
    struct arena arena;
    struct filter_node *root;
    struct filter_node *comparisons;
};

#endif
