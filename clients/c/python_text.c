// SPDX-License-Identifier: Apache-2.0
#include "python_text.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

/* What differs between repr() and json.dumps(). */
struct style {
    const char *yes, *no, *null;
    void (*string)(struct buffer *out, const char *text, size_t length);
};

static void repr_string(struct buffer *out, const char *text, size_t length);
static void json_string_ascii(struct buffer *out, const char *text, size_t length);

static const struct style repr_style = {"True", "False", "None", repr_string};
static const struct style json_style = {"true", "false", "null", json_string_ascii};

/* Decodes one code point of valid UTF-8 (jansson has checked it). */
static uint32_t next_point(const char **cursor)
{
    const unsigned char *p = (const unsigned char *)*cursor;
    int extra = p[0] < 0x80 ? 0 : p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 2 : 3;
    static const unsigned char lead_mask[] = {0x7f, 0x1f, 0x0f, 0x07};
    uint32_t point = p[0] & lead_mask[extra];
    for (int i = 1; i <= extra; i++)
        point = point << 6 | (p[i] & 0x3f);
    *cursor += 1 + extra;
    return point;
}

/* Control, format, separator, surrogate and private-use ranges of Unicode. */
static bool is_printable(uint32_t point)
{
    static const uint32_t ranges[][2] = {
        {0x00, 0x1f},     {0x7f, 0xa0},     {0xad, 0xad},     {0x600, 0x605},     {0x61c, 0x61c},
        {0x6dd, 0x6dd},   {0x70f, 0x70f},   {0x8e2, 0x8e2},   {0x1680, 0x1680},   {0x180e, 0x180e},
        {0x2000, 0x200f}, {0x2028, 0x202f}, {0x205f, 0x206f}, {0x3000, 0x3000},   {0xd800, 0xf8ff},
        {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0xe00ff}, {0xe01f0, 0x10ffff}};
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
        if (point >= ranges[i][0] && point <= ranges[i][1])
            return false;
    return true;
}

static void repr_escape(struct buffer *out, uint32_t point)
{
    if (point <= 0xff)
        buffer_printf(out, "\\x%02x", point);
    else if (point <= 0xffff)
        buffer_printf(out, "\\u%04x", point);
    else
        buffer_printf(out, "\\U%08x", point);
}

static void repr_string(struct buffer *out, const char *text, size_t length)
{
    bool has_single = memchr(text, '\'', length) != NULL;
    char quote = has_single && memchr(text, '"', length) == NULL ? '"' : '\'';
    buffer_putc(out, quote);
    for (const char *cursor = text; cursor < text + length;) {
        const char *start = cursor;
        uint32_t point = next_point(&cursor);
        const char *named = strchr("\\\n\r\t", (int)point);
        if (point != 0 && point < 0x80 && named != NULL)
            buffer_printf(out, "\\%c", "\\nrt"[named - "\\\n\r\t"]);
        else if (point == (uint32_t)quote)
            buffer_printf(out, "\\%c", quote);
        else if (is_printable(point))
            buffer_append(out, start, (size_t)(cursor - start));
        else
            repr_escape(out, point);
    }
    buffer_putc(out, quote);
}

static void json_string_ascii(struct buffer *out, const char *text, size_t length)
{
    static const char named[] = "\"\\\n\r\t\f\b";
    buffer_putc(out, '"');
    for (const char *cursor = text; cursor < text + length;) {
        uint32_t point = next_point(&cursor);
        const char *escape = point != 0 && point < 0x80 ? strchr(named, (int)point) : NULL;
        if (escape != NULL)
            buffer_printf(out, "\\%c", "\"\\nrtfb"[escape - named]);
        else if (point >= 0x20 && point < 0x7f)
            buffer_putc(out, (char)point);
        else if (point <= 0xffff)
            buffer_printf(out, "\\u%04x", point);
        else
            buffer_printf(out, "\\u%04x\\u%04x", 0xd800 + ((point - 0x10000) >> 10),
                          0xdc00 + ((point - 0x10000) & 0x3ff));
    }
    buffer_putc(out, '"');
}

