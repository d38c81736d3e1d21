/*
 * Words, texts and signs of a filter, with their columns. Private to filter.c
 * and its literals.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BESOM_CLI_FILTER_LEXER_H
#define BESOM_CLI_FILTER_LEXER_H

#include "filter.h"

enum filter_token_type {
    FILTER_END,
    FILTER_WORD, /* also what was partly in backquotes */
    FILTER_TEXT, /* in quotes */
    FILTER_SIGN, /* an operator */
    FILTER_OPEN,
    FILTER_CLOSE,
    FILTER_COMMA
};

struct filter_token {
    enum filter_token_type type;
    const char *text;     /* in the arena: the word or text without quotes, the sign */
    size_t quoted_at;     /* of a word: bytes before its first backquote, (size_t)-1 without one */
    size_t column, after; /* from 1, in characters */
};

struct filter_lexer {
    struct arena *arena;
    const char *next;
    size_t column;
    struct filter_token token; /* the current one */
};

/* Goes to the next token. INVALID. */
enum status filter_lexer_advance(struct filter_lexer *lexer, struct err *err) MUST_USE;
/* Begins with the first token. */
enum status filter_lexer_begin(struct filter_lexer *lexer, struct arena *arena, const char *text,
                               struct err *err) MUST_USE;
/* The name that a word stands for. */
enum status filter_lexer_name(struct filter_lexer *lexer, struct filter_name *out, struct err *err) MUST_USE;

#endif
