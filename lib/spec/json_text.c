// SPDX-License-Identifier: GPL-3.0-or-later
#include "spec/json_text.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define ESCAPE_LENGTH 6 /* \uXXXX */

/* The number of a \u escape, or 0. */
static unsigned read_escape(const char *text, size_t length)
{
    char digits[5] = "";
    if (length < ESCAPE_LENGTH || text[0] != '\\' || text[1] != 'u')
        return 0;
    memcpy(digits, text + 2, 4);
    return strspn(digits, "0123456789abcdefABCDEF") == 4 ? (unsigned)strtoul(digits, NULL, 16) : 0;
}

/* The character of a pair of escapes, or 0. */
static unsigned read_pair(const char *text, size_t length)
{
    unsigned high = read_escape(text, length);
    if (high < 0xd800 || high > 0xdbff)
        return 0;
    unsigned low = read_escape(text + ESCAPE_LENGTH, length - ESCAPE_LENGTH);
    return low < 0xdc00 || low > 0xdfff ? 0 : 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static bool is_json(const char *bytes, size_t length)
{
    json_t *value = json_loadb(bytes, length, 0, NULL);
    json_decref(value);
    return value != NULL;
}

bool json_text_to_yaml(const char *bytes, size_t length, struct buffer *out)
{
    bool found = false;
    for (size_t i = 0; i < length && !found; i++)
        found = read_pair(bytes + i, length - i) != 0;
    if (!found || !is_json(bytes, length))
        return false;
    for (size_t i = 0; i < length;) {
        unsigned character = read_pair(bytes + i, length - i);
        if (character != 0) {
            buffer_printf(out, "\\U%08x", character);
            i += 2 * (size_t)ESCAPE_LENGTH;
            continue;
        }
        /* an escaped backslash begins nothing */
        size_t step = bytes[i] == '\\' && i + 1 < length ? 2 : 1;
        buffer_append(out, bytes + i, step);
        i += step;
    }
    return !out->failed;
}
