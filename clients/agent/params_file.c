// SPDX-License-Identifier: Apache-2.0
#include "params_file.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"

enum status params_file_write_json(const char *path, const char *params_json, struct err *err)
{
    return file_write_atomic(path, params_json, strlen(params_json), 0600, err);
}

/* YAML 1.1 takes 1e-05 for a text: a float needs a point and a signed exponent. */
static void put_real(struct buffer *out, double value)
{
    char text[64];
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    char *exponent = strchr(text, 'e');
    size_t digits = exponent != NULL ? (size_t)(exponent - text) : strlen(text);
    buffer_append(out, text, digits);
    if (memchr(text, '.', digits) == NULL)
        buffer_puts(out, ".0");
    if (exponent != NULL)
        buffer_puts(out, exponent);
}

/* The four digits of a \u escape; 0 for anything else. */
static unsigned escaped_unit(const char *text)
{
    char digits[5];
    if (text[0] != '\\' || text[1] != 'u')
        return 0;
    snprintf(digits, sizeof digits, "%.4s", text + 2);
    return (unsigned)strtoul(digits, NULL, 16);
}

/* Appends a text that JSON has quoted as YAML quotes it: no pairs of surrogates, DEL escaped. */
static void put_quoted(struct buffer *out, const char *quoted)
{
    while (*quoted != '\0') {
        unsigned high = escaped_unit(quoted);
        if (high >= 0xd800 && high < 0xdc00) {
            buffer_printf(out, "\\U%08x",
                          0x10000 + ((high - 0xd800) << 10) + (escaped_unit(quoted + 6) - 0xdc00));
            quoted += 12;
        } else if (*quoted == '\\') {
            buffer_append(out, quoted, 2);
            quoted += 2;
        } else if (*quoted == 0x7f) {
            buffer_puts(out, "\\x7f");
            quoted++;
        } else {
            buffer_putc(out, *quoted++);
        }
    }
}

static void put_text(struct buffer *out, const char *text)
{
    json_t *value = json_string_nocheck(text);
    char *quoted = json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    put_quoted(out, quoted != NULL ? quoted : "\"\"");
    free(quoted);
    json_decref(value);
}

static void put_value(struct buffer *out, json_t *value);

static void put_object(struct buffer *out, json_t *object)
{
    const char *separator = "";
    buffer_putc(out, '{');
    for (void *i = json_object_iter(object); i != NULL; i = json_object_iter_next(object, i)) {
        buffer_puts(out, separator);
        put_text(out, json_object_iter_key(i));
        buffer_puts(out, ": ");
        put_value(out, json_object_iter_value(i));
        separator = ", ";
    }
    buffer_putc(out, '}');
}

static void put_array(struct buffer *out, json_t *array)
{
    buffer_putc(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0)
            buffer_puts(out, ", ");
        put_value(out, json_array_get(array, i));
    }
    buffer_putc(out, ']');
}

static void put_value(struct buffer *out, json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: put_object(out, value); break;
    case JSON_ARRAY: put_array(out, value); break;
    case JSON_STRING: put_text(out, json_string_value(value)); break;
    case JSON_INTEGER: buffer_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value)); break;
    case JSON_REAL: put_real(out, json_real_value(value)); break;
    case JSON_TRUE: buffer_puts(out, "true"); break;
    case JSON_FALSE: buffer_puts(out, "false"); break;
    case JSON_NULL: buffer_puts(out, "null"); break;
    }
}

enum status params_file_write_yaml(const char *path, const char *params_json, struct err *err)
{
    json_error_t problem;
    json_t *params = json_loads(params_json, 0, &problem);
    if (!json_is_object(params)) {
        json_decref(params);
        return err_set(err, STATUS_INVALID, "parameters are no JSON object");
    }
    struct buffer text CLEANUP(buffer_free) = BUFFER_INIT;
    buffer_puts(&text, "wandb_version: 1\n\n");
    for (void *i = json_object_iter(params); i != NULL; i = json_object_iter_next(params, i)) {
        put_text(&text, json_object_iter_key(i));
        buffer_puts(&text, ":\n  value: ");
        put_value(&text, json_object_iter_value(i));
        buffer_putc(&text, '\n');
    }
    json_decref(params);
    if (text.failed)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    return file_write_atomic(path, buffer_text(&text), text.length, 0600, err);
}
