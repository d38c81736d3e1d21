// SPDX-License-Identifier: GPL-3.0-or-later
#include "run_columns.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "entity.h"
#include "format.h"

static const struct run_field *field_of(const struct filter_name *name)
{
    return name->scope == FILTER_ANY || name->scope == FILTER_RUN ? run_field_find(name->text) : NULL;
}

static bool is_all(const struct filter_name *name)
{
    return strcmp(name->text, "*") == 0 && name->scope != FILTER_ANY && name->scope != FILTER_RUN;
}

int run_columns_parse(struct cli *cli, const char *command, const char *text, struct run_columns *out)
{
    struct err err = ERR_INIT;
    if (filter_parse_names(text, &cli->arena, &out->names, &out->count, &err) != STATUS_OK)
        return cli_fail(CLI_USAGE, "%s: --columns: %s", command, err.text);
    return CLI_OK;
}

int run_columns_default(struct cli *cli, const struct run_list *list, struct run_columns *out)
{
    static const char *const names[] = {"id",    "name", "state",      "objective", "runtime", "attempt",
                                        "ended", "host", "end_reason", "tags",      "params"};
    bool has_name = false, has_tags = false;
    for (size_t i = 0; i < list->count; i++) {
        has_name = has_name || *list->views[i].run->name != '\0';
        has_tags = has_tags || list->views[i].run->n_tags > 0;
    }
    out->count = 0;
    out->names = arena_calloc(&cli->arena, ARRAY_LEN(names), sizeof *out->names);
    if (out->names == NULL)
        return cli_fail(CLI_FAILED, "out of memory");
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if ((has_name || strcmp(names[i], "name") != 0) && (has_tags || strcmp(names[i], "tags") != 0))
            out->names[out->count++] =
                (struct filter_name){.scope = FILTER_RUN, .text = names[i], .spelled = names[i]};
    return CLI_OK;
}

/* ---- params.* ---- */

static void add_names(json_t **names, const json_t *document)
{
    struct buffer work CLEANUP(buffer_free) = BUFFER_INIT;
    if (*names == NULL)
        *names = json_object();
    run_view_add_names(*names, document, &work);
}

void run_leaves_add(struct run_leaves *leaves, struct run_view *view)
{
    add_names(&leaves->params, run_view_params(view));
    add_names(&leaves->summary, run_view_summary(view));
    add_names(&leaves->config, run_view_config(view));
}

void run_leaves_release(struct run_leaves *leaves)
{
    json_decref(leaves->params);
    json_decref(leaves->summary);
    json_decref(leaves->config);
    *leaves = (struct run_leaves){.params = NULL};
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **run_leaves_sorted(struct arena *arena, const json_t *names)
{
    const char *key;
    json_t *value;
    size_t count = 0;
    const char **sorted = arena_calloc(arena, json_object_size(names) + 1, sizeof *sorted);
    if (sorted == NULL)
        return NULL;
    json_object_foreach((json_t *)(uintptr_t)names, key, value) sorted[count++] = key;
    qsort(sorted, count, sizeof *sorted, compare_names);
    return sorted;
}

static const json_t *names_of(const struct run_leaves *leaves, enum filter_scope scope)
{
    return scope == FILTER_PARAMS    ? leaves->params
           : scope == FILTER_SUMMARY ? leaves->summary
                                     : leaves->config;
}

bool run_columns_have_patterns(const struct run_columns *columns)
{
    for (size_t i = 0; i < columns->count; i++)
        if (is_all(&columns->names[i]))
            return true;
    return false;
}

static bool append_all(struct arena *arena, const json_t *names, const struct filter_name *pattern,
                       struct run_columns *out)
{
    const char **sorted = run_leaves_sorted(arena, names);
    int prefix = (int)(pattern->text - pattern->spelled);
    for (size_t i = 0; sorted != NULL && sorted[i] != NULL; i++) {
        char *spelled = arena_printf(arena, "%.*s%s", prefix, pattern->spelled, sorted[i]);
        if (spelled == NULL)
            return false;
        out->names[out->count++] =
            (struct filter_name){.scope = pattern->scope, .text = spelled + prefix, .spelled = spelled};
    }
    return sorted != NULL;
}

int run_columns_expand(struct cli *cli, struct run_columns *columns, const struct run_leaves *leaves)
{
    size_t most = columns->count;
    for (size_t i = 0; i < columns->count; i++)
        if (is_all(&columns->names[i]))
            most += json_object_size(names_of(leaves, columns->names[i].scope));
    struct run_columns wide = {.names = arena_calloc(&cli->arena, most, sizeof *wide.names)};
    bool whole = wide.names != NULL;
    for (size_t i = 0; whole && i < columns->count; i++) {
        const struct filter_name *name = &columns->names[i];
        if (is_all(name))
            whole = append_all(&cli->arena, names_of(leaves, name->scope), name, &wide);
        else
            wide.names[wide.count++] = *name;
    }
    *columns = wide;
    return whole ? CLI_OK : cli_fail(CLI_FAILED, "out of memory");
}

/* ---- cells ---- */

static const char *append_joined(struct buffer *out, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        buffer_printf(out, "%s%s", i > 0 ? "," : "", text != NULL ? text : "");
    }
    return buffer_text(out);
}

