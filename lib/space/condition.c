// SPDX-License-Identifier: GPL-3.0-or-later
#include "space/condition.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/config.h"
#include "space/order.h"

#define FAULTS_MAX 200      /* so that a hostile file costs no more than a large one */
#define CANDIDATES_MAX 1000 /* of a suggestion */
#define VALUE_SHOWN_MAX 60  /* bytes of a value in a message */

/* A leaf by its path. */
struct named_leaf {
    const char *path;
    size_t leaf;
};

struct resolver {
    struct space *space;
    struct named_leaf *paths; /* owned; by path */
    space_report *report;
    void *context;
    size_t faults;
    bool out_of_memory;
};

static enum status out_of_memory(struct err *err)
{
    return err_set(err, STATUS_NO_MEMORY, "reading conditions: out of memory");
}

enum status condition_add(struct space *space, size_t outer, const json_t *when, const char *const *names,
                          size_t depth, size_t *out, struct err *err)
{
    if (space->condition_count == space->condition_capacity) {
        size_t capacity = space->condition_capacity == 0 ? 16 : space->condition_capacity * 2;
        struct condition *grown = realloc(space->conditions, capacity * sizeof *grown);
        if (grown == NULL)
            return out_of_memory(err);
        space->conditions = grown;
        space->condition_capacity = capacity;
    }
    const char **copy = calloc(depth, sizeof *copy);
    if (copy == NULL)
        return out_of_memory(err);
    memcpy(copy, names, depth * sizeof *copy);
    *out = space->condition_count++;
    space->conditions[*out] = (struct condition){.outer = outer, .when = when, .names = copy, .depth = depth};
    return STATUS_OK;
}

void conditions_release(struct space *space)
{
    for (size_t i = 0; i < space->condition_count; i++) {
        struct condition *condition = &space->conditions[i];
        for (size_t k = 0; k < condition->term_count; k++)
            free(condition->terms[k].ordinals);
        free(condition->terms);
        free(condition->names);
    }
    free(space->conditions);
    free(space->order);
}

/* ---- faults ---- */

static void write_path(struct buffer *out, const struct condition *condition, size_t depth)
{
    for (size_t i = 0; i < depth; i++)
        buffer_printf(out, "%s%s", i > 0 ? "." : "", condition->names[i]);
}

/* Where in a `when`. */
struct spot {
    const char *key;
    bool at_value;
};

static void fault(struct resolver *resolver, const struct condition *condition, struct spot spot,
                  const char *format, ...) PRINTF_LIKE(4, 5);

static void fault(struct resolver *resolver, const struct condition *condition, struct spot spot,
                  const char *format, ...)
{
    char said[400];
    va_list args;
    va_start(args, format);
    vsnprintf(said, sizeof said, format, args);
    va_end(args);
    CLEANUP(buffer_free) struct buffer path = BUFFER_INIT;
    write_path(&path, condition, condition->depth);
    char text[600];
    snprintf(text, sizeof text, "parameter %.100s: %s", buffer_text(&path), said);
    const struct space_fault told = {.names = condition->names,
                                     .depth = condition->depth,
                                     .key = spot.key,
                                     .at_value = spot.at_value,
                                     .text = text};
    resolver->report(resolver->context, &told);
    resolver->faults++;
}

/* ---- the parameter that a key names ---- */

static int compare_paths(const void *a, const void *b)
{
    const struct named_leaf *x = a;
    const struct named_leaf *y = b;
    return strcmp(x->path, y->path);
}

static bool index_paths(struct resolver *resolver)
{
    const struct space *space = resolver->space;
    resolver->paths = calloc(space->count, sizeof *resolver->paths);
    if (resolver->paths == NULL)
        return false;
    for (size_t i = 0; i < space->count; i++)
        resolver->paths[i] = (struct named_leaf){space->leaves[i].path, i};
    qsort(resolver->paths, space->count, sizeof *resolver->paths, compare_paths);
    return true;
}

static const struct named_leaf *find_path(const struct resolver *resolver, const char *path)
{
    const struct named_leaf key = {.path = path};
    return bsearch(&key, resolver->paths, resolver->space->count, sizeof key, compare_paths);
}

static bool is_owner(const struct resolver *resolver, const struct condition *condition, size_t leaf)
{
    size_t own = resolver->space->leaves[leaf].condition;
    return own != NO_CONDITION && &resolver->space->conditions[own] == condition &&
           resolver->space->leaves[leaf].depth == condition->depth;
}

