// SPDX-License-Identifier: GPL-3.0-or-later
#include "spec/schema.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"

#define KEYS_MAX 40
#define WORD_MAX 64
#define PROBLEM_MAX 600

PRINTF_LIKE(4, 0)
static void report(struct schema *schema, enum spec_severity severity, const struct node *node,
                   const char *format, va_list args)
{
    char text[PROBLEM_MAX];
    vsnprintf(text, sizeof text, format, args);
    problems_add(schema->reader.problems, severity, node->place, "%s", text);
}

void schema_error(struct schema *schema, const struct node *node, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report(schema, SPEC_ERROR, node, format, args);
    va_end(args);
}

void schema_warning(struct schema *schema, const struct node *node, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report(schema, SPEC_WARNING, node, format, args);
    va_end(args);
}

const char *schema_keep_text(struct schema *schema, const char *text)
{
    const char *kept = arena_strdup(&schema->spec->arena, text);
    if (kept == NULL)
        schema->reader.out_of_memory = true;
    return kept;
}

/* Lower case, without `-`, `_` and spaces: run-cap and runCap become runcap. */
static void fold(const char *text, char out[WORD_MAX])
{
    size_t used = 0;
    for (; *text != '\0' && used + 1 < WORD_MAX; text++)
        if (*text != '-' && *text != '_' && *text != ' ')
            out[used++] = (char)tolower((unsigned char)*text);
    out[used] = '\0';
}

static const struct schema_key *find_key(const struct schema_section *section, const char *name)
{
    for (size_t i = 0; i < section->key_count; i++)
        if (strcmp(section->keys[i].name, name) == 0)
            return &section->keys[i];
    return NULL;
}

/* The key that an unknown one resembles: equal or contained when folded, else near by spelling. */
static const struct schema_key *resembled_key(const struct schema_section *section, const char *name)
{
    char word[WORD_MAX];
    fold(name, word);
    const char *names[KEYS_MAX];
    const struct schema_key *contained = NULL;
    for (size_t i = 0; i < section->key_count && i < KEYS_MAX; i++) {
        char known[WORD_MAX];
        fold(section->keys[i].name, known);
        names[i] = section->keys[i].name;
        if (contained == NULL && strlen(known) >= 6 && strstr(word, known) != NULL)
            contained = &section->keys[i];
    }
    const char *near = config_suggest(name, names, section->key_count);
    return near != NULL ? find_key(section, near) : contained;
}

static void report_unknown(struct schema *schema, const struct schema_section *section,
                           const struct node *key)
{
    if (section->name != NULL && schema_is_file_key(key->text)) {
        schema_error(schema, key,
                     "unknown key \"%.80s\" in %s: it is a key of the file itself (indent it less)",
                     key->text, section->name);
        return;
    }
    const struct schema_key *meant = resembled_key(section, key->text);
    bool ignored = section->lenient && (meant == NULL || !meant->decisive);
    problems_add(schema->reader.problems, ignored ? SPEC_WARNING : SPEC_ERROR, key->place,
                 "unknown key \"%.80s\"%s%s%s%s%s%s", key->text, section->name != NULL ? " in " : "",
                 section->name != NULL ? section->name : "", ignored ? ", ignored" : "",
                 meant != NULL ? ": did you mean " : "", meant != NULL ? meant->name : "",
                 meant != NULL ? "?" : "");
}

bool schema_read_section(struct schema *schema, const struct schema_section *section, const struct node *map,
                         void *fields)
{
    if (map->kind != NODE_MAP) {
        schema_error(schema, map, "%s must be a map of keys, not %s",
                     section->name != NULL ? section->name : "a sweep file", node_describe(map));
        return false;
    }
    for (size_t i = 0; i < map->count; i++) {
        const struct schema_key *key = find_key(section, map->pairs[i].key->text);
        if (key == NULL)
            report_unknown(schema, section, map->pairs[i].key);
        else
            key->read(schema, map->pairs[i].value, (char *)fields + key->offset);
    }
    return true;
}

static bool is_nothing(const struct node *value)
{
    return value->kind == NODE_SCALAR && value->scalar.kind == SCALAR_NULL;
}

