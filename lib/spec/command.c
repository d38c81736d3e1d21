/*
 * The `command` of a sweep file: its items as texts, and what their macros
 * will not do.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "spec/schema.h"

const char *const spec_default_command[] = {"${env}", "${interpreter}", "${program}", "${args}"};
const size_t spec_default_command_count = ARRAY_LEN(spec_default_command);

/* Macro names without ${}. */
static const char *const macros[] = {"env",
                                     "interpreter",
                                     "program",
                                     "args",
                                     "args_no_equals",
                                     "args_no_hyphens",
                                     "args_json",
                                     "args_no_boolean_flags",
                                     "args_json_file",
                                     "args_append_hydra",
                                     "args_override_hydra"};

/* Wholly ${NAME}, by the rule of libbesom, which expands it. */
static bool is_macro(const char *item, char name[64])
{
    if (strncmp(item, "${", 2) != 0)
        return false;
    size_t length = 0;
    while (isalnum((unsigned char)item[2 + length]) || item[2 + length] == '_')
        length++;
    snprintf(name, 64, "%.*s", (int)length, item + 2);
    return length > 0 && strcmp(item + 2 + length, "}") == 0;
}

static bool is_known_macro(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(macros); i++)
        if (strcmp(macros[i], name) == 0)
            return true;
    return false;
}

static bool holds_partial_macro(const char *item)
{
    for (const char *at = strstr(item, "${"); at != NULL; at = strstr(at + 2, "${"))
        if (strncmp(at + 2, "envvar:", 7) != 0 && strchr(at, '}') != NULL)
            return true;
    return false;
}

/* An agent refuses it too: without its arguments a command would train something else. */
static void refuse_macro(struct schema *schema, const struct node *node, const char *item, const char *name)
{
    const char *near = config_suggest(name, macros, ARRAY_LEN(macros));
    if (near != NULL)
        schema_error(schema, node, "unknown macro %.80s: did you mean ${%s}?", item, near);
    else
        schema_error(schema, node,
                     "unknown macro %.80s: no parameter has a macro of its own, ${args} passes all of them",
                     item);
}

static void check_macros(struct schema *schema, const struct node *node, const char *item)
{
    char name[64];
    if (is_macro(item, name)) {
        if (!is_known_macro(name))
            refuse_macro(schema, node, item, name);
    } else if (holds_partial_macro(item)) {
        schema_warning(schema, node,
                       "%.80s is passed as it stands: a macro is only expanded when it is the whole item",
                       item);
    }
}

/* As Python's str(): True, None, 0.1. NULL after a problem was reported. */
static const char *item_text(struct schema *schema, const struct node *node)
{
    if (node->kind != NODE_SCALAR) {
        schema_error(schema, node, "an item of command must be text, not %s%s", node_describe(node),
                     node->kind == NODE_MAP ? " (quote ${...} inside { } or [ ])" : "");
        return NULL;
    }
    char *real = NULL;
    const char *text = node->text;
    if (node->scalar.kind == SCALAR_NULL)
        text = "None";
    else if (node->scalar.kind == SCALAR_BOOL)
        text = node->scalar.flag ? "True" : "False";
    else if (node->scalar.kind == SCALAR_REAL || node->scalar.kind == SCALAR_INTEGER) {
        json_t *number = node->scalar.kind == SCALAR_REAL ? json_real(node->scalar.real)
                                                          : json_integer((json_int_t)node->scalar.integer);
        real = number != NULL ? space_config_text(number) : NULL;
        json_decref(number);
        text = real != NULL ? real : node->text;
    }
    const char *kept = schema_keep_text(schema, text);
    free(real);
    return kept;
}

void schema_read_command(struct schema *schema, const struct node *value, void *field)
{
    struct spec *spec = field;
    if (value->kind != NODE_LIST || value->count == 0) {
        schema_error(schema, value,
                     "command must be a list, one item for each argument (- python3, - train.py)");
        return;
    }
    const char **items = arena_calloc(&spec->arena, value->count + 1, sizeof *items);
    if (items == NULL) {
        schema->reader.out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < value->count; i++) {
        items[i] = item_text(schema, value->items[i]);
        if (items[i] != NULL)
            check_macros(schema, value->items[i], items[i]);
    }
    spec->command = items;
    spec->command_count = value->count;
}