static const char *time_text(const struct value *value, char text[FORMAT_SIZE])
{
    return format_time((int64_t)llroundl(value->number * 1000000), text);
}

static bool is_tags(const struct run_field *field)
{
    return field != NULL && strcmp(field->base.name, "tags") == 0;
}

bool run_columns_append(struct buffer *out, struct run_view *view, const struct filter_name *name)
{
    char text[FORMAT_SIZE];
    const struct run_field *field = field_of(name);
    struct value value = run_view_get(view, name);
    if (value.type == VALUE_NUMBER && field != NULL && field->base.kind == FILTER_KIND_TIME)
        buffer_puts(out, time_text(&value, text));
    else if (value.type == VALUE_JSON && is_tags(field))
        append_joined(out, value.json);
    else
        value_append(out, &value);
    return value.type != VALUE_MISSING;
}

json_t *run_columns_value(struct run_view *view, const struct filter_name *name)
{
    char text[FORMAT_SIZE];
    const struct run_field *field = field_of(name);
    struct value value = run_view_get(view, name);
    if (value.type == VALUE_MISSING && is_tags(field))
        return json_array();
    if (value.type == VALUE_NUMBER && field != NULL && field->base.kind == FILTER_KIND_TIME)
        return json_string(time_text(&value, text));
    return value_json(&value);
}

json_t *run_columns_json(const struct run_columns *columns, struct run_list *list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->count; i++) {
        json_t *row = json_object();
        for (size_t k = 0; k < columns->count; k++)
            json_object_set_new(row, columns->names[k].spelled,
                                run_columns_value(&list->views[i], &columns->names[k]));
        json_array_append_new(array, row);
        run_view_release(&list->views[i]);
    }
    return array;
}

/* For people: shorter than exact. */
static void add_shown(struct table *table, const struct run_view *view, const struct run_field *field,
                      const struct value *value)
{
    char text[FORMAT_SIZE];
    const Besom__V1__Run *run = view->run;
    switch (field->shown) {
    case RUN_SHOWN_STATE:
        if (run->unreachable)
            table_add_styled(table, "unreachable", STYLE_BAD);
        else
            table_add_styled(table, value->text, entity_run_style(run->state));
        return;
    case RUN_SHOWN_DURATION: table_add(table, format_duration((int64_t)(value->number * 1000), text)); return;
    case RUN_SHOWN_AGO:
        table_add(table, format_ago((int64_t)(value->number * 1000000), clock_wall_us(&clock_system), text));
        return;
    case RUN_SHOWN_PARAMS:
        table_add(table, entity_params_text(table->arena,
                                            strcmp(field->base.name, "params") == 0    ? run->params_json
                                            : strcmp(field->base.name, "summary") == 0 ? run->summary_json
                                                                                       : run->config_json));
        return;
    case RUN_SHOWN_PLAIN: break;
    }
}

static void add_cell(struct table *table, struct run_view *view, const struct filter_name *name)
{
    char number[FORMAT_SIZE];
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    const struct run_field *field = field_of(name);
    struct value value = run_view_get(view, name);
    if (value.type == VALUE_MISSING)
        table_add(table, "-");
    else if (field != NULL && field->shown != RUN_SHOWN_PLAIN)
        add_shown(table, view, field, &value);
    else if (value.type == VALUE_NUMBER && value.is_real)
        table_add(table, format_number((double)value.number, number));
    else if (value.type == VALUE_JSON && is_tags(field))
        table_add(table, append_joined(&text, value.json));
    else {
        value_append(&text, &value);
        table_add(table, buffer_text(&text));
    }
}

/* A column that is no field stands at the right when it has nothing but numbers. */
static bool has_only_numbers(const struct filter_name *name, struct run_list *list)
{
    bool any = false;
    for (size_t i = 0; i < list->count; i++) {
        struct value value = run_view_get(&list->views[i], name);
        if (value.type != VALUE_NUMBER && value.type != VALUE_MISSING)
            return false;
        any = any || value.type == VALUE_NUMBER;
    }
    return any;
}

void run_columns_print(struct cli *cli, const struct run_columns *columns, struct run_list *list)
{
    struct table_column *heads = arena_calloc(&cli->arena, columns->count, sizeof *heads);
    if (heads == NULL)
        return;
    for (size_t k = 0; k < columns->count; k++) {
        const struct run_field *field = field_of(&columns->names[k]);
        heads[k] = (struct table_column){.name = field != NULL ? field->title : columns->names[k].spelled,
                                         .right = field != NULL ? field->right
                                                                : has_only_numbers(&columns->names[k], list)};
    }
    struct table table = table_make(&cli->arena, heads, columns->count);
    for (size_t i = 0; i < list->count; i++) {
        for (size_t k = 0; k < columns->count; k++)
            add_cell(&table, &list->views[i], &columns->names[k]);
        run_view_release(&list->views[i]);
    }
    table_print(&table);
}

void run_columns_note_unknown(const struct run_columns *columns, struct run_list *list)
{
    for (size_t k = 0; k < columns->count && list->count > 0; k++) {
        bool found = field_of(&columns->names[k]) != NULL;
        for (size_t i = 0; i < list->count && !found; i++)
            found = run_view_get(&list->views[i], &columns->names[k]).type != VALUE_MISSING;
        if (!found)
            cli_note("--columns: no run listed has '%.80s'", columns->names[k].spelled);
    }
}