void schema_read_text(struct schema *schema, const struct node *value, void *field)
{
    if (value->kind != NODE_SCALAR) {
        schema_error(schema, value, "must be text, not %s", node_describe(value));
        return;
    }
    if (is_nothing(value)) {
        schema_warning(schema, value, "empty: taken as not given");
        return;
    }
    if (value->scalar.kind != SCALAR_TEXT)
        schema_warning(schema, value, "%.80s is %s in YAML: taken as the text (quote it to say so)",
                       value->text, node_describe(value));
    *(const char **)field = schema_keep_text(schema, value->text);
}

bool schema_number_of(struct schema *schema, const struct node *value, double *out)
{
    if (value->kind != NODE_SCALAR)
        return false;
    struct scalar number = value->scalar;
    if (number.kind == SCALAR_TEXT) {
        number = scalar_read_number(value->text);
        if ((number.kind == SCALAR_INTEGER || number.kind == SCALAR_REAL) &&
            !(schema->reader.is_json && value->plain))
            schema_warning(schema, value, "%.80s is text in YAML 1.1: read as the number %g", value->text,
                           number.kind == SCALAR_REAL ? number.real : (double)number.integer);
    }
    if (number.kind != SCALAR_INTEGER && number.kind != SCALAR_REAL)
        return false;
    *out = number.kind == SCALAR_REAL ? number.real : (double)number.integer;
    return isfinite(*out);
}

bool schema_integer_of(struct schema *schema, const struct node *value, int64_t *out)
{
    if (value->kind == NODE_SCALAR && value->scalar.kind == SCALAR_INTEGER) {
        *out = value->scalar.integer;
        return true;
    }
    double number;
    if (!schema_number_of(schema, value, &number) || number != floor(number) || fabs(number) >= 0x1p53)
        return false;
    *out = (int64_t)number;
    return true;
}

void schema_read_count(struct schema *schema, const struct node *value, void *field)
{
    int64_t number;
    if (is_nothing(value))
        schema_warning(schema, value, "empty: taken as not given");
    else if (!schema_integer_of(schema, value, &number) || number < 1)
        schema_error(schema, value, "must be a whole number of at least 1");
    else
        *(int64_t *)field = number;
}

void schema_read_bool(struct schema *schema, const struct node *value, void *field)
{
    if (value->kind == NODE_SCALAR && value->scalar.kind == SCALAR_BOOL)
        *(bool *)field = value->scalar.flag;
    else
        schema_error(schema, value, "must be true or false, not %s", node_describe(value));
}

void schema_read_number(struct schema *schema, const struct node *value, void *field)
{
    if (!schema_number_of(schema, value, field))
        schema_error(schema, value, "must be a number, not %s", node_describe(value));
}

void schema_read_duration(struct schema *schema, const struct node *value, void *field)
{
    struct err err = ERR_INIT;
    int64_t duration = -1;
    if (value->kind != NODE_SCALAR || is_nothing(value))
        schema_error(schema, value, "must be a duration such as 30s or 5m");
    else if (config_parse_duration(value->text, &duration, &err) != STATUS_OK)
        schema_error(schema, value, "%s", err.text);
    else if (duration < 0)
        schema_error(schema, value, "a duration must not be negative");
    else
        *(int64_t *)field = duration;
}

static const char *choice_text(const struct node *value)
{
    return value->kind == NODE_SCALAR ? value->text : node_describe(value);
}

static size_t find_choice(const char *word, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], word) == 0)
            return i;
    return count;
}

bool schema_read_choice(struct schema *schema, const struct node *value, const char *what,
                        const char *const *names, size_t count, size_t *out)
{
    const char *word = choice_text(value);
    *out = value->kind == NODE_SCALAR ? find_choice(word, names, count) : count;
    if (*out < count)
        return true;
    char folded[WORD_MAX];
    fold(word, folded);
    const char *near = config_suggest(folded, names, count);
    struct buffer known = BUFFER_INIT;
    for (size_t i = 0; i < count; i++)
        buffer_printf(&known, "%s%s", i > 0 ? ", " : "", names[i]);
    schema_error(schema, value, "unknown %s \"%.80s\"%s%s%s (one of: %s)", what, word,
                 near != NULL ? ": did you mean " : "", near != NULL ? near : "", near != NULL ? "?" : "",
                 buffer_text(&known));
    buffer_free(&known);
    return false;
}
