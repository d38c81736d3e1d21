// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/metric_definitions.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *fact_json(const char *text)
{
    const size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_t *value = json_loads(text, flags, NULL);
    return value != NULL ? value : json_loads(text, flags | JSON_DECODE_INT_AS_REAL, NULL);
}

enum part { PART_MIN, PART_MAX, PART_MEAN, PART_BEST, PART_FIRST, PART_LAST, PART_NONE, PART_COUNT };
enum goal { GOAL_UNKNOWN, GOAL_MINIMIZE, GOAL_MAXIMIZE };

static const char *const part_names[] = {
    [PART_MIN] = "min",     [PART_MAX] = "max",   [PART_MEAN] = "mean", [PART_BEST] = "best",
    [PART_FIRST] = "first", [PART_LAST] = "last", [PART_NONE] = "none",
};

struct metric_definition {
    const char *name;
    size_t length;  /* of a pattern without its star, of a name */
    unsigned parts; /* bits 1u << enum part, 0 = not said */
    enum goal goal;
};

static unsigned part_of(const char *text, size_t length)
{
    for (size_t i = 0; i < PART_COUNT; i++)
        if (strlen(part_names[i]) == length && strncmp(part_names[i], text, length) == 0)
            return 1u << i;
    return 0;
}

/* "min,mean" */
static unsigned parts_of_text(const char *text)
{
    unsigned parts = 0;
    while (true) {
        size_t length = strcspn(text, ",");
        parts |= part_of(text, length);
        if (text[length] == '\0')
            return parts;
        text += length + 1;
        text += strspn(text, " ");
    }
}

static void read_definition(const struct store_fact *fact, struct metric_definition *out)
{
    json_t *value = fact_json(fact->value), *item;
    const json_t *summary = json_object_get(value, "summary");
    const char *goal = json_string_value(json_object_get(value, "goal"));
    size_t i;
    out->name = fact->name;
    out->length = strlen(fact->name);
    if (json_is_string(summary))
        out->parts = parts_of_text(json_string_value(summary));
    json_array_foreach(summary, i, item)
    {
        if (json_is_string(item))
            out->parts |= parts_of_text(json_string_value(item));
    }
    if (goal != NULL)
        out->goal = strcmp(goal, "maximize") == 0   ? GOAL_MAXIMIZE
                    : strcmp(goal, "minimize") == 0 ? GOAL_MINIMIZE
                                                    : GOAL_UNKNOWN;
    json_decref(value);
}

static int compare_patterns(const void *a, const void *b)
{
    const struct metric_definition *left = a, *right = b;
    return (left->length < right->length) - (left->length > right->length);
}

static bool is_pattern(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && name[length - 1] == '*';
}

enum status metric_definitions_read(const struct store_fact *facts, size_t count, struct arena *arena,
                                    struct metric_definitions *out, struct err *err)
{
    *out =
        (struct metric_definitions){.metric = "", .rows = arena_calloc(arena, count + 1, sizeof *out->rows)};
    if (out->rows == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++)
        if (!is_pattern(facts[i].name))
            read_definition(&facts[i], &out->rows[out->count++]);
    out->name_count = out->count;
    for (size_t i = 0; i < count; i++)
        if (is_pattern(facts[i].name)) {
            read_definition(&facts[i], &out->rows[out->count]);
            out->rows[out->count++].length--;
        }
    if (out->count > out->name_count)
        qsort(out->rows + out->name_count, out->count - out->name_count, sizeof *out->rows, compare_patterns);
    return STATUS_OK;
}

static int compare_name(const void *name, const void *definition)
{
    return strcmp(name, ((const struct metric_definition *)definition)->name);
}

static struct metric_definition find_definition(const struct metric_definitions *definitions,
                                                const char *name)
{
    const struct metric_definition none = {.parts = 0};
    const struct metric_definition *own =
        bsearch(name, definitions->rows, definitions->name_count, sizeof *own, compare_name);
    if (own != NULL)
        return *own;
    for (size_t i = definitions->name_count; i < definitions->count; i++)
        if (strncmp(name, definitions->rows[i].name, definitions->rows[i].length) == 0)
            return definitions->rows[i];
    return none;
}

static void put_number(struct buffer *out, double value)
{
    char text[32];
    if (!isfinite(value)) {
        buffer_puts(out, isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    buffer_puts(out, text);
}

double metric_mean(const struct store_summary *figures)
{
    bool known = figures->finite > 0 && isfinite(figures->total);
    return known ? figures->total / (double)figures->finite : (double)NAN;
}

static double value_of(const struct store_summary *figures, enum part part, bool maximize)
{
    switch (part) {
    case PART_MIN: return figures->min;
    case PART_MAX: return figures->max;
    case PART_MEAN: return metric_mean(figures);
    case PART_BEST: return maximize ? figures->max : figures->min;
    case PART_FIRST: return figures->first;
    default: return figures->last;
    }
}

/* Whether larger is better: as defined, else as the sweep says of its own metric, else not. */
static bool is_maximized(const struct metric_definitions *definitions,
                         const struct metric_definition *definition, const char *name)
{
    if (definition->goal != GOAL_UNKNOWN)
        return definition->goal == GOAL_MAXIMIZE;
    return definitions->maximize && strcmp(name, definitions->metric) == 0;
}

bool metric_definitions_put(const struct metric_definitions *definitions, const struct store_summary *figures,
                            struct buffer *out)
{
    const struct metric_definition definition = find_definition(definitions, figures->name);
    bool maximize = is_maximized(definitions, &definition, figures->name), any = false;
    if ((definition.parts & 1u << PART_NONE) != 0)
        return false;
    if (definition.parts == 0 || definition.parts == 1u << PART_LAST) {
        put_number(out, figures->last);
        return true;
    }
    buffer_putc(out, '{');
    for (int part = 0; part < PART_NONE; part++) {
        if ((definition.parts & 1u << part) == 0)
            continue;
        buffer_printf(out, "%s\"%s\":", any ? "," : "", part_names[part]);
        put_number(out, value_of(figures, (enum part)part, maximize));
        any = true;
    }
    buffer_putc(out, '}');
    return true;
}