/* Beside the owner first, then from the root; what has the owner's own name there is not the owner. */
static const struct named_leaf *find_parent(const struct resolver *resolver,
                                            const struct condition *condition, const char *key)
{
    CLEANUP(buffer_free) struct buffer path = BUFFER_INIT;
    const struct named_leaf *at_root = find_path(resolver, key);
    if (condition->depth <= 1)
        return at_root;
    write_path(&path, condition, condition->depth - 1);
    buffer_printf(&path, ".%s", key);
    const struct named_leaf *beside = find_path(resolver, buffer_text(&path));
    if (beside == NULL || (at_root != NULL && is_owner(resolver, condition, beside->leaf)))
        return at_root;
    return beside;
}

/* A dotted name and a nested one may have the same path. */
static bool is_ambiguous(const struct resolver *resolver, const struct named_leaf *found)
{
    const struct named_leaf *end = resolver->paths + resolver->space->count;
    return (found > resolver->paths && strcmp(found[-1].path, found->path) == 0) ||
           (found + 1 < end && strcmp(found[1].path, found->path) == 0);
}

/* The first parameter inside the group of that path, NULL when there is no such group. */
static const char *inside_group(const struct space *space, const char *path)
{
    size_t length = strlen(path);
    for (size_t i = 0; i < space->count; i++)
        if (strncmp(space->leaves[i].path, path, length) == 0 && space->leaves[i].path[length] == '.')
            return space->leaves[i].path;
    return NULL;
}

/* The nearest path or last name. */
static const char *suggest_parent(const struct space *space, const char *key)
{
    const char *candidates[CANDIDATES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < space->count && count + 2 <= CANDIDATES_MAX; i++) {
        const struct leaf *leaf = &space->leaves[i];
        candidates[count++] = leaf->path;
        if (leaf->depth > 1)
            candidates[count++] = leaf->names[leaf->depth - 1];
    }
    return config_suggest(key, candidates, count);
}

static void unknown_parent(struct resolver *resolver, const struct condition *condition, const char *key)
{
    const char *inside = inside_group(resolver->space, key);
    const char *near = inside == NULL ? suggest_parent(resolver->space, key) : NULL;
    if (inside != NULL)
        fault(resolver, condition, (struct spot){key, false},
              "when names a group: name a parameter in it, such as %.100s", inside);
    else
        fault(resolver, condition, (struct spot){key, false},
              "when names an unknown parameter \"%.80s\"%s%.80s%s", key,
              near != NULL ? ": did you mean " : "", near != NULL ? near : "", near != NULL ? "?" : "");
}

static bool is_inside(const struct resolver *resolver, size_t leaf, const struct condition *condition)
{
    const struct space *space = resolver->space;
    size_t at = space->leaves[leaf].condition;
    while (at != NO_CONDITION && &space->conditions[at] != condition)
        at = space->conditions[at].outer;
    return at != NO_CONDITION;
}

/* False after a fault was reported. */
static bool take_parent(struct resolver *resolver, const struct condition *condition, const char *key,
                        size_t *out)
{
    const struct named_leaf *found = find_parent(resolver, condition, key);
    if (found == NULL) {
        unknown_parent(resolver, condition, key);
        return false;
    }
    const struct leaf *parent = &resolver->space->leaves[found->leaf];
    *out = found->leaf;
    if (is_ambiguous(resolver, found))
        fault(resolver, condition, (struct spot){key, false},
              "when names %.80s, and two parameters are called so", key);
    else if (is_inside(resolver, found->leaf, condition))
        fault(resolver, condition, (struct spot){key, false},
              "when names %.80s, which hangs on this very condition", key);
    else if (parent->parameter.kind->locate == NULL)
        fault(resolver, condition, (struct spot){key, false},
              "when names %.80s, a %s: a condition needs a parameter with values that can be listed "
              "(value, values, int_uniform, q_uniform)",
              key, parent->parameter.kind->name);
    else
        return true;
    return false;
}

/* ---- the values that a key allows ---- */

static const char *suggest_value(const struct parameter *parent, const json_t *value)
{
    const char *candidates[CANDIDATES_MAX];
    size_t count = 0;
    if (!json_is_string(value))
        return NULL;
    for (size_t i = 0; i < json_array_size(parent->values) && count < CANDIDATES_MAX; i++) {
        const char *text = json_string_value(json_array_get(parent->values, i));
        if (text != NULL)
            candidates[count++] = text;
    }
    return config_suggest(json_string_value(value), candidates, count);
}

static bool take_value(struct resolver *resolver, const struct condition *condition, const char *key,
                       const json_t *value, struct term *term)
{
    const struct parameter *parent = &resolver->space->leaves[term->parent].parameter;
    if (parent->kind->locate(parent, value, &term->ordinals[term->count])) {
        term->count++;
        return true;
    }
    char *text = space_config_text(value);
    const char *near = suggest_value(parent, value);
    fault(resolver, condition, (struct spot){key, true}, "when can never hold: %.80s is never %.*s%s%.80s%s",
          key, VALUE_SHOWN_MAX, text != NULL ? text : "that", near != NULL ? " (did you mean " : "",
          near != NULL ? near : "", near != NULL ? "?)" : "");
    free(text);
    return false;
}

