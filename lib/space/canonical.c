// SPDX-License-Identifier: GPL-3.0-or-later
#include "space/canonical.h"

#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "space/space.h"

#define REAL_DIGITS_MAX 17
#define INT64_LIMIT 0x1p63

typedef void write_real(struct buffer *out, double value);

/* The fewest significant digits that read back equal; writes digits without a point, returns the exponent of
 * ten. */
static int shortest_digits(double value, char digits[REAL_DIGITS_MAX + 1])
{
    char text[40];
    for (int precision = 0; precision < REAL_DIGITS_MAX; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    size_t used = 0;
    const char *next = text;
    for (; *next != 'e'; next++)
        if (*next >= '0' && *next <= '9')
            digits[used++] = *next;
    digits[used] = '\0';
    return (int)strtol(next + 1, NULL, 10);
}

/* As Python's repr: positional from 1e-4 to below 1e16, else with an exponent of at least two digits. */
static void write_json_real(struct buffer *out, double value)
{
    char digits[REAL_DIGITS_MAX + 1];
    int exponent = shortest_digits(fabs(value), digits);
    int length = (int)strlen(digits);
    if (signbit(value))
        buffer_putc(out, '-');
    if (exponent < -4 || exponent >= 16) {
        buffer_printf(out, "%c%s%se%c%02d", digits[0], length > 1 ? "." : "", digits + 1,
                      exponent < 0 ? '-' : '+', abs(exponent));
    } else if (exponent < 0) {
        buffer_printf(out, "0.%.*s%s", -exponent - 1, "000", digits);
    } else if (length <= exponent + 1) {
        buffer_printf(out, "%s%.*s.0", digits, exponent + 1 - length, "0000000000000000");
    } else {
        buffer_printf(out, "%.*s.%s", exponent + 1, digits, digits + exponent + 1);
    }
}

static void write_identity_real(struct buffer *out, double value)
{
    if (value == floor(value) && fabs(value) < INT64_LIMIT)
        buffer_printf(out, "%lld", (long long)value);
    else
        write_json_real(out, value);
}

static void write_string(struct buffer *out, const char *text, size_t length)
{
    buffer_putc(out, '"');
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            buffer_printf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            buffer_printf(out, "\\u%04x", c);
        else
            buffer_putc(out, (char)c);
    }
    buffer_putc(out, '"');
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void write_value(struct buffer *out, const json_t *value, write_real *real);

static void write_object(struct buffer *out, const json_t *object, write_real *real)
{
    size_t size = json_object_size(object);
    const char **keys = calloc(size + 1, sizeof *keys);
    if (keys == NULL) {
        out->failed = true;
        return;
    }
    size_t count = 0;
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)object, key, member) keys[count++] = key;
    qsort(keys, count, sizeof *keys, compare_keys);
    buffer_putc(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_putc(out, ',');
        write_string(out, keys[i], strlen(keys[i]));
        buffer_putc(out, ':');
        write_value(out, json_object_get(object, keys[i]), real);
    }
    buffer_putc(out, '}');
    free(keys);
}

static void write_array(struct buffer *out, const json_t *array, write_real *real)
{
    buffer_putc(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0)
            buffer_putc(out, ',');
        write_value(out, json_array_get(array, i), real);
    }
    buffer_putc(out, ']');
}

static void write_value(struct buffer *out, const json_t *value, write_real *real)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: write_object(out, value, real); break;
    case JSON_ARRAY: write_array(out, value, real); break;
    case JSON_STRING: write_string(out, json_string_value(value), json_string_length(value)); break;
    case JSON_INTEGER: buffer_printf(out, "%lld", (long long)json_integer_value(value)); break;
    case JSON_REAL: real(out, json_real_value(value)); break;
    case JSON_TRUE: buffer_puts(out, "true"); break;
    case JSON_FALSE: buffer_puts(out, "false"); break;
    case JSON_NULL: buffer_puts(out, "null"); break;
    }
}

void canonical_write_identity(struct buffer *out, const json_t *value)
{
    write_value(out, value, write_identity_real);
}

void canonical_write_json(struct buffer *out, const json_t *value)
{
    write_value(out, value, write_json_real);
}

enum status space_config_hash(const json_t *config, unsigned char out[SPACE_HASH_SIZE], struct err *err)
{
    _Static_assert(SPACE_HASH_SIZE == crypto_hash_sha256_BYTES, "a hash holds one SHA-256");
    CLEANUP(buffer_free) struct buffer text = BUFFER_INIT;
    canonical_write_identity(&text, config);
    if (text.failed)
        return err_set(err, STATUS_NO_MEMORY, "hashing a configuration: out of memory");
    crypto_hash_sha256(out, (const unsigned char *)buffer_text(&text), text.length);
    return STATUS_OK;
}

char *space_config_text(const json_t *config)
{
    struct buffer text = BUFFER_INIT;
    canonical_write_json(&text, config);
    char *result = buffer_take(&text);
    buffer_free(&text);
    return result;
}
