/*
 * What a YAML 1.1 scalar means, by the rules of PyYAML's safe loader, plus the
 * numbers that people write and YAML 1.1 takes for text (1e-5). Pure.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_SPEC_SCALAR_H
#define BESOM_SPEC_SCALAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum scalar_kind {
    SCALAR_TEXT,
    SCALAR_NULL,
    SCALAR_BOOL,
    SCALAR_INTEGER,
    SCALAR_REAL,     /* may be infinite or not a number */
    SCALAR_TOO_LARGE /* an integer beyond 64 bits */
};

struct scalar {
    enum scalar_kind kind;
    bool flag;
    int64_t integer;
    double real;
};

/* A plain (unquoted, untagged) scalar. */
struct scalar scalar_resolve(const char *text);

/* `text` as an integer, or as a number in any usual notation; SCALAR_TEXT when it is none. */
struct scalar scalar_read_integer(const char *text);
struct scalar scalar_read_number(const char *text);

#endif
