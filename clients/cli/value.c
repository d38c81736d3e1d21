// SPDX-License-Identifier: GPL-3.0-or-later
#include "value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "space/space.h"

struct value value_real(double number)
{
    return (struct value){.type = VALUE_NUMBER, .is_real = true, .number = (long double)number};
}

struct value value_integer(int64_t number)
{
    return (struct value){.type = VALUE_NUMBER, .number = (long double)number};
}

struct value value_text(const char *text)
{
    return (struct value){.type = VALUE_TEXT, .text = text};
}

struct value value_bool(bool truth)
{
    return (struct value){.type = VALUE_BOOL, .number = truth ? 1 : 0};
}

struct value value_of_json(const json_t *json)
{
    if (json == NULL)
        return (struct value)VALUE_INIT;
    switch (json_typeof(json)) {
    case JSON_NULL: return (struct value){.type = VALUE_NULL};
    case JSON_TRUE: return value_bool(true);
    case JSON_FALSE: return value_bool(false);
    case JSON_INTEGER: return value_integer(json_integer_value(json));
    case JSON_REAL: return value_real(json_real_value(json));
    case JSON_STRING: return value_text(json_string_value(json));
    default: return (struct value){.type = VALUE_JSON, .json = json};
    }
}

struct value value_of_summary(const json_t *json)
{
    struct value value = value_of_json(json);
    if (value.type != VALUE_TEXT)
        return value;
    if (strcmp(value.text, "NaN") == 0)
        return value_real((double)NAN);
    if (strcmp(value.text, "Infinity") == 0)
        return value_real((double)INFINITY);
    return strcmp(value.text, "-Infinity") == 0 ? value_real((double)-INFINITY) : value;
}

json_t *value_at(const json_t *object, const char *path)
{
    json_t *found = json_object_get(object, path);
    for (const char *dot = strchr(path, '.'); dot != NULL && found == NULL; dot = strchr(dot + 1, '.')) {
        char *outer = strndup(path, (size_t)(dot - path));
        const json_t *inner = outer != NULL ? json_object_get(object, outer) : NULL;
        free(outer);
        if (json_is_object(inner))
            found = value_at(inner, dot + 1);
    }
    return found;
}

static int rank(const struct value *value)
{
    static const int ranks[] = {[VALUE_NUMBER] = 0, [VALUE_TEXT] = 2, [VALUE_BOOL] = 3,
                                [VALUE_JSON] = 4,   [VALUE_NULL] = 5, [VALUE_MISSING] = 6};
    return value->type == VALUE_NUMBER && isnan(value->number) ? 1 : ranks[value->type];
}

int value_order(const struct value *a, const struct value *b)
{
    if (rank(a) != rank(b))
        return rank(a) < rank(b) ? -1 : 1;
    if (a->type == VALUE_TEXT)
        return strcmp(a->text, b->text);
    if (a->type == VALUE_NUMBER || a->type == VALUE_BOOL)
        return (a->number > b->number) - (a->number < b->number);
    return 0;
}

void value_append(struct buffer *out, const struct value *value)
{
    char number[FORMAT_SIZE];
    char *text = NULL;
    switch (value->type) {
    case VALUE_MISSING: return;
    case VALUE_NULL: buffer_puts(out, "null"); return;
    case VALUE_BOOL: buffer_puts(out, value->number != 0 ? "true" : "false"); return;
    case VALUE_TEXT: buffer_puts(out, value->text); return;
    case VALUE_NUMBER:
        if (value->is_real)
            buffer_puts(out, format_exact((double)value->number, number));
        else
            buffer_printf(out, "%lld", (long long)value->number);
        return;
    case VALUE_JSON:
        text = space_config_text(value->json);
        buffer_puts(out, text != NULL ? text : "");
        free(text);
        return;
    }
}

json_t *value_json(const struct value *value)
{
    switch (value->type) {
    case VALUE_MISSING:
    case VALUE_NULL: break;
    case VALUE_BOOL: return json_boolean(value->number != 0);
    case VALUE_TEXT: return json_string(value->text);
    case VALUE_JSON: return json_incref((json_t *)(uintptr_t)value->json);
    case VALUE_NUMBER:
        if (!value->is_real)
            return json_integer((json_int_t)value->number);
        if (isnan(value->number))
            return json_string("NaN");
        if (isinf(value->number))
            return json_string(value->number > 0 ? "Infinity" : "-Infinity");
        return json_real((double)value->number);
    }
    return json_null();
}
