/*
 * A value that a run has under a name: what filters compare, sorting orders
 * and columns print. Pure. Texts and JSON are borrowed from the run.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_VALUE_H
#define BESOM_CLI_VALUE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buffer.h"

enum value_type { VALUE_MISSING, VALUE_NULL, VALUE_BOOL, VALUE_NUMBER, VALUE_TEXT, VALUE_JSON };

struct value {
    enum value_type type;
    bool is_real;       /* a number that is no integer of JSON */
    long double number; /* also of a boolean; holds every double and every 64-bit integer */
    const char *text;   /* VALUE_TEXT; of a literal in a filter always as it is spelled */
    const json_t *json; /* VALUE_JSON: a list or an object */
};

#define VALUE_INIT            \
    {                         \
        .type = VALUE_MISSING \
    }

struct value value_real(double number);
struct value value_integer(int64_t number);
struct value value_text(const char *text);
struct value value_bool(bool truth);
/* NULL is missing. */
struct value value_of_json(const json_t *json);
/* As value_of_json, but the texts by which numbers stand that JSON has none for are those numbers. */
struct value value_of_summary(const json_t *json);

/* The entry at "a.b", whether the key has the dot or an object "a" the key "b". Borrowed; NULL when there is
 * none. */
json_t *value_at(const json_t *object, const char *path);

/* Below, equal to or above 0: numbers (NaN last), then texts, booleans, the rest, null, missing. */
int value_order(const struct value *a, const struct value *b);

/* Appends the value exactly: the shortest number that reads back the same, JSON of lists and objects, nothing
 * of what is missing. */
void value_append(struct buffer *out, const struct value *value);
/* The same as JSON, null for what is missing. New reference. */
json_t *value_json(const struct value *value);

#endif