/* Significant digits without the point, and the decimal exponent of the first; independent of the locale. */
static size_t shortest_digits(double value, char digits[32], int *exponent)
{
    char text[64];
    for (int precision = 0; precision <= 16; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    size_t count = 0;
    const char *cursor = text;
    for (; *cursor != 'e'; cursor++)
        if (*cursor >= '0' && *cursor <= '9')
            digits[count++] = *cursor;
    *exponent = (int)strtol(cursor + 1, NULL, 10);
    while (count > 1 && digits[count - 1] == '0')
        count--;
    return count;
}

static void put_zeros(struct buffer *out, int count)
{
    for (int i = 0; i < count; i++)
        buffer_putc(out, '0');
}

static void put_positional(struct buffer *out, const char *digits, size_t count, int exponent)
{
    if (exponent < 0) {
        buffer_puts(out, "0.");
        put_zeros(out, -exponent - 1);
        buffer_append(out, digits, count);
        return;
    }
    size_t whole = (size_t)exponent + 1;
    if (count <= whole) {
        buffer_append(out, digits, count);
        put_zeros(out, (int)(whole - count));
        buffer_puts(out, ".0");
        return;
    }
    buffer_append(out, digits, whole);
    buffer_putc(out, '.');
    buffer_append(out, digits + whole, count - whole);
}

void python_float(struct buffer *out, double value)
{
    if (isnan(value)) {
        buffer_puts(out, "nan");
        return;
    }
    if (signbit(value))
        buffer_putc(out, '-');
    value = fabs(value);
    if (isinf(value)) {
        buffer_puts(out, "inf");
        return;
    }
    char digits[32] = "0";
    int exponent = 0;
    size_t count = shortest_digits(value, digits, &exponent);
    if (exponent >= -4 && exponent < 16) {
        put_positional(out, digits, count, exponent);
        return;
    }
    buffer_putc(out, digits[0]);
    if (count > 1) {
        buffer_putc(out, '.');
        buffer_append(out, digits + 1, count - 1);
    }
    buffer_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

static void put_value(struct buffer *out, const json_t *value, const struct style *style);

static void put_array(struct buffer *out, const json_t *array, const struct style *style)
{
    buffer_putc(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0)
            buffer_puts(out, ", ");
        put_value(out, json_array_get(array, i), style);
    }
    buffer_putc(out, ']');
}

static void put_object(struct buffer *out, const json_t *object, const struct style *style)
{
    const char *separator = "";
    buffer_putc(out, '{');
    /* jansson's iterators want a mutable object although they only read */
    json_t *entries = (json_t *)(uintptr_t)object;
    for (void *i = json_object_iter(entries); i != NULL; i = json_object_iter_next(entries, i)) {
        const char *key = json_object_iter_key(i);
        buffer_puts(out, separator);
        style->string(out, key, strlen(key));
        buffer_puts(out, ": ");
        put_value(out, json_object_iter_value(i), style);
        separator = ", ";
    }
    buffer_putc(out, '}');
}

static void put_value(struct buffer *out, const json_t *value, const struct style *style)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: put_object(out, value, style); break;
    case JSON_ARRAY: put_array(out, value, style); break;
    case JSON_STRING: style->string(out, json_string_value(value), json_string_length(value)); break;
    case JSON_INTEGER: buffer_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value)); break;
    case JSON_REAL: python_float(out, json_real_value(value)); break;
    case JSON_TRUE: buffer_puts(out, style->yes); break;
    case JSON_FALSE: buffer_puts(out, style->no); break;
    case JSON_NULL: buffer_puts(out, style->null); break;
    }
}

void python_repr(struct buffer *out, const json_t *value)
{
    put_value(out, value, &repr_style);
}

void python_str(struct buffer *out, const json_t *value)
{
    if (json_is_string(value))
        buffer_append(out, json_string_value(value), json_string_length(value));
    else
        put_value(out, value, &repr_style);
}

void python_json(struct buffer *out, const json_t *value)
{
    put_value(out, value, &json_style);
}
