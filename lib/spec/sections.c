/*
 * The smaller sections of a file: metric, retry, controller, tags.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "spec/schema.h"

const char *const schema_goal_names[] = {"minimize", "maximize"};
const size_t schema_goal_count = ARRAY_LEN(schema_goal_names);
const char *const schema_impute_names[] = {"worst", "best", "latest", "false"};
const size_t schema_impute_count = ARRAY_LEN(schema_impute_names);
const char *const schema_retry_names[] = {"crashed", "lost", "preempted", "failed"};
const size_t schema_retry_count = ARRAY_LEN(schema_retry_names);

/* ---- metric ---- */

static void read_goal(struct schema *schema, const struct node *value, void *field)
{
    size_t choice;
    if (schema_read_choice(schema, value, "goal", schema_goal_names, schema_goal_count, &choice))
        *(enum spec_goal *)field = (enum spec_goal)choice;
}

static void read_target(struct schema *schema, const struct node *value, void *field)
{
    struct spec_metric *metric = field;
    size_t before = schema->reader.problems->error_count;
    schema_read_number(schema, value, &metric->target);
    metric->has_target = schema->reader.problems->error_count == before;
}

static void read_impute(struct schema *schema, const struct node *value, void *field)
{
    size_t choice;
    struct spec_metric *metric = field;
    if (!schema_read_choice(schema, value, "impute", schema_impute_names, SPEC_IMPUTE_NONE, &choice))
        return;
    metric->impute = (enum spec_impute)choice;
    metric->has_impute = true;
}

/* `false` unquoted is a boolean and means the same. */
static void read_impute_while_running(struct schema *schema, const struct node *value, void *field)
{
    size_t choice;
    if (value->kind == NODE_SCALAR && value->scalar.kind == SCALAR_BOOL && !value->scalar.flag)
        *(enum spec_impute *)field = SPEC_IMPUTE_NONE;
    else if (schema_read_choice(schema, value, "impute_while_running", schema_impute_names,
                                schema_impute_count, &choice))
        *(enum spec_impute *)field = (enum spec_impute)choice;
}

static const struct schema_key metric_keys[] = {
    {"name", schema_read_text, offsetof(struct spec_metric, name), true},
    {"goal", read_goal, offsetof(struct spec_metric, goal), true},
    {"target", read_target, 0, true},
    {"impute", read_impute, 0, true},
    {"impute_while_running", read_impute_while_running, offsetof(struct spec_metric, impute_while_running),
     true},
};

static const struct schema_section metric_section = {"metric", metric_keys, ARRAY_LEN(metric_keys), false};

void schema_read_metric(struct schema *schema, const struct node *value, void *field)
{
    struct spec *spec = field;
    size_t before = schema->reader.problems->error_count;
    if (!schema_read_section(schema, &metric_section, value, &spec->metric))
        return;
    bool faultless = schema->reader.problems->error_count == before;
    if (spec->metric.name == NULL && (faultless || node_find(value, "name") == NULL))
        schema_error(schema, value, "metric needs a name");
}

/* ---- retry ---- */

static void read_retry_max(struct schema *schema, const struct node *value, void *field)
{
    int64_t number;
    if (!schema_integer_of(schema, value, &number) || number < 0)
        schema_error(schema, value, "max must be a whole number, 0 for no retry");
    else
        *(int64_t *)field = number;
}

static void read_retry_on(struct schema *schema, const struct node *value, void *field)
{
    if (value->kind != NODE_LIST) {
        schema_error(schema, value, "on must be a list of: crashed, lost, preempted, failed");
        return;
    }
    unsigned bits = 0;
    for (size_t i = 0; i < value->count; i++) {
        size_t choice;
        if (schema_read_choice(schema, value->items[i], "reason to retry", schema_retry_names,
                               schema_retry_count, &choice))
            bits |= 1u << choice;
    }
    *(unsigned *)field = bits;
}

static const struct schema_key retry_keys[] = {
    {"max", read_retry_max, offsetof(struct spec_retry, max), true},
    {"on", read_retry_on, offsetof(struct spec_retry, on), true},
};

static const struct schema_section retry_section = {"retry", retry_keys, ARRAY_LEN(retry_keys), false};

void schema_read_retry(struct schema *schema, const struct node *value, void *field)
{
    struct spec *spec = field;
    schema_read_section(schema, &retry_section, value, &spec->retry);
}

/* ---- controller ---- */

static void read_controller_type(struct schema *schema, const struct node *value, void *field)
{
    static const char *const types[] = {"cloud", "local"};
    size_t choice;
    (void)field;
    if (schema_read_choice(schema, value, "controller type", types, ARRAY_LEN(types), &choice) && choice == 1)
        schema_error(schema, value,
                     "a local controller is not available: the service decides what runs next");
}

static const struct schema_key controller_keys[] = {{"type", read_controller_type, 0, true}};

static const struct schema_section controller_section = {"controller", controller_keys, 1, false};

void schema_read_controller(struct schema *schema, const struct node *value, void *field)
{
    schema_read_section(schema, &controller_section, value, field);
}

/* ---- tags ---- */

void schema_read_tags(struct schema *schema, const struct node *value, void *field)
{
    struct spec *spec = field;
    bool one = value->kind == NODE_SCALAR;
    const struct node *const *items = one ? &value : (const struct node *const *)value->items;
    size_t count = one ? 1 : value->count;
    if (!one && value->kind != NODE_LIST) {
        schema_error(schema, value, "tags must be a list of texts");
        return;
    }
    const char **tags = arena_calloc(&spec->arena, count + 1, sizeof *tags);
    if (tags == NULL) {
        schema->reader.out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (items[i]->kind != NODE_SCALAR)
            schema_error(schema, items[i], "a tag must be text, not %s", node_describe(items[i]));
        else
            tags[i] = schema_keep_text(schema, items[i]->text);
    }
    spec->tags = tags;
    spec->tag_count = count;
}