static void sort_ordinals(struct term *term)
{
    order_sort(term->ordinals, term->count);
    term->count = order_unique(term->ordinals, term->count);
}

/* Fills a term whose parent is known. */
static void take_values(struct resolver *resolver, const struct condition *condition, const char *key,
                        const json_t *value, struct term *term)
{
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    term->ordinals = calloc(count + 1, sizeof *term->ordinals);
    if (term->ordinals == NULL) {
        resolver->out_of_memory = true;
        return;
    }
    if (count == 0)
        fault(resolver, condition, (struct spot){key, true}, "when gives no value for %.80s", key);
    for (size_t i = 0; i < count; i++)
        if (!take_value(resolver, condition, key, json_is_array(value) ? json_array_get(value, i) : value,
                        term))
            return;
    sort_ordinals(term);
}

static void resolve_condition(struct resolver *resolver, struct condition *condition)
{
    if (!json_is_object(condition->when) || json_object_size(condition->when) == 0) {
        fault(resolver, condition, (struct spot){NULL, false},
              "when must be a map of parameters and the values they must have (when: {optimizer: sgd})");
        return;
    }
    condition->terms = calloc(json_object_size(condition->when), sizeof *condition->terms);
    if (condition->terms == NULL) {
        resolver->out_of_memory = true;
        return;
    }
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)condition->when, key, value)
    {
        struct term *term = &condition->terms[condition->term_count];
        if (resolver->faults >= FAULTS_MAX || resolver->out_of_memory)
            return;
        if (!take_parent(resolver, condition, key, &term->parent))
            continue;
        condition->term_count++;
        take_values(resolver, condition, key, value, term);
    }
}

/* ---- order ---- */

/* Whom a node waits for in a circle: *out_condition is the condition it waits in. NO_CONDITION: a leaf's own
 * condition or a group's. */
static void report_circle(struct resolver *resolver, const bool *done)
{
    const struct space *space = resolver->space;
    size_t at = 0;
    while (done[space->count + at])
        at++;
    /* Going up from a node that waits ends in the circle after as many steps as there are nodes. */
    size_t steps = 2 * space_node_count(space);
    CLEANUP(buffer_free) struct buffer chain = BUFFER_INIT;
    size_t first = SIZE_MAX;
    for (size_t step = 0; step < 2 * steps; step++) {
        const struct condition *condition = &space->conditions[at];
        size_t parent = SIZE_MAX;
        for (size_t i = 0; i < condition->term_count && parent == SIZE_MAX; i++)
            if (!done[condition->terms[i].parent])
                parent = condition->terms[i].parent;
        if (parent == SIZE_MAX) {
            at = condition->outer;
            continue;
        }
        if (step >= steps) {
            if (parent == first)
                break;
            if (first == SIZE_MAX)
                first = parent;
            buffer_printf(&chain, "%s, which hangs on ", space->leaves[parent].path);
        }
        at = space->leaves[parent].condition;
    }
    fault(resolver, &space->conditions[at], (struct spot){NULL, false},
          "when goes in a circle: it hangs on %.250s%.80s", buffer_text(&chain),
          first != SIZE_MAX ? space->leaves[first].path : "");
}

static enum status order_nodes(struct resolver *resolver, struct err *err)
{
    struct space *space = resolver->space;
    bool *done = calloc(space_node_count(space), sizeof *done);
    space->order = calloc(space_node_count(space), sizeof *space->order);
    bool complete = false;
    enum status status = STATUS_OK;
    if (done == NULL || space->order == NULL || !order_build(space, space->order, done, &complete))
        status = out_of_memory(err);
    else if (!complete)
        report_circle(resolver, done);
    free(done);
    return status;
}

enum status conditions_resolve(struct space *space, space_report *report, void *context, struct err *err)
{
    if (space->condition_count == 0)
        return STATUS_OK;
    struct resolver resolver = {.space = space, .report = report, .context = context};
    if (!index_paths(&resolver))
        return out_of_memory(err);
    for (size_t i = 0; i < space->condition_count && resolver.faults < FAULTS_MAX; i++)
        resolve_condition(&resolver, &space->conditions[i]);
    free(resolver.paths);
    if (resolver.out_of_memory)
        return out_of_memory(err);
    if (resolver.faults == 0)
        TRY(order_nodes(&resolver, err));
    return resolver.faults == 0 ? STATUS_OK : err_set(err, STATUS_INVALID, "the conditions are faulty");
}
