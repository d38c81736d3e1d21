// SPDX-License-Identifier: GPL-3.0-or-later
#include <math.h>
#include <string.h>

#include "filter_tree.h"

struct question {
    filter_get *get;
    void *context;
};

enum relation { BELOW = -1, SAME = 0, ABOVE = 1, UNRELATED = 2 };

static enum relation relate_numbers(long double a, long double b)
{
    if (isnan(a) && isnan(b))
        return SAME;
    if (isnan(a) || isnan(b))
        return UNRELATED;
    return a < b ? BELOW : (a > b ? ABOVE : SAME);
}

/* Texts by bytes; a word of the filter stands for its spelling where the value is a text. */
static enum relation relate(const struct value *value, const struct value *other)
{
    if (value->type == VALUE_NULL || other->type == VALUE_NULL)
        return value->type == other->type ? SAME : UNRELATED;
    if (value->type == VALUE_TEXT && other->text != NULL) {
        int order = strcmp(value->text, other->text);
        return order < 0 ? BELOW : (order > 0 ? ABOVE : SAME);
    }
    if (value->type == other->type && (value->type == VALUE_NUMBER || value->type == VALUE_BOOL))
        return relate_numbers(value->number, other->number);
    return UNRELATED;
}

static bool matches_pattern(const struct filter_node *node, const struct value *value)
{
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    value_append(&text, value);
    return regexec(node->pattern, buffer_text(&text), 0, NULL, 0) == 0;
}

static struct value operand_value(const struct filter_operand *operand, const struct question *question)
{
    return operand->is_name ? question->get(question->context, &operand->name) : operand->value;
}

/* One value against one operand, without negation. */
static bool holds(const struct filter_node *node, const struct value *value, const struct value *other)
{
    if (node->operation == OP_MATCH || node->operation == OP_NO_MATCH)
        return matches_pattern(node, value);
    enum relation relation = relate(value, other);
    switch (node->operation) {
    case OP_LESS: return relation == BELOW;
    case OP_LESS_EQUAL: return relation == BELOW || relation == SAME;
    case OP_GREATER: return relation == ABOVE;
    case OP_GREATER_EQUAL: return relation == ABOVE || relation == SAME;
    default: return relation == SAME;
    }
}

static bool holds_of_items(const struct filter_node *node, const struct value *value,
                           const struct value *other)
{
    for (size_t i = 0; i < json_array_size(value->json); i++) {
        struct value item = value_of_json(json_array_get(value->json, i));
        if (item.type != VALUE_JSON && holds(node, &item, other))
            return true;
    }
    return false;
}

static bool is_true(const struct value *value)
{
    switch (value->type) {
    case VALUE_TEXT: return *value->text != '\0';
    case VALUE_BOOL:
    case VALUE_NUMBER: return value->number != 0;
    case VALUE_JSON: return json_array_size(value->json) + json_object_size(value->json) > 0;
    default: return false;
    }
}

static bool compare(const struct filter_node *node, const struct value *value,
                    const struct question *question)
{
    if (node->operation == OP_TRUTH)
        return is_true(value);
    for (const struct filter_operand *operand = node->operands; operand != NULL; operand = operand->next) {
        struct value other = operand_value(operand, question);
        bool both_absent = value->type == VALUE_MISSING && other.type == VALUE_NULL;
        if (both_absent && (node->operation == OP_EQUAL || node->operation == OP_UNEQUAL ||
                            node->operation == OP_IN || node->operation == OP_NOT_IN))
            return true;
        if (value->type == VALUE_MISSING || other.type == VALUE_MISSING)
            continue;
        if (value->type == VALUE_JSON ? holds_of_items(node, value, &other) : holds(node, value, &other))
            return true;
    }
    return false;
}

static bool ask(struct filter_node *node, const struct question *question)
{
    if (node->type == NODE_COMPARE) {
        bool negated =
            node->operation == OP_UNEQUAL || node->operation == OP_NO_MATCH || node->operation == OP_NOT_IN;
        struct value value = question->get(question->context, &node->name);
        node->seen = node->seen || value.type != VALUE_MISSING;
        return compare(node, &value, question) != negated;
    }
    if (node->type == NODE_NOT)
        return !ask(node->first, question);
    bool all = true, any = false;
    for (struct filter_node *child = node->first; child != NULL; child = child->next) {
        bool one = ask(child, question); /* every one, to see which names there are */
        all = all && one;
        any = any || one;
    }
    return node->type == NODE_ALL ? all : any;
}

bool filter_matches(struct filter *filter, filter_get *get, void *context)
{
    const struct question question = {.get = get, .context = context};
    return ask(filter->root, &question);
}

const struct filter_name *filter_unknown_name(const struct filter *filter)
{
    const struct filter_name *unknown = NULL;
    for (const struct filter_node *node = filter->comparisons; node != NULL; node = node->comparison)
        if (!node->seen && node->field == NULL)
            unknown = &node->name;
    return unknown;
}
