/*
 * The language of --filter: comparisons of names with values, joined by and, or
 * and not. A filter is parsed once and asked about many things; it knows
 * nothing of runs but the fields that it is told of. Pure.
 *
 *     expression  all { or all }            all         part { and part }
 *     part        not part | ( expression ) | comparison
 *     comparison  NAME [ OP VALUE ] | NAME [not] in ( VALUE { , VALUE } )
 *     OP          == = != < <= > >= ~ !~
 *
 * NAME and VALUE are words of all characters but space ( ) , ' " ` = ! < > ~ & |; `...` holds any character
 * of a name,
 * '...' and "..." of a text. A name after an operator stands in `...`. What is missing compares false, with
 * != !~ and `not in` true; null stands for what is missing, too. A list compares true when one of its items
 * does.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_FILTER_H
#define BESOM_CLI_FILTER_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "value.h"

#define FILTER_TEXT_MAX 16384

/* Where a name is looked up. */
enum filter_scope { FILTER_ANY, FILTER_RUN, FILTER_PARAMS, FILTER_SUMMARY, FILTER_CONFIG };

struct filter_name {
    enum filter_scope scope; /* "params.x" and such, the scope not quoted */
    const char *text;        /* without the scope */
    const char *spelled;     /* as a person wrote it, without quotes */
};

/* What a field's values are, so that a value that can never be right is an error. */
enum filter_kind {
    FILTER_KIND_ANY,
    FILTER_KIND_WORD,     /* one of `words` */
    FILTER_KIND_DURATION, /* seconds; "10m" is taken */
    FILTER_KIND_TIME /* seconds since 1970 UTC; "2026-11-21", "2026-11-21T17:54", "-2h" (ago) are taken */
};

struct filter_field {
    const char *name;
    enum filter_kind kind;
    const char *const *words; /* of FILTER_KIND_WORD, ends with NULL */
};

/* The field that a name without a scope, or with "run.", means; NULL when it means none. */
typedef const struct filter_field *filter_find_field(const char *name);
typedef struct value filter_get(void *context, const struct filter_name *name);

struct filter;

/* INVALID says "column N: what is wrong (what would be right)". `now_us` is what -2h counts from. */
enum status filter_parse(const char *text, filter_find_field *find, int64_t now_us, struct filter **out,
                         struct err *err) MUST_USE;
/* NULL is fine. */
void filter_free(struct filter *filter);
/* Usable as CLEANUP. */
void filter_free_at(struct filter **filter);

/* Whether the filter holds for what `get` tells. Notes which names had a value. */
bool filter_matches(struct filter *filter, filter_get *get, void *context);
/* A name that has never had a value; NULL when all have. */
const struct filter_name *filter_unknown_name(const struct filter *filter);

/* Names separated by commas, as in a filter, into the arena. */
enum status filter_parse_names(const char *text, struct arena *arena, struct filter_name **out, size_t *count,
                               struct err *err) MUST_USE;

#endif
