// SPDX-License-Identifier: GPL-3.0-or-later
#include "spec/scalar.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

#define NUMBER_TEXT_MAX 512

static const struct scalar text_scalar = {.kind = SCALAR_TEXT};

struct word {
    const char *text;
    struct scalar scalar;
};

#define WORD_NULL(t)            \
    {                           \
        t,                      \
        {                       \
            .kind = SCALAR_NULL \
        }                       \
    }
#define WORD_BOOL(t, value)                    \
    {                                          \
        t,                                     \
        {                                      \
            .kind = SCALAR_BOOL, .flag = value \
        }                                      \
    }
#define WORD_REAL(t, value)                    \
    {                                          \
        t,                                     \
        {                                      \
            .kind = SCALAR_REAL, .real = value \
        }                                      \
    }

static const struct word words[] = {
    WORD_NULL(""),
    WORD_NULL("~"),
    WORD_NULL("null"),
    WORD_NULL("Null"),
    WORD_NULL("NULL"),
    WORD_BOOL("true", true),
    WORD_BOOL("True", true),
    WORD_BOOL("TRUE", true),
    WORD_BOOL("yes", true),
    WORD_BOOL("Yes", true),
    WORD_BOOL("YES", true),
    WORD_BOOL("on", true),
    WORD_BOOL("On", true),
    WORD_BOOL("ON", true),
    WORD_BOOL("false", false),
    WORD_BOOL("False", false),
    WORD_BOOL("FALSE", false),
    WORD_BOOL("no", false),
    WORD_BOOL("No", false),
    WORD_BOOL("NO", false),
    WORD_BOOL("off", false),
    WORD_BOOL("Off", false),
    WORD_BOOL("OFF", false),
    WORD_REAL(".inf", INFINITY),
    WORD_REAL(".Inf", INFINITY),
    WORD_REAL(".INF", INFINITY),
    WORD_REAL("+.inf", INFINITY),
    WORD_REAL("+.Inf", INFINITY),
    WORD_REAL("+.INF", INFINITY),
    WORD_REAL("-.inf", -INFINITY),
    WORD_REAL("-.Inf", -INFINITY),
    WORD_REAL("-.INF", -INFINITY),
    WORD_REAL(".nan", NAN),
    WORD_REAL(".NaN", NAN),
    WORD_REAL(".NAN", NAN),
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_sign(char c)
{
    return c == '+' || c == '-';
}

static const char *skip_set(const char *text, const char *set)
{
    return text + strspn(text, set);
}

/* Removes `_`, which YAML 1.1 allows between digits. False when the text is too long to be a number. */
static bool without_underscores(const char *text, char out[NUMBER_TEXT_MAX])
{
    size_t used = 0;
    for (; *text != '\0'; text++) {
        if (*text == '_')
            continue;
        if (used + 1 == NUMBER_TEXT_MAX)
            return false;
        out[used++] = *text;
    }
    out[used] = '\0';
    return true;
}

/* Digits of `base` (underscores allowed), at least one character; the magnitude. */
static struct scalar read_digits(const char *digits, int base, bool negative)
{
    uint64_t magnitude = 0;
    bool overflow = false;
    for (; *digits != '\0'; digits++) {
        if (*digits == '_')
            continue;
        char text[2] = {*digits, '\0'};
        uint64_t digit = strtoull(text, NULL, base);
        overflow |= __builtin_mul_overflow(magnitude, (uint64_t)base, &magnitude);
        overflow |= __builtin_add_overflow(magnitude, digit, &magnitude);
    }
    uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    if (overflow || magnitude > limit)
        return (struct scalar){.kind = SCALAR_TOO_LARGE};
    int64_t value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return (struct scalar){.kind = SCALAR_INTEGER, .integer = value};
}

/* Skips `(:[0-5]?[0-9])+`; NULL when there is none or it does not end well. */
static const char *skip_sixtieths(const char *text)
{
    const char *next = text;
    while (*next == ':') {
        next++;
        if (!is_digit(*next))
            return NULL;
        if (is_digit(next[1])) {
            if (*next > '5')
                return NULL;
            next++;
        }
        next++;
    }
    return next == text ? NULL : next;
}

/* 1:30 is 90 in YAML 1.1, 1:30.5 is 90.5. */
static double read_sixtieths(const char *text)
{
    double value = 0;
    for (;;) {
        char *end;
        value = value * 60 + strtod(text, &end);
        if (*end != ':')
            return value;
        text = end + 1;
    }
}

static struct scalar resolve_sixtieths(const char *text, const char *digits)
{
    char clean[NUMBER_TEXT_MAX];
    const char *end = skip_sixtieths(skip_set(digits, "0123456789_"));
    if (end == NULL || !without_underscores(digits, clean))
        return text_scalar;
    double value = read_sixtieths(clean) * (*text == '-' ? -1 : 1);
    if (*end == '.' && *skip_set(end + 1, "0123456789_") == '\0')
        return (struct scalar){.kind = SCALAR_REAL, .real = value};
    if (*end != '\0' || *digits == '0')
        return text_scalar;
    if (fabs(value) >= 0x1p53)
        return (struct scalar){.kind = SCALAR_TOO_LARGE};
    return (struct scalar){.kind = SCALAR_INTEGER, .integer = (int64_t)value};
}

struct radix {
    const char *prefix;
    const char *digits;
    int base;
};

static const struct radix radices[] = {
    {"0b", "01_", 2},
    {"0x", "0123456789abcdefABCDEF_", 16},
    {"0", "01234567_", 8},
};

static struct scalar resolve_integer(const char *text)
{
    const char *digits = text + (is_sign(*text) ? 1 : 0);
    if (!is_digit(*digits))
        return text_scalar;
    for (size_t i = 0; i < ARRAY_LEN(radices); i++) {
        const struct radix *radix = &radices[i];
        size_t prefix = strlen(radix->prefix);
        if (strncmp(digits, radix->prefix, prefix) != 0)
            continue;
        const char *rest = digits + prefix;
        if (*rest != '\0' && *skip_set(rest, radix->digits) == '\0')
            return read_digits(rest, radix->base, *text == '-');
    }
    if (*digits == '0' && digits[1] != '\0')
        return text_scalar;
    if (*skip_set(digits, "0123456789_") != '\0')
        return text_scalar;
    return read_digits(digits, 10, *text == '-');
}

static bool has_signed_exponent(const char *text)
{
    if (*text == '\0')
        return true;
    if ((*text != 'e' && *text != 'E') || !is_sign(text[1]) || !is_digit(text[2]))
        return false;
    return *skip_set(text + 2, "0123456789") == '\0';
}

/* YAML 1.1 wants a point, and a sign in the exponent: 1e-5 and 1.0e3 are text. */
static bool is_yaml_real(const char *text)
{
    if (text[0] == '.' && is_digit(text[1]))
        return has_signed_exponent(skip_set(text + 1, "0123456789_"));
    const char *digits = text + (is_sign(*text) ? 1 : 0);
    if (!is_digit(*digits))
        return false;
    const char *point = skip_set(digits, "0123456789_");
    return *point == '.' && has_signed_exponent(skip_set(point + 1, "0123456789_"));
}

static struct scalar read_real(const char *text)
{
    char clean[NUMBER_TEXT_MAX];
    if (!without_underscores(text, clean))
        return text_scalar;
    return (struct scalar){.kind = SCALAR_REAL, .real = strtod(clean, NULL)};
}

struct scalar scalar_resolve(const char *text)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(words[i].text, text) == 0)
            return words[i].scalar;
    struct scalar integer = resolve_integer(text);
    if (integer.kind != SCALAR_TEXT)
        return integer;
    if (is_yaml_real(text))
        return read_real(text);
    const char *digits = text + (is_sign(*text) ? 1 : 0);
    return is_digit(*digits) ? resolve_sixtieths(text, digits) : text_scalar;
}

struct scalar scalar_read_integer(const char *text)
{
    return resolve_integer(text);
}

struct scalar scalar_read_number(const char *text)
{
    struct scalar known = scalar_resolve(text);
    if (known.kind == SCALAR_INTEGER || known.kind == SCALAR_REAL || known.kind == SCALAR_TOO_LARGE)
        return known;
    const char *digits = text + (is_sign(*text) ? 1 : 0);
    if (!is_digit(*digits) && !(*digits == '.' && is_digit(digits[1])))
        return text_scalar;
    const char *end = skip_set(digits, "0123456789_");
    if (*end == '.')
        end = skip_set(end + 1, "0123456789_");
    if (*end == 'e' || *end == 'E') {
        end += is_sign(end[1]) ? 2 : 1;
        if (!is_digit(*end))
            return text_scalar;
        end = skip_set(end, "0123456789");
    }
    return *end == '\0' ? read_real(text) : text_scalar;
}
