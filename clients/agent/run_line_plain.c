// SPDX-License-Identifier: Apache-2.0
#include "run_line_plain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "run_line.h"

#define DIGITS_MAX 18 /* fit into 64 bits */

struct cursor {
    const char *at, *end;
};

static void skip_space(struct cursor *cursor)
{
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t' || *cursor->at == '\r'))
        cursor->at++;
}

/* Takes `c` with the white space around it. */
static bool take(struct cursor *cursor, char c)
{
    skip_space(cursor);
    if (cursor->at == cursor->end || *cursor->at != c)
        return false;
    cursor->at++;
    skip_space(cursor);
    return true;
}

static bool take_name(struct cursor *cursor, const char **name, size_t *length)
{
    if (cursor->at == cursor->end || *cursor->at != '"')
        return false;
    const char *start = ++cursor->at;
    while (cursor->at < cursor->end && *cursor->at >= 0x20 && *cursor->at < 0x7f && *cursor->at != '"' &&
           *cursor->at != '\\')
        cursor->at++;
    if (cursor->at == cursor->end || *cursor->at != '"')
        return false;
    *name = start;
    *length = (size_t)(cursor->at++ - start);
    return true;
}

static bool is_digit(const struct cursor *cursor)
{
    return cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9';
}

static bool skip_digits(struct cursor *cursor)
{
    bool some = is_digit(cursor);
    while (is_digit(cursor))
        cursor->at++;
    return some;
}

/* A whole number as JSON has it, without fraction and exponent. */
static bool take_whole(struct cursor *cursor, int64_t *out)
{
    bool negative = cursor->at < cursor->end && *cursor->at == '-';
    const char *start = cursor->at += negative;
    int64_t value = 0;
    for (; is_digit(cursor) && cursor->at - start < DIGITS_MAX; cursor->at++)
        value = value * 10 + (*cursor->at - '0');
    ptrdiff_t digits = cursor->at - start;
    if (digits == 0 || is_digit(cursor) || (*start == '0' && digits > 1))
        return false;
    *out = negative ? -value : value;
    return true;
}

static bool take_fraction_and_exponent(struct cursor *cursor)
{
    if (cursor->at < cursor->end && *cursor->at == '.') {
        cursor->at++;
        if (!skip_digits(cursor))
            return false;
    }
    if (cursor->at < cursor->end && (*cursor->at == 'e' || *cursor->at == 'E')) {
        cursor->at++;
        cursor->at += cursor->at < cursor->end && (*cursor->at == '+' || *cursor->at == '-');
        if (!skip_digits(cursor))
            return false;
    }
    return true;
}

/* strtod stops by itself at what must follow a number in an object: the caller sees to it that something
 * does. */
static bool take_number(struct cursor *cursor, double *out)
{
    const char *start = cursor->at;
    int64_t whole;
    if (!take_whole(cursor, &whole))
        return false;
    const char *end_of_whole = cursor->at;
    if (!take_fraction_and_exponent(cursor) || cursor->at == cursor->end)
        return false;
    *out = (double)whole;
    if (cursor->at == end_of_whole)
        return true;
    char *end;
    *out = strtod(start, &end);
    return end == cursor->at && isfinite(*out);
}

/* Of a name that occurs twice the general reader takes the last. */
static bool is_new(const struct plain_line *line, const char *name, size_t length)
{
    for (size_t i = 0; i < line->count; i++)
        if (line->values[i].length == length && memcmp(line->values[i].name, name, length) == 0)
            return false;
    return true;
}

static bool take_values(struct cursor *cursor, struct plain_line *out)
{
    if (!take(cursor, '{'))
        return false;
    if (take(cursor, '}'))
        return true;
    do {
        const char *name;
        size_t length;
        double value;
        if (out->count == PLAIN_VALUES_MAX || !take_name(cursor, &name, &length) || !take(cursor, ':') ||
            !take_number(cursor, &value))
            return false;
        if (length == 0 || length > RUN_LINE_NAME_MAX || !is_new(out, name, length))
            return false;
        out->values[out->count++] = (struct plain_value){.name = name, .length = length, .value = value};
    } while (take(cursor, ','));
    return take(cursor, '}');
}

static bool take_member(struct cursor *cursor, bool *has_log, struct plain_line *out)
{
    const char *key;
    size_t length;
    if (!take_name(cursor, &key, &length) || !take(cursor, ':'))
        return false;
    if (!*has_log && length == 3 && memcmp(key, "log", 3) == 0)
        return *has_log = take_values(cursor, out);
    if (!out->has_step && length == 4 && memcmp(key, "step", 4) == 0)
        return out->has_step = take_whole(cursor, &out->step);
    return false;
}

bool run_line_read_plain(const char *line, size_t length, struct plain_line *out)
{
    struct cursor cursor = {.at = line, .end = line + length};
    bool has_log = false;
    out->count = 0;
    out->has_step = false;
    out->step = 0;
    if (!take(&cursor, '{'))
        return false;
    do {
        if (!take_member(&cursor, &has_log, out))
            return false;
    } while (take(&cursor, ','));
    return has_log && take(&cursor, '}') && cursor.at == cursor.end;
}
