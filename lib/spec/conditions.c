/*
 * The `when` of parameters and groups: as JSON for lib/space, which judges it,
 * and back from its faults to places in the file.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "spec/schema.h"

json_t *schema_when_to_json(struct schema *schema, const struct node *when)
{
    if (when->kind != NODE_MAP)
        return node_to_json(&schema->reader, when);
    json_t *object = json_object();
    for (size_t i = 0; i < when->count; i++) {
        json_t *value = node_to_json(&schema->reader, when->pairs[i].value);
        if (value == NULL || json_object_set_new(object, when->pairs[i].key->text, value) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

/* The pair of the parameter or group that the names lead to. */
static const struct node_pair *find_owner(const struct schema *schema, const struct space_fault *fault)
{
    const struct node_pair *pair = node_find(schema->root, "parameters");
    for (size_t i = 0; i < fault->depth && pair != NULL; i++) {
        const struct node *level = pair->value;
        if (i > 0) {
            const struct node_pair *inner = node_find(level, "parameters");
            level = inner != NULL ? inner->value : NULL;
        }
        pair = node_find(level, fault->names[i]);
    }
    return pair;
}

void schema_report_condition(void *context, const struct space_fault *fault)
{
    struct schema *schema = context;
    const struct node_pair *owner = find_owner(schema, fault);
    const struct node_pair *when = owner != NULL ? node_find(owner->value, "when") : NULL;
    const struct node_pair *entry =
        when != NULL && fault->key != NULL ? node_find(when->value, fault->key) : NULL;
    const struct node *at = schema->root;
    if (entry != NULL)
        at = fault->at_value ? entry->value : entry->key;
    else if (when != NULL)
        at = when->key;
    schema_error(schema, at, "%s", fault->text);
}
